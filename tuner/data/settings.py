"""The base of the settings of every data source."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from tuner.data.inputs import Impute, Scale
from tuner.experiment.settings import Settings


class DatasetSettings(Settings):
    """The base of the settings of every data source.

    Attributes:
        reads: the settings that name files or folders: these are never overwritten, and what is read of them is cached.
    """

    reads: ClassVar[tuple[str, ...]] = ("path",)


class NumberSettings(DatasetSettings):
    """The settings of all sources of numbers: each lane fits scaling and imputation on its own training rows."""

    scale: Scale = Field("standard", description="standard: zero mean, unit variance")
    impute: Impute = Field(
        "none",
        description="fill missing numbers; categories take the most frequent; none: missing is an error",
    )
