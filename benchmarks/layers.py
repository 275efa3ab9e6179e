"""Lanes: time per lane and training step for K = 1, 3, 5, 15, beside torch's own layers one after another."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks.timing import median, table
from tuner.models.layers import Lanes, Linear, Recurrent

BATCH, STEPS, WIDTH = 32, 30, 64


class Last(nn.Module):
    """torch's recurrent layer, outputs only."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)[0]


def plain(family: str) -> nn.Module:
    """torch's own layer."""
    if family == "linear":
        return nn.Linear(WIDTH, WIDTH)
    return Last(getattr(nn, family.upper())(WIDTH, WIDTH, batch_first=True))


def stacked(family: str, lanes: int) -> nn.Module:
    """Ours."""
    random = Lanes(tuple(range(lanes)))
    return Linear(WIDTH, WIDTH, random) if family == "linear" else Recurrent(family, WIDTH, WIDTH, random)


def milliseconds(step: Callable[[], None], repeats: int = 15) -> float:
    """Median time of a call."""
    step()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        step()
        times.append((time.perf_counter() - start) * 1e3)
    return median(times)


def main() -> None:
    """Print milliseconds per lane, forward, backward and Adam."""
    torch.set_num_threads(1)
    rows = []
    for family in ("linear", "rnn", "gru", "lstm"):
        shape = (BATCH, WIDTH) if family == "linear" else (BATCH, STEPS, WIDTH)
        for lanes in (1, 3, 5, 15):
            x = torch.randn(lanes, *shape)
            ours = stacked(family, lanes)
            ours_adam = torch.optim.Adam(ours.parameters(), fused=True)
            nets = [plain(family) for _ in range(lanes)]
            adams = [torch.optim.Adam(net.parameters(), fused=True) for net in nets]

            def together(x: Tensor = x, net: nn.Module = ours, adam: torch.optim.Adam = ours_adam) -> None:
                adam.zero_grad()
                net(x).square().mean().backward()
                adam.step()

            def one_by_one(x: Tensor = x, nets: list = nets, adams: list = adams) -> None:
                for lane, net, adam in zip(x, nets, adams, strict=True):
                    adam.zero_grad()
                    net(lane).square().mean().backward()
                    adam.step()

            mine, theirs = milliseconds(together) / lanes, milliseconds(one_by_one) / lanes
            rows.append((family, lanes, mine, theirs, theirs / mine))
    columns = ("layer", "K", "stacked, ms per lane", "one after another", "ratio")
    table(f"A training step (width {WIDTH}, batch {BATCH}, {STEPS} time steps)", columns, rows)
