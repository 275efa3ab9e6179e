"""The user's own loss: one for each lane, called with its rows."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tuner.errors import UsageError
from tuner.metrics.parts.sums import IGNORED
from tuner.models.layers.copies import RandomState
from tuner.models.layers.lanes import Lanes
from tuner.training.own import OwnPart, is_module, with_twins

TORCH_IGNORED = -100  # `ignore_index` of torch's losses
TRUTHS = ("y_true", "y", "true", "truth", "target", "targets", "label", "labels")
OUTPUTS = ("y_pred", "y_hat", "pred", "preds", "prediction", "predictions", "output", "outputs", "logits", "input")


@dataclass(frozen=True)
class OwnLoss:
    """The user's loss; `build` makes one for each lane. If rows are `weighted`, it must return a loss for each row."""

    part: OwnPart
    values: Mapping[str, Any]
    weighted: bool

    def build(self, lanes: Lanes) -> LaneLosses:
        """One for each lane. Raises `UsageError`."""
        name = self.part.code.name
        self._check_order()
        random = [RandomState(generator) for generator in lanes.generators("loss")]
        if not is_module(self.part.target):
            settings = self.part.checked(self.values)
            return LaneLosses(name, [partial(self.part.target, **settings)] * len(lanes), random, self.weighted)
        modules: list[nn.Module] = []
        for state in random:
            with state.active(advance=False):
                modules.append(self.part.made(self.values).to(lanes.device))
        if any(each.requires_grad for each in modules[0].parameters()):
            raise UsageError(f"{name} has weights, which would not be trained", "make them buffers, or settings")
        return LaneLosses(name, modules, random, self.weighted)

    def _check_order(self) -> None:
        """Raise `UsageError` if the names of the arguments say that the targets come first, as in other libraries."""
        target: Any = self.part.target
        called = target.forward if is_module(target) else target
        names = [name for name in inspect.signature(called).parameters if name != "self"][:2]
        if names and names[0] in TRUTHS and names[1:] and names[1] in OUTPUTS:
            text = f"{self.part.code.name} takes {names[0]} before {names[1]}, and a loss gets the outputs first"
            raise UsageError(text, f"def {getattr(called, '__name__', 'loss')}({names[1]}, {names[0]}, …)")


class LaneLosses:
    """The user's loss, called with the rows of one lane at a time: outputs (N, C), or (N, C, *positions) as in torch,
    and targets (N, *positions), -100 where there is no label; or both (N, M).

    It returns a loss for each row (N,), position or output, or their mean. Each lane has a copy of a module, and a
    random state of its own, which starts anew for each evaluation."""

    def __init__(
        self, name: str, losses: Sequence[Callable[..., Any]], random: Sequence[RandomState], weighted: bool
    ) -> None:
        self._name, self._losses, self._random, self._weighted = name, list(losses), list(random), weighted
        self._counts: Tensor | None = None
        self._training = False

    def read(self, counts: Tensor, *, training: bool) -> None:
        """Before a call: which rows are not padding (K, B), and whether the lanes are trained on them."""
        self._counts, self._training = counts, training
        for module in (each for each in self._losses if isinstance(each, nn.Module)):
            module.train(training)

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The losses (K, B), or (K, B, *positions), of outputs (K, B, *positions, C); 0 for padding."""
        lanes, rows = outputs.shape[:2]
        counts = [rows] * lanes if self._counts is None else self._counts.sum(dim=1).tolist()
        found = [
            self._of_lane(lane, outputs[lane, :count], targets[lane, :count]) if count else None
            for lane, count in enumerate(counts)
        ]
        some = next((each for each in found if each is not None), outputs.new_zeros(0))
        padded = [some.new_zeros(rows, *some.shape[1:]) if each is None else _padded(each, rows) for each in found]
        return torch.stack(padded)

    def select(self, lanes: Sequence[int]) -> None:
        """Keep only these lanes; a lane that occurs twice gets a second copy."""
        self._losses = with_twins(self._losses, lanes)
        self._random = [copy.copy(self._random[lane]) for lane in lanes]

    def _of_lane(self, lane: int, outputs: Tensor, targets: Tensor) -> Tensor:
        outputs, targets = outputs.clone(), targets.clone()  # which it may change in place
        if targets.ndim > 1 and not targets.is_floating_point():
            outputs, targets = outputs.movedim(-1, 1), targets.masked_fill(targets == IGNORED, TORCH_IGNORED)
        with self._random[lane].active(advance=self._training):
            found = self._losses[lane](outputs, targets)
        if not isinstance(found, Tensor) or not found.is_floating_point():
            kind = f"a tensor of {found.dtype}" if isinstance(found, Tensor) else type(found).__name__
            raise UsageError(f"{self._name} must return a tensor of losses; it returned {kind}", "return one per row")
        if outputs.requires_grad and found.grad_fn is None:  # such as 0 for a batch without any pair
            found = found + 0 * outputs.sum()
        if found.ndim == 0:
            if self._weighted:
                text = f"{self._name} returns one loss for the whole batch, so rows cannot be weighted"
                raise UsageError(text, "return one loss per row, as with reduction='none'")
            return found.expand(len(targets))
        if targets.is_floating_point() and found.shape == targets.shape:
            return found.flatten(1).mean(dim=1)
        if found.shape != targets.shape[:1] and found.shape != targets.shape:
            text = f"{self._name} returned losses of shape {tuple(found.shape)} for {len(targets)} rows"
            raise UsageError(text, f"return one loss per row, of shape ({len(targets)},), or their mean")
        return found


def _padded(losses: Tensor, rows: int) -> Tensor:
    """Losses (N, …) of a lane with zeros for padding: (B, …)."""
    return F.pad(losses, (0, 0) * (losses.ndim - 1) + (0, rows - len(losses)))
