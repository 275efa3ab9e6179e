"""The settings of training, the same for every model."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tuner.spec.settings import Settings
from tuner.training.optimizers import Adam, Sgd


class EarlyStopping(Settings):
    """Stop a lane that no longer improves; its best epoch counts."""

    patience: int = Field(5, ge=1, le=100_000, description="epochs without a better validation score")


class TrainingSettings(Settings):
    """How a configuration is trained."""

    epochs: int = Field(30, ge=1, le=1_000_000, description="passes over the training rows, at most")
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)] | Literal["full"] = Field(
        32, description="rows per step; 1 is single-row SGD, full is all rows"
    )
    weight_decay: float = Field(0.0, ge=0, le=1000, description="L2 penalty, added to the gradient")
    optimizer: Adam | Sgd = Field(Adam(), discriminator="name", description="how gradients move the weights")
    early_stopping: EarlyStopping | None = Field(
        None, description="null: every epoch is trained and the last one counts"
    )
