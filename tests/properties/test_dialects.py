"""Tables as many programs write them: `tuner data` proposes how to read each, and every number, date, truth value and
category comes back as it was written."""

import csv
import gzip

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tuner.data.check import check
from tuner.sources import table
from tuner.sources.loading.guess import guess

ROWS = 24
WORDS = ["red", "blé", "Grün, hell", 'a "b"', "two words"]


@st.composite
def frames(draw):
    """A frame with a column of each kind, and a target."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    columns = {
        "ints": random.integers(-1000, 1000, ROWS),
        "floats": random.normal(size=ROWS).round(draw(st.integers(1, 6))),
        "small": random.normal(size=ROWS) * 10.0 ** draw(st.integers(-8, 8)),
        "truth": random.random(ROWS) < 0.5,
        "when": pd.Timestamp("2019-12-30") + pd.to_timedelta(random.integers(0, 900, ROWS), unit="D"),
        "word": random.choice(WORDS, ROWS),
    }
    kept = draw(st.lists(st.sampled_from(sorted(columns)), min_size=2, max_size=6, unique=True))
    label = random.permutation(np.arange(ROWS) % 2)
    return pd.DataFrame({**{name: columns[name] for name in kept}, "label": np.where(label, "yes", "no")})


@st.composite
def dialects(draw):
    """How a program writes a CSV."""
    decimal = draw(st.sampled_from([".", ".", ","]))
    separator = draw(st.sampled_from(";\t" if decimal == "," else ",;\t|"))
    return {
        "separator": separator,
        "decimal": decimal,
        "quoting": draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])),
        "end": draw(st.sampled_from(["\n", "\r\n"])),
        "encoding": draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"])),
        "above": draw(st.sampled_from(["", "# written by a program\n", "\n\n", f"sep={separator}\n"])),
        "index": draw(st.sampled_from([None, "", "rownames"])),
        "trailing": draw(st.booleans()),
        "date": draw(st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%Y/%m/%d", "%d %b %Y", "%Y-%m-%d %H:%M:%S"])),
        "packed": draw(st.booleans()),
    }


def write(folder, frame, how):
    """The file, as pandas writes it in this dialect."""
    written = frame.assign(**{"": np.nan}) if how["trailing"] else frame
    text = written.to_csv(
        index=how["index"] is not None, index_label=how["index"], sep=how["separator"], decimal=how["decimal"],
        quoting=how["quoting"], lineterminator=how["end"], date_format=how["date"],
    )  # fmt: skip
    raw = (how["above"].replace("\n", how["end"]) + text).encode(how["encoding"])
    path = folder / ("t.csv.gz" if how["packed"] else "t.csv")
    path.write_bytes(gzip.compress(raw) if how["packed"] else raw)
    return path


@settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])
@given(frames(), dialects())
def test_every_value_comes_back(tmp_path_factory, frame, how):
    folder = tmp_path_factory.mktemp("t")
    assert_same(folder, frame, how)


@pytest.mark.slow
@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(frames(), dialects())
def test_every_value_comes_back_from_many_files(tmp_path_factory, frame, how):
    assert_same(tmp_path_factory.mktemp("t"), frame, how)


def assert_same(folder, frame, how):
    proposed = guess(write(folder, frame, how), "label").settings
    dataset = check(table.load(table.Settings(**proposed), folder))
    assert dataset.numbers.values.dtype == np.float32
    offsets = 0 if dataset.numbers.offsets is None else dataset.numbers.offsets
    read = dict(zip(dataset.inputs.names, (dataset.features.astype(float) + offsets).T, strict=True))
    expected = {}
    for name, column in frame.drop(columns="label").items():
        if name == "when":
            days = (column - pd.Timestamp("1970-01-01")).dt.days
            parts = {"days": days, "month": column.dt.month, "weekday": column.dt.day_of_week}
            expected |= {f"when: {part}": values for part, values in parts.items()}
        elif name == "word":
            expected |= {f"word={word}": column == word for word in sorted(set(column))}
        else:
            expected[name] = column
    assert read.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(read[name], np.asarray(values, dtype=float), rtol=1e-6, err_msg=name)
    assert [dataset.classes[code] for code in dataset.targets] == list(frame["label"])
