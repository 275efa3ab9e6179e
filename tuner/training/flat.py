"""All weights of a stack as one tensor (K, P), of which the model's parameters are views."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from tuner.training.lanes import WHOLE


class FlatWeights:
    """One row of weights per lane, and one of gradients beside it.

    An optimizer then updates one tensor instead of many, and lanes are removed by selecting rows. Rows are padded to
    whole vectors, because fused optimizers round the remainder of a tensor differently: so results do not depend on a
    lane's position in the stack.
    """

    def __init__(self, model: nn.Module) -> None:
        self._parameters = list(model.parameters())
        self._shapes = [p.shape[1:] for p in self._parameters]
        sizes = [math.ceil(shape.numel() / WHOLE) * WHOLE for shape in self._shapes]
        self.index = {id(parameter): index for index, parameter in enumerate(self._parameters)}  # of each, in `views`
        self._starts = [sum(sizes[:i]) for i in range(len(sizes))]
        first = self._parameters[0]
        self.weights = first.data.new_zeros(len(first), sum(sizes))
        for parameter, view in zip(self._parameters, self.views(self.weights), strict=True):
            view.copy_(parameter.data)
        self._attach()

    def differentiate(self, losses: Tensor, weights: Tensor, *, first: bool = True) -> None:
        """Compute the gradients of Σ weights · losses, both (K, B), and store them in `gradients`; add to those already
        there unless `first`."""
        gradients = torch.autograd.grad(losses, self._parameters, weights, allow_unused=True)
        for gradient, view in zip(gradients, self._gradient_views, strict=True):
            if gradient is None:  # nothing used it in this batch
                if first:
                    view.zero_()
            elif first:
                view.copy_(gradient)
            else:
                view.add_(gradient)

    @property
    def last_gradients(self) -> list[Tensor]:
        """The gradient of each parameter (K, …) summed since the last call of `differentiate` with `first`."""
        return self._gradient_views

    def per_lane(self) -> int:
        """Weights and biases of one lane."""
        return sum(shape.numel() for shape in self._shapes)

    def replace(self, weights: Tensor) -> None:
        """Replace the weights (K, P) by others, possibly of fewer lanes, and reset the gradients to 0."""
        self.weights = weights
        self._attach()

    def _attach(self) -> None:
        self.gradients = torch.zeros_like(self.weights)
        self._gradient_views = self.views(self.gradients)
        for parameter, view in zip(self._parameters, self.views(self.weights), strict=True):
            parameter.data = view

    def row(self, values: Mapping[int, float]) -> Tensor:
        """A row (1, P) with one value for all weights of a parameter, by its `id`; 1 for the others."""
        row = torch.ones_like(self.weights[:1])
        for parameter, view in zip(self._parameters, self.views(row), strict=True):
            view.fill_(values.get(id(parameter), 1.0))
        return row

    def views(self, rows: Tensor) -> list[Tensor]:
        """Rows (K, P) as the parameters of the model: (K, …) each."""
        spans = zip(self._starts, self._shapes, strict=True)
        return [rows[:, start : start + shape.numel()].view(len(rows), *shape) for start, shape in spans]
