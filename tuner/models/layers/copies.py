"""K copies of a user's plain module, run copy by copy, or all at once where torch can and that is faster."""

from __future__ import annotations

import copy
import inspect
import operator
import os
import pickle
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.func import functional_call, vmap

from tuner.models.layers.groups import ParameterGroup, read_groups
from tuner.models.layers.lanes import Lanes, MetaLanes

# Modules that treat each row independently, draw no random numbers and keep no state: torch.vmap can run them for all
# lanes at once, 1.1 to 6.4 times as fast as one by one (`python -m benchmarks layers`). Convolutions are faster on
# images of 8×8 only
# (2.2 times; of 28×28 0.9), and what vmap makes of them rounds by how many lanes there are
MODULES = (
    nn.Linear, nn.Flatten, nn.Sequential, nn.Identity, nn.LayerNorm, nn.ReLU, nn.LeakyReLU, nn.Tanh, nn.Sigmoid, nn.ELU,
    nn.SELU, nn.GELU, nn.SiLU, nn.Mish,
)  # fmt: skip
FUNCTIONS = {torch.relu, torch.tanh, torch.sigmoid, torch.add, torch.mul, F.linear, F.relu, F.tanh, F.sigmoid,
             F.leaky_relu, F.elu, F.selu, F.gelu, F.silu, F.mish, operator.add, operator.mul, operator.sub}  # fmt: skip
METHODS = {"relu", "tanh", "sigmoid", "add", "mul"}


class Copies(nn.Module):
    """(K, B, …) → (K, B, …), copy k with the weights, buffers, attributes and random stream of lane k.

    Trainable parameters are stacked in `base`, as in every lane model; frozen parameters and buffers stay with each
    copy. Padding rows at the end of a batch are cut off (`counts`, as in `BatchNorm`), because the module may normalise
    over the batch. `answer` converts a copy's output to a tensor (B, …).
    """

    def __init__(
        self, make: Callable[[], nn.Module], lanes: Lanes, answer: Callable[[Any], Tensor] = lambda out: out
    ) -> None:
        super().__init__()
        self._process = os.getpid()
        if isinstance(lanes, MetaLanes):
            models = [_without_numbers(make)]
        else:
            models = [_seeded(make, seed) for seed in lanes.generators("weights", "cpu")]
        self._end_if_forked()
        self.counts: Tensor | None = None
        self._answer = answer
        self._random_states = [RandomState(generator) for generator in lanes.for_dropout()]
        self._beside = {"lengths", "side"} & set(inspect.signature(models[0].forward).parameters)
        self.base = nn.ModuleDict()  # only to name the parameters as the module does
        groups, own = _groups_of(models[0]), dict(models[0].named_parameters())  # before their values are taken
        self._names, self._copies = _stacked(models, self), [models]  # a list in a list, that torch does not see
        stacked = {id(own[name]): each for name, each in zip(self._names, self.parameters(), strict=True)}
        self.lane_groups = tuple(
            replace(group, parameters=tuple(stacked[id(each)] for each in group.parameters)) for group in groups
        )
        self._together = _rows_apart(models[0])
        self._end_if_forked()

    def forward(self, x: Tensor, *extra_inputs: Tensor) -> Tensor:
        """Run each lane's copy on its rows.

        Args:
            x: (K, B, …), what the model reads.
            extra_inputs: lengths (K, B), which are integers, or side features (K, B, D), which are not.

        Returns:
            (K, B, *positions, outputs); 0 for rows of padding.
        """
        named = {"side" if each.is_floating_point() else "lengths": each for each in extra_inputs}
        more = {name: each for name, each in named.items() if name in self._beside}
        weights = dict(zip(self._names, self.parameters(), strict=True))
        if self._together and not more:
            model = self._copies[0][0]
            out: Tensor = vmap(lambda own, rows: self._answer(functional_call(model, own, (rows,))))(weights, x)
            self._end_if_forked()
            return out
        lanes, rows = x.shape[:2]
        counts = [rows] * lanes if self.counts is None or not self.training else self.counts.sum(dim=1).tolist()
        outs = []
        for lane, (model, count) in enumerate(zip(self._copies[0], counts, strict=True)):
            own = {name: weight[lane] for name, weight in weights.items()}
            with self._random_states[lane].active(advance=self.training) if self._random_states else nullcontext():
                given = {name: each[lane, :count].clone() for name, each in more.items()}  # it may change its inputs
                out = self._answer(functional_call(model, own, (x[lane, :count].clone(),), given))
                self._end_if_forked()
            outs.append(torch.cat([out, out.new_zeros(rows - count, *out.shape[1:])]))
        return torch.stack(outs)

    def _end_if_forked(self) -> None:
        """A module that forks leaves a copy of this process, which would go on, and fork again at every call."""
        if os.getpid() != self._process:
            os._exit(0)

    def select(self, lanes: Sequence[int]) -> None:
        """Keep only these lanes; a lane that occurs twice gets a second copy."""
        models, taken = self._copies[0], set[int]()
        kept, streams = [], []
        for lane in lanes:
            kept.append(copy.deepcopy(models[lane]) if lane in taken else models[lane])
            streams.append(copy.copy(self._random_states[lane]))
            taken.add(lane)
        self._copies[0], self._random_states = kept, streams

    def train(self, mode: bool = True) -> Copies:
        """Set the mode of every copy."""
        for model in self._copies[0]:
            model.train(mode)
        return super().train(mode)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Copies:
        for model in self._copies[0]:
            model._apply(fn)  # type: ignore[no-untyped-call]
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self


