"""A sweep over files: those that ship inside the packages of this environment, and tables as many programs write them.

`tuner data` describes each, or refuses it in a sentence; and a column that is a number, a date or true/false in the
frame that was written is never taken for categories, nor a target for classes, without a word."""

import csv
import json
import random
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers import inside
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from survival import survived
from written_frames import FILES, MADE, MISSING, SIGNS, TARGETS, WRITERS, frame_of, text

PACKAGES = Path(np.__file__).parents[1]
SHIPPED = ("csv", "csv.gz", "tsv", "parquet", "feather", "ts", "npz", "npy", "xlsx", "orc", "arff", "arff.gz")
MOST_CLASSES = 20  # whole numbers of a target with more different values than this are never classes
NUMBERS = ("number", "whole", "yes/no", "empty")  # what a column of numbers may be called
SAID = r"read as categories|read as classes|left out|only numbers the rows"


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


def described(path, target=None):
    """What `tuner data` says of the file; None if it refuses it in a sentence."""
    code, out, err = inside("data", "--json", path, *(["--target", target] if target else []))
    survived(code, out, err, expected=2 if code == 2 else 0)
    if code:
        assert all(re.match(r"error: .+ .+|  [=|] .+|reading ", line) for line in err.splitlines()), err
        return None
    return json.loads(out)


def shipped():
    return sorted({path for suffix in SHIPPED for path in PACKAGES.rglob(f"*.{suffix}")})


@pytest.mark.slow
def test_every_file_of_the_packages_is_described_or_refused():
    found = shipped()
    assert len(found) >= 60
    assert sum(described(path) is not None for path in found) >= 20


def test_some_files_of_the_packages_are_described_or_refused():
    for path in random.Random(0).sample(shipped(), 12):
        described(path)


def silent(frame, told):
    """The columns of numbers, dates, time spans and truth values that `tuner data` took for something else without a
    word."""
    said = [*told["lines"][1:], *told["warnings"], *told["refused"]]
    kinds = {each["name"]: each["kind"] for each in (*told["features"], *told["targets"])}
    for name, column in frame.items():
        whole = pd.api.types.is_numeric_dtype(column) and (column.dropna() % 1 == 0).all()
        truth = pd.api.types.infer_dtype(column.dropna()) == "boolean"
        label = name in {each["name"] for each in told["targets"]} and column.nunique() <= MOST_CLASSES
        fine = kinds.get(name) in NUMBERS or f"{name}: days" in kinds or (label and (whole or truth))
        texts = (column.dtype.kind not in "biufmM" and not truth) or column.isna().all()
        if not (fine or texts) and not any(f"'{name}'" in line and re.search(SAID, line) for line in said):
            yield f"{name} ({column.dtype}) is {kinds.get(name, 'not mentioned')}"


def sweep(folder, chosen):
    """All faults of these files, and how many were described."""
    faults, count = [], 0
    for number, (name, writer) in enumerate(chosen):
        frame, targets = frame_of(name), TARGETS.get(name, [None])
        if "excel" in writer:
            frame = frame.drop(columns=list(frame.select_dtypes("datetimetz")))  # which Excel does not know
        path = WRITERS[writer](frame, folder / f"f{number}")
        for target in targets if number % 3 == 0 else targets[:1]:
            if (told := described(path, target)) is not None:
                faults += [f"{name}, {writer}, target {target}: {fault}" for fault in silent(frame, told)]
                count += 1
    return faults, count


@pytest.mark.slow
def test_no_number_or_date_of_many_files_is_silently_a_category(tmp_path):
    assert len(FILES) >= 500
    faults, count = sweep(tmp_path, FILES)
    assert not faults, "\n".join(faults)
    assert count >= 500


def test_no_number_or_date_of_some_files_is_silently_a_category(tmp_path):
    faults, count = sweep(tmp_path, random.Random(1).sample(FILES, 30))
    assert not faults, "\n".join(faults)
    assert count >= 20


