"""A recipe: how one configuration is built, trained and scored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from tuner.metrics import Metric
from tuner.models.layers import Lanes, Shapes
from tuner.training.flat import FlatWeights
from tuner.training.losses import BY_TASK, Loss
from tuner.training.optimizers import LaneOptimizer
from tuner.training.own import NOTHING_OWN, OwnParts
from tuner.training.schedules import Schedule
from tuner.training.settings import TrainingSettings

Build = Callable[[Shapes, Lanes], nn.Module]


@dataclass(frozen=True)
class Recipe:
    """How one configuration is trained and scored; the same for all stacks of a trial.

    Attributes:
        build: makes the model from the shapes of the data and the lanes.
        settings: training settings.
        metric: the metric of the validation curves.
        tune_threshold: score each row set at its own best decision threshold, so that early stopping and pruning follow
            the score that a tuned threshold would give.
        own: the user's own loss, optimizer and schedule, which take the place of those of the settings.
    """

    build: Build
    settings: TrainingSettings
    metric: Metric
    tune_threshold: bool = False
    own: OwnParts = NOTHING_OWN

    def loss(self, task: str) -> Loss:
        """The training loss; of a task's losses the first one is the default."""
        return self.own.loss or self.settings.loss or next(iter(BY_TASK[task].values()))

    def optimizer(self, flat: FlatWeights) -> LaneOptimizer:
        """The optimizer of all lanes."""
        if self.own.optimizer:
            return self.own.optimizer.build(flat)
        return self.settings.optimizer.build(flat.weights, self.settings.weight_decay)

    @property
    def learning_rate(self) -> float | None:
        """The learning rate of the optimizer; None if the user's own has none."""
        return self.own.optimizer.learning_rate if self.own.optimizer else self.settings.optimizer.learning_rate

    @property
    def schedule(self) -> Schedule:
        """The factors of the learning rate."""
        return self.own.schedule or self.settings.schedule
