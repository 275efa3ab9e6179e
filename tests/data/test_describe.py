"""`tuner data` says what was understood, as pandas would count it, and suspects what was planted."""

import gzip
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from helpers import inside, write_space
from hypothesis import given
from hypothesis import strategies as st
from tiny import TINY
from toy_data import changed, toy_dataset

from tuner import registry
from tuner.data.describe import describe
from tuner.data.suspicions import suspicions
from tuner.sources import table, texts
from tuner.sources.forecast import as_series
from tuner.sources.loading.guess import guess
from tuner.sources.loading.head import LOOKED_AT

ROWS = 60
FETCHED = {"openml", "fetch", "newsgroups", "huggingface"}


def frame(**more):
    random = np.random.default_rng(0)
    columns = {
        "size": random.normal(5, 2, ROWS).round(3),
        "age": random.integers(20, 60, ROWS),
        "member": random.integers(0, 2, ROWS),
        "town": random.choice(["Rome", "Oslo", "Bern"], ROWS, p=[0.6, 0.3, 0.1]),
        "y": random.choice(["no", "yes"], ROWS),
    }
    return pd.DataFrame({**columns, **more})


def described(folder, data, **wish):
    data.to_csv(folder / "t.csv", index=False)
    return describe(table.load(table.Settings(path="t.csv", **{"target": "y", **wish}), folder))


def test_columns_are_what_pandas_counts(tmp_path):
    data = frame()
    data.loc[3:9, "size"] = np.nan
    data.loc[5, "town"] = None
    found = {column.name: column for column in described(tmp_path, data).features}
    assert {name: column.kind for name, column in found.items()} == {
        "size": "number", "age": "whole", "member": "yes/no", "town": "category"
    }  # fmt: skip
    assert {name: column.missing for name, column in found.items()} == data.drop(columns="y").isna().sum().to_dict()
    assert found["age"].histogram == tuple(pd.cut(data["age"], 10).value_counts(sort=False))
    counts = data["town"].value_counts()
    assert found["town"].values == ", ".join(f"{town} {count}" for town, count in counts.items())
    assert found["town"].histogram == tuple(counts)
    low, middle, high = data["age"].quantile([0, 0.5, 1])
    assert found["age"].values == f"{low:.4g} … {high:.4g}, median {middle:.4g}"


