"""The roofline: floating-point operations per second of training, as a share of bare products of its shapes."""

from __future__ import annotations

from pathlib import Path

import torch

from benchmarks.layers import milliseconds
from benchmarks.timing import table
from tuner.metrics import METRICS
from tuner.search.catalogue import model
from tuner.sources import digits
from tuner.training.fitting import build_stacks
from tuner.training.lane_data import DatasetTensors
from tuner.training.lanes import Lane
from tuner.training.recipe import Recipe
from tuner.training.settings import TrainingSettings

BATCH, LANES, ROWS, OUTPUTS = 32, 5, 1024, 10


def main() -> None:
    """Print GFLOP/s of an epoch of training (gathering and Adam included), and of the products that it is made of."""
    torch.set_num_threads(1)
    rows = []
    for name, hidden in (("mlp", 64), ("mlp", 512), ("gru", 64), ("gru", 512)):
        module, layout = (model("mlp", Path()), "flat") if name == "mlp" else (model("rnn", Path()), "rows")
        given = {"hidden_size": hidden} | ({} if name == "mlp" else {"cell": "gru"})
        settings, data = module.Settings(**given), digits.load(digits.Settings(layout=layout), Path())
        training = TrainingSettings(batch_size=BATCH)
        recipe = Recipe(lambda s, k, m=module, g=settings: m.build(g, s, k), training, METRICS["accuracy"])
        order = torch.arange(len(data)).numpy()
        lanes = [Lane(order[:ROWS], (order[ROWS:],), seed) for seed in range(LANES)]
        (stack,) = build_stacks(recipe, lanes, DatasetTensors(data, torch.device("cpu")))

        # (rows, in, out) of each product of a lane's forward pass, and how often; the first needs no input gradient
        if name == "mlp":
            products = [(BATCH, 64, hidden, 1, 2), (BATCH, hidden, OUTPUTS, 1, 3)]
        else:
            products = [
                (8 * BATCH, 8, 3 * hidden, 1, 2),
                (BATCH, hidden, 3 * hidden, 8, 3),
                (BATCH, hidden, OUTPUTS, 1, 3),
            ]
        steps = ROWS // BATCH
        flops = steps * sum(2 * LANES * n * d * h * times * passes for n, d, h, times, passes in products)
        bare = 0.0
        for n, d, h, times, passes in products:
            a, b = torch.randn(LANES, n, d), torch.randn(LANES, d, h)
            bare += steps * times * passes * milliseconds(lambda a=a, b=b: torch.bmm(a, b), 200)
        reached, possible = flops / milliseconds(stack.train_epoch) / 1e6, flops / bare / 1e6
        rows.append((name, hidden, reached, possible, f"{reached / possible:.0%}"))
    columns = ("model", "hidden", "training, GFLOP/s", "bare products of its shapes, GFLOP/s", "share")
    table(f"Roofline, one core, K = {LANES}, batch {BATCH}", columns, rows)
