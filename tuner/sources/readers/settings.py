"""The settings of sources that read text files."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from tuner.data.settings import DatasetSettings
from tuner.sources.readers.encoding import known

Separator = Literal[",", ";", "\t", "|"]
Decimal = Literal[".", ","]
Thousands = Literal[",", ".", " ", "'"]


class EncodedSettings(DatasetSettings):
    """How the characters of a text file are stored."""

    encoding: Annotated[str, AfterValidator(known)] | None = Field(
        None, description="of a text file, such as cp1252; default utf-8, or what its byte order mark says"
    )


class DelimitedSettings(EncodedSettings):
    """How the columns and the numbers of a CSV are written."""

    separator: Separator | None = Field(None, description="of a CSV; default ',' (tab in .tsv)")
    decimal: Decimal = Field(".", description="the decimal sign of a CSV; with ',' a point separates thousands")
    thousands: Thousands | None = Field(
        None, description="the sign between thousands of a CSV; default: what can have no other meaning"
    )
    day_first: bool | None = Field(
        None,
        description="of a CSV, for dates of which day and month cannot be told apart: true if 10/03/2004 is in March, "
        "false if in October",
    )


PLAIN = DelimitedSettings()  # an ordinary CSV
