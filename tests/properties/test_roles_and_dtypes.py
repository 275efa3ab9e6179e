"""Every role that a column can have, with every type that a column can be of: data, or an error in a sentence."""

import datetime
from decimal import Decimal
from fractions import Fraction
from itertools import product

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from helpers import but_slow

from tuner.data.check import check
from tuner.data.describe import describe
from tuner.errors import DataError
from tuner.sources import forecast, images, pairs, ratings, sequences, table, texts
from tuner.sources.custom.loader import LoaderSettings
from tuner.sources.custom.returned import as_dataset

N = 24
COUNT = range(N)
TYPES = {
    "int": list(COUNT),
    "few ints": [n % 2 for n in COUNT],
    "uint64": np.arange(N, dtype=np.uint64) + 2**63,
    "float": [n / 8 for n in COUNT],
    "float16": np.arange(N, dtype=np.float16),
    "infinite": [np.inf if n == 3 else float(n) for n in COUNT],
    "bool": [n % 2 == 0 for n in COUNT],
    "text": [f"word {'abc'[n % 3]}" for n in COUNT],
    "other text": [f"text number {n}" for n in COUNT],
    "blank": [" " if n % 2 else "a" for n in COUNT],
    "texts of numbers": [str(n) for n in COUNT],
    "dates as text": [f"2024-01-{n + 1:02d}" for n in COUNT],
    "odd text": ["naïve", "\u0000"[:0] + "NaN", "01", "1", "1E5", "=1+1"] * (N // 6),
    "bytes": [b"a", b"b"] * (N // 2),
    "date": [datetime.date(2024, 1, n + 1) for n in COUNT],
    "time": [datetime.time(n % 24, 5) for n in COUNT],
    "datetime": pd.date_range("2024-01-01", periods=N, freq="D"),
    "datetime with a zone": pd.date_range("2024-01-01", periods=N, freq="D", tz="Asia/Tokyo"),
    "timedelta": pd.to_timedelta(np.arange(N), unit="h"),
    "timedelta objects": [datetime.timedelta(hours=n) for n in COUNT],
    "Decimal": [Decimal(n) / 4 for n in COUNT],
    "Fraction": [Fraction(n, 4) for n in COUNT],
    "mixed": [1, "a", 2.5, True] * (N // 4),
    "category": pd.Categorical(["u", "v", "w"] * (N // 3), categories=["u", "v", "w", "never"]),
    "category of numbers": pd.Categorical([1, 2] * (N // 2)),
    "Int64": pd.array(list(COUNT), dtype="Int64"),
    "boolean": pd.array([True, False] * (N // 2), dtype="boolean"),
    "string": pd.array(["u", "v"] * (N // 2), dtype="string"),
    "int64[pyarrow]": pd.array(list(COUNT), dtype="int64[pyarrow]"),
    "string[pyarrow]": pd.array(["u", "v"] * (N // 2), dtype="string[pyarrow]"),
    "period": pd.period_range("2024-01", periods=N, freq="M"),
    "interval": pd.cut(np.arange(N, dtype=float), 3),
    "complex": np.arange(N) * 1j,
    "lists": [[n] for n in COUNT],
    "dicts": [{"n": n} for n in COUNT],
}
MISSING = {"known": (), "one missing": (4,), "the first missing": (0,), "all missing": COUNT}
ROLES = {
    "table": ("a", "y", "groups", "time", "split", "weights"),
    "forecast": ("a", "y", "time", "series"),
    "sequences": ("a", "y", "id", "time", "groups"),
    "texts": ("text", "target", "groups", "time", "split", "weights"),
    "pairs": ("source", "target"),
    "ratings": ("user", "item", "rating", "time"),
    "images": ("image", "target", "groups"),
}


def column(kind, missing):
    values = pd.Series(TYPES[kind], name="x")
    if not MISSING[missing]:
        return values
    values = values.astype(object).where(~values.index.isin(list(MISSING[missing])), None)
    try:  # keep the type if it allows missing values
        return values.astype(pd.Series(TYPES[kind]).dtype)
    except (TypeError, ValueError, OverflowError):
        return values


def plain(source):
    """A frame that the source reads, with a column for each of its roles."""
    base = {
        "a": np.arange(N) ** 1.5, "y": [n / 3 for n in COUNT], "groups": [f"g{n // 3}" for n in COUNT],
        "time": list(COUNT), "split": [n % 3 for n in COUNT], "weights": [1.0 + n % 2 for n in COUNT], "series": "s",
        "id": [n // 4 for n in COUNT], "text": [f"some words {n} here" for n in COUNT], "target": ["p", "q"] * (N // 2),
        "source": [f"ein Satz {n}" for n in COUNT], "user": [n % 5 for n in COUNT], "item": [n % 7 for n in COUNT],
        "rating": [n % 5 + 1 for n in COUNT], "image": [f"{n}.png" for n in COUNT],
    }  # fmt: skip
    if source == "sequences":
        base["y"] = [n // 4 % 2 for n in COUNT]
    return pd.DataFrame({role: base[role] for role in ROLES[source]})


def named(source, path, role):
    """The settings that the source requires, and, if `role` is optional, the column of that role."""
    wishes = {
        "table": (table, {"target": "y"}, ("groups", "time", "split", "weights")),
        "forecast": (forecast, {"target": "y", "features": "a", "history": 3}, ("time", "series")),
        "sequences": (sequences, {"id": "id", "target": "y", "features": "a"}, ("time", "groups")),
        "texts": (texts, {"text": "text", "target": "target"}, ("groups", "time", "split", "weights")),
        "pairs": (pairs, {"source": "source", "target": "target"}, ()),
        "ratings": (ratings, {}, ("time",)),
        "images": (images, {"image": "image", "target": "target"}, ("groups",)),
    }
    module, wish, optional = wishes[source]
    return module, module.Settings(path=path, **wish, **({role: role} if role in optional else {}))


def attempt(load, *given):
    """Data that is described and checked, or an error with something to say."""
    try:
        dataset = load(*given)
        describe(dataset)
        check(dataset)
    except DataError as error:
        assert str(error).strip() and len(error.message) < 600


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("missing", but_slow(MISSING, ["known", "the first missing"]))
def test_a_frame_from_a_loader(kind, missing):
    for role in ROLES["table"]:
        frame = plain("table").assign(**{role: column(kind, missing)})
        wish = {"target": "y", **({role: role} if role not in ("a", "y") else {})}
        attempt(as_dataset, frame.copy(), LoaderSettings(**wish, impute="median"), "l")


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize(("kind", "missing"), list(product(TYPES, ["known", "one missing", "all missing"])))
def test_a_file_of_every_source(tmp_path, kind, missing, suffix):
    path = tmp_path / f"f{suffix}"
    for source, roles in ROLES.items():
        for role in roles:
            frame = plain(source).assign(**{role: column(kind, missing)})
            try:
                frame.to_csv(path, index=False) if suffix == ".csv" else frame.to_parquet(path, index=False)
            except (pa.ArrowException, ValueError, OverflowError):  # Parquet has no such type
                continue
            module, wish = named(source, path.name, role)
            attempt(module.load, wish, tmp_path)


SAME = ["int", "float", "float16", "bool", "text", "texts of numbers", "dates as text", "date", "datetime",
        "datetime with a zone", "timedelta", "timedelta objects", "Decimal", "category", "Int64", "boolean", "string",
        "int64[pyarrow]", "string[pyarrow]"]  # fmt: skip


@pytest.mark.parametrize(("kind", "missing"), list(product(SAME, ["known", "one missing"])))
def test_a_frame_is_read_as_its_file(tmp_path, kind, missing):
    frame = plain("table")[["a", "y"]].assign(x=column(kind, missing))
    frame.to_parquet(tmp_path / "f.parquet", index=False)
    read = table.load(table.Settings(path="f.parquet", target="y", impute="median"), tmp_path)
    loaded = as_dataset(frame, LoaderSettings(target="y", impute="median"), "l")
    assert loaded.inputs.names == read.inputs.names
    np.testing.assert_array_equal(loaded.features, read.features)
