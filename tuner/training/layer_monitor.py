"""Monitors gradient norms per layer and dead ReLU units during training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tuner.models.layers import Copies

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LaneStatistics:
    """Statistics of one lane: `norms` (E, layers), the gradient norm of each layer in the last batch of each epoch;
    `dead` (ReLUs,), the share of units of each ReLU that are 0 for all rows of one row set. Both in the order of the
    model's modules."""

    layers: tuple[str, ...]
    relus: tuple[str, ...]
    norms: Floats
    dead: Floats


@dataclass(frozen=True, eq=False)
class StackStatistics:
    """Layer statistics of all lanes and views.

    Attributes:
        layers, relus: module names, in the model's order.
        norms: (K, E, layers), gradient norm in the last batch of each epoch.
        dead: (V, E, ReLUs), share of units that are 0 for every row of the view.
    """

    layers: tuple[str, ...]
    relus: tuple[str, ...]
    norms: Floats
    dead: Floats

    def of(self, lane: int, view: int, epochs: int) -> LaneStatistics:
        """The statistics of one lane and one of its views after `epochs` epochs."""
        return LaneStatistics(self.layers, self.relus, self.norms[lane, :epochs], self.dead[view, epochs - 1])


class LayerMonitor:
    """Records statistics of a stack's model. A layer is a module that has parameters; its norm is over all of them."""

    def __init__(self, model: nn.Module) -> None:
        names = dict.fromkeys(name.rpartition(".")[0] for name, _ in model.named_parameters())
        self.layers = tuple(names)
        position = {name: index for index, name in enumerate(self.layers)}
        self._layer_of = torch.tensor([position[name.rpartition(".")[0]] for name, _ in model.named_parameters()])
        relus = {name: module for name, module in model.named_modules() if isinstance(module, nn.ReLU)}
        # modules of `Copies` see one lane at a time, so their activations cannot be counted by lane
        self._relus = {} if isinstance(model, Copies) else relus
        self.relus = tuple(self._relus)
        self._highest: list[Tensor | None] = [None] * len(self.relus)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Register hooks during an evaluation only: in training, a hook would cost 5 % of an mlp's step."""
        hooks = [relu.register_forward_hook(self._listener(i)) for i, relu in enumerate(self._relus.values())]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _listener(self, index: int) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def note(module: nn.Module, inputs: tuple[Tensor, ...], out: Tensor) -> None:
            units = getattr(module, "units", -1) % out.dim()
            here = out.amax(dim=[position for position in range(1, out.dim()) if position != units])  # (K, units)
            before = self._highest[index]
            self._highest[index] = here if before is None else torch.maximum(here, before)

        return note

    def norms(self, gradients: Sequence[Tensor]) -> Floats:
        """Norm of every layer's gradient (K, layers); of the parameters' gradients (K, …)."""
        by_lane = (torch.stack([lane.double().square().sum() for lane in g]) for g in gradients)  # to save memory
        squares = torch.stack([*by_lane], dim=1).cpu()
        layers = squares.new_zeros(len(squares), len(self.layers)).index_add_(1, self._layer_of, squares)
        return np.asarray(layers.sqrt().numpy())

    def dead(self, lanes: int) -> Floats:
        """Share of dead units of every ReLU (K, ReLUs) in what the K lanes evaluated since the last call."""
        found = [highest for highest in self._highest if highest is not None]
        self._highest = [None] * len(self._highest)
        shares = [(highest <= 0).double().mean(dim=1).cpu().numpy() for highest in found]
        return np.stack(shares, axis=1) if shares else np.empty((lanes, 0))