States = tuple[Tensor, Tensor | None, Any, Any]  # of torch, of its CUDA device, of Python, of NumPy


class RandomState:
    """The random states of torch, NumPy and Python for one lane's copy; a user's code may draw from each of them."""

    def __init__(self, generator: torch.Generator) -> None:
        seed = generator.initial_seed()
        self._device = generator.device
        self._begun: States = (
            torch.Generator().manual_seed(seed).get_state(),
            generator.get_state() if self._device.type == "cuda" else None,
            random.Random(seed).getstate(),
            np.random.RandomState(seed % 2**32).get_state(),
        )
        self._now = self._begun

    @contextmanager
    def active(self, *, advance: bool) -> Iterator[None]:
        """Make it the global state inside the context. With `advance` it continues from its last state (training);
        without, it starts again each time (evaluation)."""
        before = self._states()
        self._set(self._now if advance else self._begun)
        try:
            yield
        finally:
            if advance:
                self._now = self._states()
            self._set(before)

    def _states(self) -> States:
        cuda = torch.cuda.get_rng_state(self._device) if self._device.type == "cuda" else None
        return torch.get_rng_state(), cuda, random.getstate(), np.random.get_state()

    def _set(self, states: States) -> None:
        cpu, cuda, python, numpy = states
        torch.set_rng_state(cpu)
        if cuda is not None:
            torch.cuda.set_rng_state(cuda, self._device)
        random.setstate(python)
        np.random.set_state(numpy)


def _groups_of(model: nn.Module) -> tuple[ParameterGroup, ...]:
    """The groups that the module's method `parameter_groups` returns, if it has one. Raises `UsageError`."""
    method = getattr(model, "parameter_groups", None)
    if not inspect.isroutine(method):
        return ()
    trained = [each for each in model.parameters() if each.requires_grad]
    return read_groups(type(model).__name__, method(), trained)


def _drawn_states() -> bytes:
    """The global random states, which change whenever torch, Python or NumPy draws."""
    return pickle.dumps((torch.get_rng_state().numpy(), random.getstate(), np.random.get_state()))


def _seeded(make: Callable[[], nn.Module], generator: torch.Generator) -> nn.Module:
    """One module, with initial weights from this generator."""
    with RandomState(generator).active(advance=False):
        return make()


def _without_numbers(make: Callable[[], nn.Module]) -> nn.Module:
    """The module on torch's meta device, or with real weights if its constructor needs their values."""
    try:
        with torch.device("meta"):
            return make()
    except Exception:
        return make()


def _stacked(models: Sequence[nn.Module], owner: nn.Module) -> list[str]:
    """Register the stacked trainable parameters (K, …) on `owner` under their names in the module; returns these names.

    A shared parameter is registered once, as in `named_parameters`; frozen ones stay with the copies."""
    names = [name for name, parameter in models[0].named_parameters() if parameter.requires_grad]
    own = [dict(model.named_parameters()) for model in models]
    for name in names:
        *folders, leaf = name.split(".")
        here: nn.Module = owner.get_submodule("base")
        for folder in folders:
            if folder not in here._modules:
                here.add_module(folder, nn.Module())
            here = here.get_submodule(folder)
        weights = [each[name].detach()[None] for each in own]  # to stack one on no device loads torch's compiler
        here.register_parameter(leaf, nn.Parameter(torch.cat(weights) if len(weights) > 1 else weights[0]))
        for each in own:  # whose place the stacked ones take
            each[name].data = each[name].data.new_empty(0)
    return [name.removeprefix("base.") for name, _ in owner.named_parameters()]


def _rows_apart(model: nn.Module) -> bool:
    """Whether the module consists only of `MODULES`, `FUNCTIONS` and `METHODS`, as traced by torch.fx without data."""
    if any(True for _ in model.buffers()) or not all(p.requires_grad for p in model.parameters()):
        return False
    try:
        model = copy.deepcopy(model)  # a forward may count its calls, or keep what it has seen
        before = _drawn_states()
        graph, again = (fx.symbolic_trace(model) for _ in range(2))
        if _drawn_states() != before or str(graph.graph) != str(again.graph):
            return False  # it is random, counts its calls or reads a clock, so calls cannot be merged
    except BaseException:  # the user's code may raise anything; this process is not the driver
        return False
    weights = {name for name, _ in model.named_parameters()}
    known: dict[str, Callable[[fx.Node], bool]] = {
        "call_module": lambda node: type(graph.get_submodule(str(node.target))) in MODULES,
        "call_function": lambda node: node.target in FUNCTIONS,
        "call_method": lambda node: node.target in METHODS,
        "get_attr": lambda node: node.target in weights,  # and no number that tracing has drawn
        "placeholder": lambda node: True,
        "output": lambda node: True,
    }
    return all(known[node.op](node) for node in graph.graph.nodes)
