"""The settings of sources that read delimited text."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tuner.data.settings import DatasetSettings

Separator = Literal[",", ";", "\t", "|"]
Decimal = Literal[".", ","]


class DelimitedSettings(DatasetSettings):
    """How the columns and the numbers of a CSV are written."""

    separator: Separator | None = Field(None, description="of a CSV; default ',' (tab in .tsv)")
    decimal: Decimal = Field(".", description="the decimal sign of a CSV; with ',' a point separates thousands")
