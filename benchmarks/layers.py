"""Lanes: time per lane and training step for K = 1, 3, 5, 15, beside torch's own layers one after another."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import product

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


class Other(Recurrent):
    """The form that our layer did not take: RNN and GRU lane by lane through torch's own, LSTM stacked."""

    def _lanes(self, x: Tensor, layer: Callable[..., tuple[Tensor, Tensor]]) -> Tensor:
        start = x.new_zeros(1, x.shape[1], self.hidden_size)
        weights = zip(*(w.unbind() for w in (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)), strict=True)
        return torch.stack([layer(lane, start, list(w), True, 1, 0.0, True, False, True)[0]
                            for lane, w in zip(x.unbind(), weights, strict=True)])  # fmt: skip

    def _rnn(self, x: Tensor) -> Tensor:
        return self._lanes(x, torch.rnn_tanh)

    def _gru(self, x: Tensor) -> Tensor:
        return self._lanes(x, torch.gru)

    def _lstm(self, x: Tensor) -> Tensor:
        weight, bias = self.weight_hh.mT, self.bias_hh[:, None]
        h = c = x.new_zeros(len(x), x.shape[1], self.hidden_size)
        states = []
        for step in self._projected(x):
            i, f, n, o = torch.baddbmm(step + bias, h, weight).chunk(4, dim=-1)
            c = torch.addcmul(torch.sigmoid(f) * c, torch.sigmoid(i), torch.tanh(n))
            h = torch.sigmoid(o) * torch.tanh(c)
            states.append(h)
        return torch.stack(states, dim=2)


def forms() -> None:
    """Print milliseconds of a forward and backward pass in the form that each layer takes, and in the other."""
    rows = []
    for cell, batch, hidden, lanes in product(("rnn", "gru", "lstm"), (16, 64), (8, 64, 256), (2, 5, 10)):
        x = torch.randn(lanes, batch, 20, 16)

        def passes(net: nn.Module, x: Tensor = x) -> float:
            return milliseconds(lambda: torch.autograd.grad(net(x).square().mean(), list(net.parameters())), 9)

        ours, other = (passes(form(cell, 16, hidden, Lanes(tuple(range(lanes))))) for form in (Recurrent, Other))
        rows.append((cell, batch, hidden, lanes, ours, other, other / ours))
    columns = ("layer", "B", "H", "K", "ours, ms", "the other form, ms", "ratio")
    table(
        "Forward and backward, stacked (rnn, gru) against lane by lane (lstm), and the other way round", columns, rows
    )


def milliseconds(step: Callable[[], object], repeats: int = 15) -> float:
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
    forms()
