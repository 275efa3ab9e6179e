"""All weights of a stack as one tensor (K, P), of which the model's parameters are views."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

ALIGNED = 16  # numbers; with every parameter starting so, fused optimizers never leave their vector loop


class FlatWeights:
    """One row of weights per lane, and one of gradients beside it.

    An optimizer then moves one tensor instead of many (Adam on a CPU: 0.11 ms a step against 0.14 for four), lanes
    are kept and let go by their rows, and no number depends on a lane's place in the stack: a fused optimizer rounds
    the last few numbers of a tensor otherwise than the others.
    """

    def __init__(self, model: nn.Module) -> None:
        self._parameters = list(model.parameters())
        self._shapes = [p.shape[1:] for p in self._parameters]
        sizes = [math.ceil(shape.numel() / ALIGNED) * ALIGNED for shape in self._shapes]
        self._starts = [sum(sizes[:i]) for i in range(len(sizes))]
        first = self._parameters[0]
        self.weights = nn.Parameter(first.new_zeros(len(first), sum(sizes)))
        for parameter, view in zip(self._parameters, self._views(self.weights.data), strict=True):
            view.copy_(parameter.data)
        self._attach()

    def forget_gradients(self) -> None:
        """Before a backward pass."""
        for parameter in self._parameters:
            parameter.grad = None

    def gather_gradients(self) -> None:
        """After a backward pass: put its gradients where the optimizer reads them."""
        for parameter, place in zip(self._parameters, self._gradients, strict=True):
            if parameter.grad is not None:
                place.copy_(parameter.grad)

    def per_lane(self) -> int:
        """Weights and biases of one lane."""
        return sum(shape.numel() for shape in self._shapes)

    def replace(self, weights: Tensor) -> None:
        """Put other rows in the place of these, perhaps fewer."""
        self.weights.grad = None
        self.weights.data = weights
        self._attach()

    def _attach(self) -> None:
        self.weights.grad = torch.zeros_like(self.weights)
        self._gradients = self._views(self.weights.grad)
        for parameter, view in zip(self._parameters, self._views(self.weights.data), strict=True):
            parameter.grad, parameter.data = None, view

    def _views(self, rows: Tensor) -> list[Tensor]:
        spans = zip(self._starts, self._shapes, strict=True)
        return [rows[:, start : start + shape.numel()].view(len(rows), *shape) for start, shape in spans]
