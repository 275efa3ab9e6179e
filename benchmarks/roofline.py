"""The roofline: floating-point operations per second of training, as a share of a bare matrix product of its shapes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.layers import milliseconds
from benchmarks.timing import table
from tuner.models.layers import Lanes, Shapes
from tuner.search.catalogue import model

BATCH, STEPS, LANES = 32, 8, 5


def main() -> None:
    """Print GFLOP/s of a training step and of the products that it is made of."""
    torch.set_num_threads(1)
    rows = []
    for name in ("mlp", "gru"):
        for hidden in (64, 512):
            module = model("mlp" if name == "mlp" else "rnn")
            settings = module.Settings(hidden_size=hidden) if name == "mlp" else module.Settings(
                cell="gru", hidden_size=hidden)  # fmt: skip
            inputs = (64,) if name == "mlp" else (STEPS, 8)
            net = module.build(settings, Shapes(inputs, 10), Lanes(tuple(range(LANES))))
            adam = torch.optim.Adam(net.parameters(), fused=True)
            x = torch.randn(LANES, BATCH, *inputs)

            def step(net: nn.Module = net, adam: torch.optim.Adam = adam, x: Tensor = x) -> None:
                adam.zero_grad()
                net(x).square().mean().backward()
                adam.step()

            gates = 3 * hidden * (8 + hidden) * STEPS
            weights = 64 * hidden + hidden * 10 if name == "mlp" else gates + hidden * 10
            flops = 3 * 2 * BATCH * LANES * weights  # forward, and two products backward
            a, b = torch.randn(LANES, BATCH, 64 if name == "mlp" else hidden), torch.randn(
                LANES, 64 if name == "mlp" else hidden, hidden if name == "mlp" else 3 * hidden)  # fmt: skip
            product = milliseconds(lambda a=a, b=b: torch.bmm(a, b), 200)
            peak = 2 * BATCH * LANES * b.shape[1] * b.shape[2] / product / 1e6
            reached = flops / milliseconds(step, 50) / 1e6
            rows.append((name, hidden, reached, peak, f"{reached / peak:.0%}"))
    columns = ("model", "hidden", "training, GFLOP/s", "product of its shapes, GFLOP/s", "share")
    table(f"Roofline, one core, K = {LANES}, batch {BATCH}", columns, rows)
