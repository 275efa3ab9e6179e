"""K copies of somebody's plain module: one set of stacked weights, run copy by copy, or all at once where torch can."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from tuner.models.layers.lanes import Lanes, Outline, chosen

# What torch.vmap runs faster than a loop, with the same numbers: `python -m benchmarks layers`
TOGETHER = (
    nn.Linear, nn.Flatten, nn.Sequential, nn.Identity, nn.LayerNorm, nn.ModuleList, nn.ReLU, nn.LeakyReLU, nn.Tanh,
    nn.Sigmoid, nn.ELU, nn.SELU, nn.GELU, nn.SiLU, nn.Mish,
)  # fmt: skip


class Copies(nn.Module):
    """(K, B, …) → (K, B, …), copy k with the weights, buffers and random stream of lane k.

    Padding at the end of a batch is not shown to a copy (`counts`, as of `BatchNorm`): it may norm by batch.
    """

    def __init__(self, make: Callable[[], nn.Module], lanes: Lanes) -> None:
        super().__init__()
        if isinstance(lanes, Outline):
            models = [_without_numbers(make)]
        else:
            models = [_seeded(make, generator) for generator in lanes.generators("weights", "cpu")]
        self.counts: Tensor | None = None
        self._generators = lanes.for_dropout()
        self._inputs = _inputs_of(models[0])
        self._together: bool | None = None  # not known yet
        self.base = _stacked(models)

    def forward(self, *inputs: Tensor) -> Tensor:
        inputs = inputs[: self._inputs]
        if self._together is None:
            self._together = self._can_go_together(inputs)
        if self._together:
            out: Tensor = vmap(self._call)(self._own(slice(None)), *inputs)
            return out
        lanes, rows = inputs[0].shape[:2]
        counts = [rows] * lanes if self.counts is None or not self.training else self.counts.sum(dim=1).tolist()
        outs = []
        for lane, count in enumerate(counts):
            with self._stream(lane):
                out = self._call(self._own(lane), *(each[lane, :count] for each in inputs))
            outs.append(torch.cat([out, out.new_zeros(rows - count, *out.shape[1:])]))
        return torch.stack(outs)

    @torch.no_grad()
    def _can_go_together(self, inputs: tuple[Tensor, ...]) -> bool:
        """Whether vmap can run it, and no row has a say in what is made of another, so that padding does no harm."""
        if not all(type(module) in TOGETHER for module in self.base.modules() if module is not self.base):
            return False
        pair = [each[:, :2] for each in inputs]
        try:
            both = vmap(self._call, randomness="error")(self._own(slice(None)), *pair)
            alone = vmap(self._call, randomness="error")(self._own(slice(None)), *(each[:, :1] for each in pair))
        except (RuntimeError, ValueError):  # it draws numbers, or does what vmap cannot
            return False
        return torch.allclose(both[:, :1], alone, rtol=1e-4, atol=1e-5)

    def select(self, lanes: Sequence[int]) -> None:
        """Go on with these lanes only."""
        self._generators = chosen(self._generators, lanes)

    def _own(self, lane: int | slice) -> dict[str, Tensor]:
        return {name: t[lane] for name, t in (*self.base.named_parameters(), *self.base.named_buffers())}

    def _call(self, tensors: dict[str, Tensor], *inputs: Tensor) -> Tensor:
        out: Tensor = functional_call(self.base, tensors, inputs)
        return out

    @contextmanager
    def _stream(self, lane: int) -> Iterator[None]:
        """While a copy trains, what it draws comes from its lane's own stream."""
        if not self.training or not self._generators:
            yield
            return
        generator = self._generators[lane]
        cuda = generator.device.type == "cuda"
        read, write = (torch.cuda.get_rng_state, torch.cuda.set_rng_state) if cuda else (_read, torch.set_rng_state)
        before = read(generator.device)
        write(generator.get_state())
        try:
            yield
        finally:
            generator.set_state(read(generator.device))
            write(before)


def _read(device: torch.device) -> Tensor:
    return torch.get_rng_state()


def _without_numbers(make: Callable[[], nn.Module]) -> nn.Module:
    """The module on no device, or, where its constructor needs numbers, with some."""
    try:
        with torch.device("meta"):
            return make()
    except Exception:
        return make()


def _seeded(make: Callable[[], nn.Module], generator: torch.Generator) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.set_rng_state(generator.get_state())
        return make()


def _stacked(models: Sequence[nn.Module]) -> nn.Module:
    """The first model, its parameters and buffers those of all (K, …); what one shares with itself stays shared."""
    base, made = models[0], dict[int, Tensor]()
    for owner, places in zip(base.modules(), zip(*(m.modules() for m in models), strict=True), strict=True):
        for kind in ("_parameters", "_buffers"):
            for name, tensor in getattr(owner, kind).items():
                if tensor is None:
                    continue
                if id(tensor) not in made:
                    together = torch.stack([getattr(place, kind)[name].detach() for place in places])
                    made[id(tensor)] = nn.Parameter(together) if kind == "_parameters" else together
                getattr(owner, kind)[name] = made[id(tensor)]
    return base


def _inputs_of(model: nn.Module) -> int:
    """How many inputs its `forward` reads: lengths, or side features, only if it has a place for them."""
    kinds = [p.kind for p in inspect.signature(model.forward).parameters.values()]
    if inspect.Parameter.VAR_POSITIONAL in kinds:
        return 99
    return sum(kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD) for kind in kinds)
