"""A linear model that misbehaves in its forward pass."""

import ctypes
import sys
from typing import Literal

from pydantic import Field
from torch import nn

from tuner.experiment.settings import Settings as BaseSettings
from tuner.models.layers import Linear

LAYOUTS = ("flat",)
TASKS = ("classification",)


class Settings(BaseSettings):
    name: Literal["rude"] = "rude"
    manner: Literal["polite", "prints", "raises", "exits", "segfaults", "no memory", "nan"] = Field(
        "polite", description="how it misbehaves"
    )


class Rude(nn.Module):
    def __init__(self, manner):
        super().__init__()
        self.manner = manner

    def forward(self, x):
        if self.manner == "prints":
            print("x" * 100_000_000, flush=True)
        elif self.manner == "raises":
            raise ValueError("a mistake in the model")
        elif self.manner == "exits":
            sys.exit("enough")
        elif self.manner == "segfaults":
            ctypes.string_at(0)
        elif self.manner == "no memory":
            raise MemoryError
        return x * float("nan") if self.manner == "nan" else x


def build(settings, shapes, lanes):
    return nn.Sequential(Rude(settings.manner), Linear(shapes.inputs[0], shapes.outputs, lanes))
