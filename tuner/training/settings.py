"""The settings of training, the same for every model."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tuner.experiment.settings import Settings, used_when
from tuner.training.losses import WEIGHTED, AnyLoss
from tuner.training.optimizers import Adam, AnyOptimizer
from tuner.training.schedules import AnySchedule, Constant

IMAGES = used_when(layout=("image",))


class EarlyStopping(Settings):
    """Stop a lane that no longer improves; its best epoch counts."""

    patience: int = Field(5, ge=1, le=100_000, description="epochs without a better validation score")


class TrainingSettings(Settings):
    """How a configuration is trained."""

    epochs: int = Field(30, ge=1, le=1_000_000, description="passes over the training rows, at most")
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)] | Literal["full"] = Field(
        32, description="rows per step; 1 is single-row SGD, full is all rows"
    )
    weight_decay: float = Field(
        0.0, ge=0, le=1000, description="L2 penalty, added to the gradient; adamw decays the weights directly"
    )
    l1: float = Field(0.0, ge=0, le=1000, description="L1 penalty, added to the gradient")
    loss: AnyLoss | None = Field(
        None, discriminator="name", description="null: cross_entropy for classes, mse for numbers"
    )
    class_weight: Literal["none", "balanced"] = Field(
        "none",
        description="balanced: weight classes inversely to their frequency in each lane's training rows",
        json_schema_extra=used_when(task=("classification", "tagging", "segmentation"), loss=WEIGHTED),
    )
    optimizer: AnyOptimizer = Field(Adam(), discriminator="name", description="how gradients move the weights")
    schedule: AnySchedule = Field(Constant(), discriminator="name", description="learning-rate schedule")
    warmup: int = Field(0, ge=0, le=100_000, description="epochs of linear warm-up before the schedule starts")
    clip_grad_norm: float | None = Field(None, gt=0, le=1e6, description="largest norm of a lane's gradient")
    clip_grad_value: float | None = Field(None, gt=0, le=1e6, description="largest number in a gradient")
    accumulate: int = Field(1, ge=1, le=10_000, description="batches per optimizer step (gradient accumulation)")
    input_noise: float = Field(
        0.0,
        ge=0,
        le=100,
        description="standard deviation of noise on prepared inputs, while training",
        json_schema_extra=used_when(layout=("flat", "sequence", "image")),
    )
    flip: Literal["none", "horizontal", "vertical", "both"] = Field(
        "none", description="flip each training image with probability ½ along the axis", json_schema_extra=IMAGES
    )
    shift: int = Field(
        0, ge=0, le=10_000, description="pixels by which training images move, at most", json_schema_extra=IMAGES
    )
    vocabulary_size: int | None = Field(
        None,
        ge=3,
        le=10_000_000,
        description="size of the vocabulary: the most frequent words of a lane, <padding> and <unknown>; null: all",
        json_schema_extra=used_when(
            layout=("tokens",), task=("classification", "multilabel", "regression", "tagging", "translation")
        ),
    )
    max_length: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="texts are truncated to this many tokens; null: not truncated",
        json_schema_extra=used_when(
            layout=("tokens",), task=("classification", "multilabel", "regression", "translation")
        ),
    )
    early_stopping: EarlyStopping | None = Field(
        None, description="null: every epoch is trained and the last one counts"
    )
