"""A recipe: how one configuration is built, trained and scored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import nn

from tuner.errors import UsageError
from tuner.metrics import Metric
from tuner.models.layers import Lanes, Shapes
from tuner.models.layers.groups import ParameterGroup
from tuner.training.flat import FlatWeights
from tuner.training.losses import BY_TASK, Loss
from tuner.training.optimizers import LaneOptimizer
from tuner.training.own import OwnSchedule
from tuner.training.own_loss import OwnLoss
from tuner.training.own_optimizer import OwnOptimizer
from tuner.training.schedules import Constant, Schedule
from tuner.training.settings import TrainingSettings

Build = Callable[[Shapes, Lanes], nn.Module]


@dataclass(frozen=True)
class OwnParts:
    """The user's own parts of a training; None where tuner's are used."""

    loss: OwnLoss | None = None
    optimizer: OwnOptimizer | None = None
    schedule: OwnSchedule | None = None


NOTHING_OWN = OwnParts()


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

    def loss(self, task: str, lanes: Lanes) -> Loss:
        """The training loss; of a task's losses the first one is the default. Raises `UsageError`."""
        if self.own.loss:
            return self.own.loss.build(lanes)
        return self.settings.loss or next(iter(BY_TASK[task].values()))

    def optimizer(self, flat: FlatWeights, groups: Sequence[ParameterGroup], lanes: Lanes) -> LaneOptimizer:
        """The optimizer of all lanes, for a model with these parameter groups. Raises `UsageError`."""
        settings = self.settings
        if not self.own.optimizer:
            return settings.optimizer.build(flat.weights, settings.weight_decay)
        built = self.own.optimizer.build(flat, groups, lanes)
        scaled = self.own.schedule is not None or not isinstance(settings.schedule, Constant) or settings.warmup > 0
        if built.learning_rate is None and (groups or scaled):
            what = "parameter groups have" if groups else "a schedule or a warm-up has"
            text = f"{self.own.optimizer.part.code.name} has no learning rate called lr, so {what} no effect"
            raise UsageError(text, "call the argument of its constructor lr, and pass it on as the default 'lr'")
        return built

    @property
    def schedule(self) -> Schedule:
        """The factors of the learning rate."""
        return self.own.schedule or self.settings.schedule
