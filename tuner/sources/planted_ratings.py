"""Ratings with a planted truth: a bias of each user and item, what they share in a few tastes, and noise; generated."""

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from tuner.data.dataset import Dataset
from tuner.data.inputs import PADDING, UNKNOWN, Ids
from tuner.data.settings import DatasetSettings
from tuner.data.target import Amounts


class Settings(DatasetSettings):
    name: Literal["planted_ratings"] = "planted_ratings"
    rows: int = Field(6000, ge=10, le=10_000_000, description="how many ratings")
    users: int = Field(150, ge=2, le=1_000_000, description="how many users")
    items: int = Field(100, ge=2, le=1_000_000, description="how many items")
    tastes: int = Field(2, ge=1, le=100, description="numbers that describe a user, and an item")
    noise: float = Field(0.5, ge=0, le=100, description="standard deviation of the noise: the best RMSE there is")
    seed: int = Field(0, ge=0, le=2**32 - 1, description="seed of the generated numbers")


def load(settings: Settings, folder: Path) -> Dataset:
    """Ids (N, 2) of users and items, no pair twice where that can be; the rating, from 0 up."""
    random = np.random.default_rng(settings.seed)
    users, items, rows = settings.users, settings.items, settings.rows
    pairs = random.choice(users * items, rows, replace=rows > users * items)
    user, item = pairs // items, pairs % items
    of_user, of_item = (random.normal(0, 0.5, count) for count in (users, items))
    like, has = (random.normal(0, settings.tastes**-0.25, (count, settings.tastes)) for count in (users, items))
    ratings = 3 + of_user[user] + of_item[item] + (like[user] * has[item]).sum(axis=1)
    ratings += random.normal(0, settings.noise, rows)
    ratings -= min(0.0, ratings.min())  # an NDCG knows no negative gain
    names = tuple((PADDING, UNKNOWN, *map(str, range(1, count + 1))) for count in (users, items))
    return Dataset(
        name=settings.name,
        inputs=Ids(np.stack([user, item], axis=1) + 2, names, ("user", "item")),
        target=Amounts(ratings[:, None].astype(np.float64), ("rating",)),
    )
