"""Values only: what a data set is made of, its preparation per lane, and its splits."""

from tuner.data.dataset import Dataset
from tuner.data.inputs import Ids, Numbers, Tokens
from tuner.data.roles import Roles
from tuner.data.target import Amounts, Classes, Labels, NaiveForecast, PerPosition, Text

__all__ = [
    "Amounts", "Classes", "Dataset", "Ids", "Labels", "NaiveForecast", "Numbers", "PerPosition", "Roles", "Text",
    "Tokens",
]  # fmt: skip
