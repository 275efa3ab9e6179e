"""Torture: sequences, series and ratings in files that are broken, hostile or absurd."""

import gzip

import numpy as np
import pytest
from helpers import but_slow, inside, write_space
from survival import survived
from tiny import TINY

pytestmark = pytest.mark.torture

TS = "@classLabel true a b\n@data\n" + "".join(f"{i},{i % 3}:{i},1:{'ab'[i % 2]}\n" for i in range(24))
LONG = "id,t,x,y\n" + "".join(f"{i // 2},{i % 2},{i % 7},{'ab'[i // 2 % 2]}\n" for i in range(48))
SALES = "month,sales\n" + "".join(f"{1990 + i // 12}-{1 + i % 12:02},{i % 12}\n" for i in range(60))
RATED = "".join(f"{i % 7}\t{i % 5}\t{i % 4}\t{i}\n" for i in range(40))
IDS = {"id": "id", "time": "t", "target": "y"}
MONTHS = {"target": "sales", "time": "month"}
BYTES = bytes(range(256)) * 40

# name: (the source, its file, the file's content, the settings beside name and path, the exit code)
FILES = {
    "ts": ("sequences", "a.ts", TS, {}, 0),
    "ts in gzip": ("sequences", "a.ts.gz", gzip.compress(TS.encode()), {}, 0),
    "ts, truncated gzip": ("sequences", "a.ts.gz", gzip.compress(TS.encode())[:60], {}, 2),
    "ts, truncated": ("sequences", "a.ts", TS[:-3], {}, 2),
    "ts, empty": ("sequences", "a.ts", "", {}, 2),
    "ts, bytes": ("sequences", "a.ts", BYTES, {}, 2),
    "ts, UTF-16": ("sequences", "a.ts", TS.encode("utf-16"), {}, 0),
    "ts, NUL": ("sequences", "a.ts", TS.replace("5", "\0", 1), {}, 2),
    "ts, infinity": ("sequences", "a.ts", TS.replace("5,", "inf,", 1), {}, 2),
    "ts, above float32": ("sequences", "a.ts", TS.replace("5,", "1e60,", 1), {}, 2),
    "ts, one class": ("sequences", "a.ts", TS.replace(":b", ":a"), {}, 2),
    "ts, classes as numbers": ("sequences", "a.ts", TS, {"task": "regression"}, 2),
    "long": ("sequences", "l.csv", LONG, IDS, 0),
    "long, one step each": ("sequences", "l.csv", LONG, {**IDS, "id": "t", "time": None, "target": "t"}, 2),
    "long, no id": ("sequences", "l.csv", LONG, {"target": "y"}, 2),
    "long, bytes": ("sequences", "l.csv", BYTES, IDS, 2),
    "long, header only": ("sequences", "l.csv", LONG[:9], IDS, 2),
    "long, ragged": ("sequences", "l.csv", LONG + "1,2,3,4,5\n", IDS, 2),
    "long, a short row": ("sequences", "l.csv", LONG + "1,2\n", IDS, 2),
    "not Parquet": ("sequences", "l.parquet", LONG, IDS, 2),
    "a series": ("forecast", "f.csv", SALES, MONTHS, 0),
    "a series, by its rows": ("forecast", "f.csv", SALES, {"target": "sales"}, 0),
    "a series of one row": ("forecast", "f.csv", SALES[:22], MONTHS, 2),
    "a series of text": ("forecast", "f.csv", SALES, {"target": "month"}, 2),
    "a series with a gap": ("forecast", "f.csv", SALES.replace("1991-07,6\n", ""), MONTHS, 2),
    "a series of empty values": ("forecast", "f.csv", SALES.replace(",7", ","), MONTHS, 2),
    "a series with infinity": ("forecast", "f.csv", SALES.replace(",7", ",inf"), MONTHS, 2),
    "a series in the year 9999": ("forecast", "f.csv", SALES.replace("1990", "9999"), MONTHS, 2),
    "a series, a horizon of everything": ("forecast", "f.csv", SALES, {**MONTHS, "horizon": 40, "history": 4}, 2),
    "a series of bytes": ("forecast", "f.csv", BYTES, MONTHS, 2),
    "ratings": ("ratings", "u.data", RATED, {}, 0),
    "ratings of bytes": ("ratings", "u.data", BYTES, {}, 2),
    "ratings, empty": ("ratings", "u.data", "", {}, 2),
    "ratings, an open quote": ("ratings", "u.data", RATED.replace("3\t", '"3\t', 1), {}, 2),
    "ratings, outside the scale": ("ratings", "u.data", RATED, {"lowest": 1}, 2),
    "ratings, commas in tabs": ("ratings", "u.data", "user\titem,rating\n1\t2,3\n", {}, 2),
    "ratings, sides of nobody": ("ratings", "u.data", RATED, {"users": "u.data"}, 2),
}
SLOW = {"ts in gzip", "long", "a series, by its rows"}  # searches
MODEL = {"sequences": "rnn", "forecast": "mlp", "ratings": "recommender"}


def tried(folder, source, settings, expected):
    path = write_space(folder, dataset={"name": source, "seed": None, **settings}, model=MODEL[source],
                       training={"epochs": 1}, search={"trials": 1})  # fmt: skip
    survived(*inside("search", path, "--study", folder / "study.db", "--workers", 0), expected=expected)


@pytest.mark.slow
@pytest.mark.parametrize("case", but_slow(FILES, SLOW))
def test_a_file(tmp_path, case):
    source, name, content, settings, expected = FILES[case]
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    tried(tmp_path, source, {"path": name, **settings}, expected)


@pytest.mark.parametrize("source", MODEL)
@pytest.mark.parametrize("path", [".", "none", "/dev/null"])
def test_what_is_no_file(tmp_path, source, path):
    tried(tmp_path, source, {**TINY[source](tmp_path), "path": path}, 2)


@pytest.mark.parametrize("source", but_slow(MODEL, {"sequences", "forecast"}))
def test_any_byte_may_be_wrong(tmp_path, source):
    """Whatever the damage: a result, or an error in a sentence."""
    settings, random = TINY[source](tmp_path), np.random.default_rng(3)
    whole = (tmp_path / settings["path"]).read_bytes()
    for _ in range(60):
        damaged = bytearray(whole)
        for place in random.integers(0, len(whole), 3):
            damaged[place] = random.integers(256)
        (tmp_path / settings["path"]).write_bytes(damaged)
        code, out, err = inside("check", write_space(tmp_path, dataset={"name": source, **settings},
                                                     model=MODEL[source]))  # fmt: skip
        survived(code, out, err, expected=2 if code else 0)