ODD = {
    "name": st.sampled_from(sorted(MADE)),
    "seed": st.integers(0, 2**32 - 1),
    "missing": st.sampled_from([0, 0.05, 0.5, 0.95]),
    "suffix": st.sampled_from([".csv", ".tsv", ".txt", ".csv.gz"]),
    "sep and decimal": st.sampled_from([",.", ";.", "\t.", "|.", ";,", "\t,", "|,"]),
    "na_rep": st.sampled_from(["", *MISSING, *SIGNS]),
    "quoting": st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    "index": st.booleans(),
    "lineterminator": st.sampled_from(["\n", "\r\n"]),
    "encoding": st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    "date_format": st.sampled_from([None, "%Y-%m-%d", "%d.%m.%Y", "%Y%m%d", "%d %b %Y %H:%M", "%b %d, %Y"]),
}


UNSHRUNK = {"deadline": None, "phases": [Phase.generate], "suppress_health_check": [HealthCheck.too_slow]}


def assert_nothing_silent(folder, odd):
    """A frame whose columns miss some of their values, written in some way."""
    how = dict(odd)
    draw, source, share = np.random.default_rng(how.pop("seed")), frame_of(how.pop("name")), how.pop("missing")
    frame = source.mask(draw.random(source.shape) < share).assign(y=draw.normal(size=len(source)))
    sep, decimal = how.pop("sep and decimal")
    told = described(text(how.pop("suffix"), sep=sep, decimal=decimal, **how)(frame, folder / "f"), "y")
    assert told is None or list(silent(frame, told)) == []


@settings(max_examples=8, **UNSHRUNK)
@given(st.fixed_dictionaries(ODD))
def test_no_number_or_date_of_an_odd_file_is_silently_a_category(tmp_path_factory, odd):
    assert_nothing_silent(tmp_path_factory.mktemp("t"), odd)


@pytest.mark.slow
@settings(max_examples=150, **UNSHRUNK)
@given(st.fixed_dictionaries(ODD))
def test_no_number_or_date_of_many_odd_files_is_silently_a_category(tmp_path_factory, odd):
    assert_nothing_silent(tmp_path_factory.mktemp("t"), odd)


# Arrays and sequences


@pytest.mark.parametrize("shape", [(40, 5), (40, 6, 2), (40, 1, 4, 4)], ids=str)
@pytest.mark.parametrize("kind", ["float64", "float32", "float16", "int8", "uint16", "int64", "bool", ">f4"])
def test_arrays_of_numbers_are_numbers(tmp_path, shape, kind):
    draw = np.random.default_rng(0)
    features = (draw.normal(size=shape) * 9).astype(kind)
    targets = {"float": draw.normal(size=40), "count": draw.permutation(40), "class": draw.integers(0, 3, 40)}
    for name, y in targets.items():
        np.savez(tmp_path / f"{name}.npz", X=features, y=y)
        told = described(tmp_path / f"{name}.npz")
        assert {each["kind"] for each in told["features"]} <= set(NUMBERS)
        assert [each["kind"] for each in told["targets"]] == [
            {"float": "number", "count": "whole", "class": "category"}[name]
        ]
    np.savez_compressed(tmp_path / "keras.npz", x_train=features, y_train=targets["class"])
    assert described(tmp_path / "keras.npz") is None  # refused in a sentence
    np.save(tmp_path / "alone.npy", features)
    assert described(tmp_path / "alone.npy") is None


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("lengths", ["equal", "unequal", "missing"])
@pytest.mark.parametrize("task", ["classLabel", "targetLabel"])
def test_sequences_in_ts_files_are_numbers(tmp_path, channels, lengths, task):
    draw, lines = np.random.default_rng(0), []
    for case in range(30):
        steps = draw.integers(4, 9) if lengths == "unequal" else 8
        series = draw.normal(size=(channels, steps)).round(3).astype(str)
        if lengths == "missing":
            series[0, case % 8] = "?"
        label = "ab"[case % 2] if task == "classLabel" else f"{draw.normal():.4f}"
        lines.append(":".join([*(",".join(channel) for channel in series), label]))
    classes = " a b" if task == "classLabel" else ""
    head = (
        f"@problemName p\n@timeStamps false\n@univariate {str(channels == 1).lower()}\n@{task} true{classes}\n@data\n"
    )
    (tmp_path / "p_TRAIN.ts").write_text(head + "\n".join(lines) + "\n")
    told = described(tmp_path / "p_TRAIN.ts")
    assert [each["kind"] for each in told["features"]] == ["number"] * channels
    assert told["targets"][0]["kind"] == ("category" if task == "classLabel" else "number")
