"""Lanes: time per lane and training step for K = 1, 3, 5, 15, beside torch's own layers one after another."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import product

import torch
from torch import Tensor, nn

from benchmarks.timing import median, table
from tuner.models.layers import BatchNorm, Conv, Copies, Lanes, Linear, Recurrent, SelfAttention
from tuner.models.layers.recurrent import State

BATCH, STEPS, WIDTH = 32, 30, 64


class First(nn.Module):
    """torch's recurrent layer or attention, its first output only."""

    def __init__(self, layer: nn.Module, inputs: int = 1) -> None:
        super().__init__()
        self.layer, self.inputs = layer, inputs

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(*[x] * self.inputs)[0]


LAYERS: dict[str, tuple[tuple[int, ...], Callable[[], nn.Module], Callable[[Lanes], nn.Module]]] = {
    "linear": ((WIDTH,), lambda: nn.Linear(WIDTH, WIDTH), lambda lanes: Linear(WIDTH, WIDTH, lanes)),
    "conv": ((16, 8, 8), lambda: nn.Conv2d(16, 32, 3, padding=1), lambda lanes: Conv(16, 32, 3, lanes)),
    "depthwise": (
        (16, 8, 8),
        lambda: nn.Conv2d(16, 16, 3, padding=1, groups=16),
        lambda lanes: Conv(16, 16, 3, lanes, groups=16),
    ),
    "batch norm": ((WIDTH,), lambda: nn.BatchNorm1d(WIDTH), lambda lanes: BatchNorm(WIDTH, lanes)),
    "attention": (
        (STEPS, WIDTH),
        lambda: First(nn.MultiheadAttention(WIDTH, 4, batch_first=True), inputs=3),
        lambda lanes: SelfAttention(WIDTH, 4, lanes),
    ),
    **{
        cell: (
            (STEPS, WIDTH),
            lambda cell=cell: First(getattr(nn, cell.upper())(WIDTH, WIDTH, batch_first=True)),
            lambda lanes, cell=cell: Recurrent(cell, WIDTH, WIDTH, lanes),
        )
        for cell in ("rnn", "gru", "lstm")
    },
}


class Other(Recurrent):
    """The form that our layer did not take: RNN and GRU lane by lane through torch's own, LSTM stacked."""

    def _run(self, x: Tensor, state: State | None) -> tuple[Tensor, State]:
        if self.cell == "lstm":
            state, states = self.start(x.shape[1]), []
            for projected in self._projected(x):
                state = self._step(projected, state)
                states.append(state[0])
            return torch.stack(states, dim=2), state
        layer = {"rnn": torch.rnn_tanh, "gru": torch.gru}[self.cell]
        start = x.new_zeros(1, x.shape[1], self.hidden_size)
        weights = zip(*(w.unbind() for w in (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)), strict=True)
        outputs = [layer(lane, start, list(w), True, 1, 0.0, True, False, True)[0]
                   for lane, w in zip(x.unbind(), weights, strict=True)]  # fmt: skip
        return torch.stack(outputs), ()


def copies() -> None:
    """Print milliseconds of a forward and backward pass of the user's own module: copies by vmap, and one by one."""

    def perceptron() -> nn.Module:
        return nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.LayerNorm(WIDTH), nn.ReLU(), nn.Linear(WIDTH, 10))

    def convolutions() -> nn.Module:
        return nn.Sequential(nn.Conv2d(1, 16, 3), nn.ReLU(), nn.Conv2d(16, 32, 3), nn.Flatten(), nn.Linear(512, 10))

    rows = []
    for name, make, shape in (("linear", perceptron, (WIDTH,)), ("convolutions", convolutions, (1, 8, 8))):
        for lanes in (2, 5, 10):
            x, times = torch.randn(lanes, BATCH, *shape), []
            for together in (True, False):
                net = Copies(make, Lanes(tuple(range(lanes))))
                net._together = together
                weights = list(net.parameters())
                times.append(milliseconds(lambda net=net, x=x, w=weights: torch.autograd.grad(net(x).sum(), w)))
            rows.append((name, lanes, *times, times[1] / times[0]))
    table("Copies of a plain module", ("module", "K", "vmap, ms", "one by one, ms", "ratio"), rows)


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
    for family, (shape, plain, stacked) in LAYERS.items():
        for lanes in (1, 3, 5, 15):
            x = torch.randn(lanes, BATCH, *shape)
            ours = stacked(Lanes(tuple(range(lanes))))
            ours_adam = torch.optim.Adam(ours.parameters(), fused=True)
            nets = [plain() for _ in range(lanes)]
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
    copies()
