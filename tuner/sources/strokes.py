"""Strokes of handwritten digits on a noisy ground, to be told from it pixel by pixel; from scikit-learn's digits."""

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from tuner.data.dataset import Dataset, as_float32
from tuner.data.inputs import Numbers
from tuner.data.settings import NumberSettings
from tuner.data.target import PerPosition

INK = 8  # of 16: what is darker is stroke


class Settings(NumberSettings):
    name: Literal["strokes"] = "strokes"
    rows: int = Field(300, ge=10, le=1797, description="how many images")
    size: int = Field(20, ge=16, le=256, description="pixels in height and width")
    noise: float = Field(0.4, ge=0, le=10, description="standard deviation of the noise; strokes are 1 above ground")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="seed of places, ground and noise")


def load(settings: Settings, folder: Path) -> Dataset:
    """Images (N, 1, H, W): a digit of 16 × 16 pixels somewhere, on a ground that slopes, under noise.

    On most images no threshold finds the strokes: the ground is darker on one side than strokes are on the other.
    """
    import sklearn.datasets  # takes a second: not for the settings alone

    random = np.random.default_rng(settings.seed)
    rows, size = settings.rows, settings.size
    digits = sklearn.datasets.load_digits().images[random.permutation(1797)[:rows]]
    targets = np.zeros((rows, size, size), dtype=np.int64)
    strokes = (digits >= INK).repeat(2, axis=1).repeat(2, axis=2)
    for image, stroke, (top, left) in zip(targets, strokes, random.integers(0, size - 15, (rows, 2)), strict=True):
        image[top : top + 16, left : left + 16] = stroke
    slope = random.normal(0, 1, (rows, 2))
    axis = np.linspace(-1, 1, size)
    ground = slope[:, 0, None, None] * axis[:, None] + slope[:, 1, None, None] * axis
    features = targets + ground + random.normal(0, settings.noise, targets.shape)
    return Dataset(
        name=settings.name,
        inputs=Numbers(as_float32(features)[:, None], ("grey",), scale=settings.scale, impute=settings.impute),
        target=PerPosition(targets, ("ground", "stroke"), ("pixel",), "segmentation"),
    )