def test_the_target_groups_and_rows_are_told(tmp_path):
    data = frame(patient=np.arange(ROWS) // 4)
    found = described(tmp_path, data, groups="patient", time=None)
    facts = dict(found.facts)
    assert facts["rows"] == "60 of 6 (flat)" and facts["task"] == "classification"
    assert facts["groups"] == "15 of 4 … 4 rows; each stays in one fold"
    (target,) = found.targets
    assert target.values == ", ".join(f"{label} {count}" for label, count in data["y"].value_counts().items())
    assert not found.warnings


SUSPECT = {
    "the target again": (lambda d: {"copy": d["y"].str.upper()}, "column 'copy' determines the target in every row"),
    "the target as a number": (lambda d: {"code": (d["y"] == "yes") * 7 + 1}, "column 'code' determines the target"),
    "a name of each row": (
        lambda d: {"who": [f"p{i}" for i in range(ROWS)]},
        "column 'who' has another value in",
    ),
    "a row number": (lambda d: {"nr": np.arange(ROWS) + 100}, "column 'nr' numbers the rows"),
    "an obvious group": (lambda d: {"patient": np.arange(ROWS) // 4}, "column 'patient' has 15 values in 60 rows"),
}


@pytest.mark.parametrize("case", SUSPECT)
def test_what_was_planted_is_suspected(tmp_path, case):
    plant, words = SUSPECT[case]
    data = frame()
    warnings = described(tmp_path, data.assign(**plant(data))).warnings
    assert any(words in text for text in warnings)
    assert not any(words in text for text in described(tmp_path, data).warnings)


def test_repeated_rows_are_counted_and_those_with_another_target_too(tmp_path):
    data = frame()
    other = data.iloc[:3].assign(y=data["y"].iloc[:3].map({"no": "yes", "yes": "no"}))
    (text,) = described(tmp_path, pd.concat([data, data.iloc[10:14], other])).warnings
    assert text.startswith("7 of 67 rows equal an earlier one in all features, 3 of them with another target")


def test_a_scaled_target_is_suspected_in_a_regression(tmp_path):
    data = frame(y=np.random.default_rng(1).normal(size=ROWS))
    data["celsius"] = data["y"] * 5 / 9 - 32
    (text,) = described(tmp_path, data).warnings
    assert text.startswith("column 'celsius' determines the target")


@pytest.mark.parametrize("name", sorted({*TINY} - {"pairs"}))
def test_every_tiny_file_is_guessed_described_and_loaded_by_that_guess(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wish = TINY[name](tmp_path)
    if name == "forecast":  # a series looks like any other table
        wish["name"] = "table"
    settings = guess(tmp_path / wish["path"], wish.get("target")).settings
    assert settings["name"] == wish.get("name", name)
    code, out, err = inside("data", wish["path"], *(["--target", wish["target"]] if "target" in wish else []))
    assert code == 0, err
    assert out.startswith(f"dataset: {{name: {settings['name']}, path: {wish['path']}")


def test_folders_that_are_links_are_looked_into(tmp_path):
    TINY["images"](tmp_path)
    (tmp_path / "chosen").mkdir()
    (tmp_path / "chosen" / "dark").symlink_to(tmp_path / "images" / "dark")
    assert guess(tmp_path / "chosen", None)[0]["name"] == "images"


@pytest.mark.parametrize("name", sorted(set(registry.names("tuner.sources")) - FETCHED))
def test_every_source_can_be_described(tmp_path, name):
    module = registry.load("tuner.sources", name)
    wish = TINY[name](tmp_path) if name in TINY else {}
    small = {"rows": 40} if "rows" in module.Settings.model_fields else {}
    dataset = module.load(module.Settings(**small, **wish), tmp_path)
    found = describe(dataset)
    assert dict(found.facts)["rows"].startswith(f"{len(dataset):,} of ")
    for column in found.features:
        assert dataset.layout != "flat" or sum(column.histogram) + column.missing == len(dataset)


def test_rows_without_a_value_in_any_column_do_no_harm():
    empty = toy_dataset(
        "toy", "regression", np.full((4, 2), np.nan, np.float32), np.zeros((4, 1), np.float32), (), ("y",)
    )
    assert [column.kind for column in describe(empty).features] == ["empty", "empty"]
    constant = changed(empty, features=np.ones((4, 2), np.float32))
    assert [column.values for column in describe(constant).features] == ["always 1", "always 1"]


def test_the_data_of_a_space_and_what_forbids_a_search(tmp_path):
    data = frame()
    data.loc[3, "size"] = np.nan
    data.to_csv(tmp_path / "t.csv", index=False)
    path = write_space(tmp_path, dataset={"name": "table", "path": "t.csv", "target": "y"})
    code, out, _ = inside("data", path)
    assert code == 0 and out.startswith("space.yaml: t.csv\n")
    told = "a search is refused: t.csv: 1 value is missing, the first at data row 4, column 'size'\n"
    assert told in out
    assert inside("data", "quick")[1].startswith("quick.yaml: iris\n")


@pytest.mark.parametrize(
    ("files", "what", "words"),
    [
        ({}, "absent.csv", "absent.csv: no such file"),
        ({"x.exe": "ab"}, "x.exe", "x.exe: no source reads such a file by itself"),
        ({"t.csv": ""}, "t.csv", "t.csv is empty"),
        ({}, "quick --target y", "--target is for a data file, and quick is an experiment\n  = leave it out, or write"),
    ],
)
def test_what_cannot_be_read_is_one_error(tmp_path, monkeypatch, files, what, words):
    monkeypatch.chdir(tmp_path)
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    code, out, err = inside("data", *what.split())
    assert (code, out) == (2, "") and words in err and err.startswith("error: ")


MONTHS = "\n".join(f"{1990 + i // 12}-{1 + i % 12:02},{i % 12 + i / 10:.1f}" for i in range(40))
SAID = {
    "a name with a colon": ("a:b.csv", "x,y\n1,2.5\n2,3.5\n", "dataset: {name: table, path: a:b.csv, target: y}"),
    "semicolons": ("t.csv", "x;y\n1.5;a\n2.5;b\n", 'dataset: {name: table, path: t.csv, separator: ";", target: y}'),
    "decimal commas": ("t.csv", "x;y\n1,5;a\n2,5;b\n", 'path: t.csv, separator: ";", decimal: ",", target: y}'),
    "odd names": ("t, u.csv", "x,1\n1.5,a\n2.5,b\n", 'dataset: {name: table, path: "t, u.csv", target: "1"}'),
    "a word of YAML": ("t.csv", "x,true\n1.5,a\n2.5,b\n", 'dataset: {name: table, path: t.csv, target: "true"}'),
    "months": ("t.csv", f"month,v\n{MONTHS}", "\nor, to forecast it: {name: forecast, path: t.csv, target: v, time: m"),
    "classes in months": ("t.csv", f"month,v\n{MONTHS.replace('.', 'a')}", "target: v}   # the target is 'v'; else"),
    "a gap": ("t.csv", f"month,v\n{MONTHS.replace('1990-04,3.3', '1990-03,3')}", "path: t.csv, target: v}"),
    "the end of a quoted text": ("t.csv", 'text,target\n' + 'so so,2\n' * 198 + '"a\nb",4\n' + '"c d",2\n' * 9,
                                 "dataset: {name: texts, path: t.csv}"),
    "sorted texts": ("t.tsv", "".join(f"Go{i}.\tVa{i} !\n" for i in range(300))
                     + "".join(f"I go to {i}.\tJe vais à {i}.\n" for i in range(400)), "{name: pairs, path: t.tsv}"),
}  # fmt: skip


@pytest.mark.parametrize("case", SAID)
def test_the_line_that_it_says_can_be_written_into_an_experiment(tmp_path, monkeypatch, case):
    name, content, text = SAID[case]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tuner.sources.loading.head.LOOKED_AT", 200 if "quoted" in case else LOOKED_AT)
    (tmp_path / name).write_text(content)
    code, out, err = inside("data", name)
    assert code == 0, err
    assert text in out and ("to forecast it" in out) == ("to forecast it" in text)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet", "t.txt"])
def test_a_guess_reads_no_more_than_it_looks_at(tmp_path, name, monkeypatch):
    monkeypatch.setattr("tuner.sources.loading.head.LOOKED_AT", 200)
    path, data = tmp_path / name, pd.DataFrame(np.arange(400_000).reshape(-1, 20), columns=[*"abcdefghijklmnopqrst"])
    if name.endswith("parquet"):
        data.to_parquet(path)
    else:
        text = data.to_csv(index=False).encode()
        path.write_bytes(gzip.compress(text) if name.endswith("gz") else text)
    guess(path, None)  # what is imported
    tracemalloc.start()
    settings, _, head = guess(path, None)
    series = as_series(settings, head) if settings["name"] == "table" else None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20, peak
    assert series is None


def test_describing_takes_little_beside_the_data():
    features, target = np.random.default_rng(0).normal(size=(20_000, 50)).astype(np.float32), np.arange(20_000) % 3
    dataset = toy_dataset("toy", "classification", features, target, (), ("y",), classes=("a", "b", "c"))
    tracemalloc.start()
    describe(dataset)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < features.nbytes


def test_columns_that_are_written_twice_and_texts_without_a_shared_word_are_suspected(tmp_path):
    data = frame(flag=["Yes", "yes", "No"] * (ROWS // 3))
    assert "column 'flag': 'Yes' and 'yes' differ only in capitals or spaces" in described(tmp_path, data).warnings
    (tmp_path / "t.tsv").write_text("".join(f"word{n}\t{'ab'[n % 2]}\n" for n in range(40)))
    lone = describe(texts.load(texts.Settings(path="t.tsv"), tmp_path))
    assert any(
        "40 of 40 texts have no token that any other text has, such as 'word0'" in each for each in lone.warnings
    )
    shared = describe(texts.load(texts.Settings(path="t.tsv", tokens="character"), tmp_path))
    assert not any("no token" in each for each in shared.warnings)


@given(st.integers(2, 3), st.integers(1, 3), st.integers(0, 10**6))
def test_rows_that_are_equal_by_chance_are_not_suspected(levels, columns, seed):
    random = np.random.default_rng(seed)
    features = random.integers(0, levels, (200, columns)).astype(np.float32)
    dataset = toy_dataset("toy", "regression", features, random.normal(size=(200, 1)), (), ("y",))
    assert not any("equal an earlier one" in each for each in suspicions(dataset))


def test_many_constant_columns_are_one_warning(tmp_path):
    data = frame(**{f"c{n}": 1.5 for n in range(9)})
    (text,) = (each for each in described(tmp_path, data).warnings if "carry" in each)
    assert text.startswith("columns 'c0', 'c1', 'c2', 'c3', 'c4' and 4 more are the same in every row")


@pytest.mark.parametrize("order", ["sorted", "alternating", "shuffled"])
def test_a_leak_is_suspected_in_whatever_order_the_rows_are(order):
    random = np.random.default_rng(0)
    target = np.arange(3000) % 2
    target = {"sorted": np.sort(target), "alternating": target, "shuffled": random.permutation(target)}[order]
    features = np.stack([target * 3.0, random.normal(size=3000), random.integers(0, 9, 3000)], axis=1)
    dataset = toy_dataset("toy", "classification", features.astype(np.float32), target, (), ("y",), classes=("a", "b"))
    assert [each for each in suspicions(dataset) if "determines the target" in each] == [
        "column '0' determines the target in every row (a leak?); drop it if it is not known beforehand"
    ]
