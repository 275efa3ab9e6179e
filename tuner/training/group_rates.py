"""The learning rates of parameter groups, relative to that of the optimizer."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from tuner.models.layers.groups import ParameterGroup
from tuner.training.flat import FlatWeights


class GroupRates:
    """The factor of each weight's learning rate: 0 while its group is frozen, as in a group of torch of rate 0."""

    def __init__(self, groups: Sequence[ParameterGroup], flat: FlatWeights, learning_rate: float | None) -> None:
        self._groups, self._learning_rate = groups, learning_rate or 1.0
        self._flat, self._epoch, self._row = flat, -1, flat.weights.new_zeros(0)

    def applied(self, factor: float | Tensor, epoch: int) -> float | Tensor:
        """A factor of the learning rate, of all lanes or of each (K, 1), times those of the weights (1, P)."""
        if not self._groups:
            return factor
        if epoch != self._epoch:
            by_parameter = {id(each): self._factor(group, epoch) for group in self._groups for each in group.parameters}
            self._epoch, self._row = epoch, self._flat.row(by_parameter)
        return self._row * factor

    def _factor(self, group: ParameterGroup, epoch: int) -> float:
        if epoch < group.frozen_epochs:
            return 0.0
        return 1.0 if group.learning_rate is None else group.learning_rate / self._learning_rate
