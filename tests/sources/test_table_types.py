"""Tables of other formats, and columns of other types: dates, time spans, decimals, weights, embedded categories."""

import csv
import datetime
import gzip
import json
from decimal import Decimal

import numpy as np
import openpyxl
import pandas as pd
import pytest
from helpers import inside, inverse_transform, write_space
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.cli.console import error_text
from tuner.data.check import check
from tuner.data.inputs import PADDING, UNKNOWN
from tuner.data.preprocess import fit
from tuner.errors import DataError
from tuner.sources import table
from tuner.sources.readers import delimited, frames

PLAIN = "size,colour,label\n1.5,red,a\n,blue,NA\n2,red,b\n"
DAYS = ["2024-03-25", "1969-12-31", "2000-02-29T12:00"]


def load(folder, content, name="t.csv", **wish):
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return table.load(table.Settings(path=name, **{"target": "label", **wish}), folder)


def of_frame(folder, frame, kind="parquet", **wish):
    {"parquet": frame.to_parquet, "feather": frame.to_feather}[kind](folder / f"t.{kind}")
    return table.load(table.Settings(path=f"t.{kind}", **{"target": "label", **wish}), folder)


def refused(call, *args, **wish):
    with pytest.raises(DataError) as caught:
        call(*args, **wish)
    return error_text(caught.value)


def sheets(folder, name="t.xlsx", **rows):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, lines in rows.items():
        sheet = book.create_sheet(title)
        for line in lines:
            sheet.append(line)
    book.save(folder / name)
    return name


def of_book(folder, wish=None, **rows):
    return table.load(table.Settings(path=sheets(folder, **rows), **{"target": "label", **(wish or {})}), folder)


ROWS = [["size", "colour", "label"], [1.5, "red", "a"], [None, "blue", "NA"], [2, "red", "b"]]


def assert_plain(dataset):
    np.testing.assert_array_equal(dataset.features, [[1.5, 0, 1], [np.nan, 1, 0], [2, 0, 1]])
    assert dataset.inputs.names == ("size", "colour=blue", "colour=red")
    assert dataset.classes == ("NA", "a", "b") and dataset.targets.tolist() == [1, 0, 2]


def test_the_same_table_in_every_format(tmp_path):
    frame = pd.DataFrame({"size": [1.5, None, 2], "colour": ["red", "blue", "red"], "label": ["a", "NA", "b"]})
    assert_plain(of_frame(tmp_path, frame, "parquet"))
    assert_plain(of_frame(tmp_path, frame, "feather"))
    assert_plain(of_frame(tmp_path, frame[frame.label != "x"].set_axis([5, 1, 3])))  # whose index is no column
    assert_plain(of_book(tmp_path, data=ROWS))
    assert_plain(load(tmp_path, gzip.compress(PLAIN.encode()), "t.csv.gz"))
    assert_plain(load(tmp_path, gzip.compress(PLAIN.replace(",", "\t").encode()), "t.tsv.gz"))


def test_a_folder_of_parquet_files_is_one_table(tmp_path):
    (tmp_path / "t.parquet").mkdir()
    for part, rows in (("a", [1, 2]), ("b", [3])):
        pd.DataFrame({"x": rows, "label": [f"{part}{row}" for row in rows]}).to_parquet(
            tmp_path / f"t.parquet/{part}.parquet"
        )
    dataset = table.load(table.Settings(path="t.parquet", target="label"), tmp_path)
    assert dataset.features.tolist() == [[1], [2], [3]] and dataset.classes == ("a1", "a2", "b3")


def test_cells_of_a_sheet_are_numbers_dates_texts_and_truths(tmp_path):
    rows = [["n", "when", "b", "t", "q", "label"],
            [1, datetime.datetime(2024, 3, 25), True, "x", 3, "a"],
            [2, datetime.datetime(2024, 3, 26), False, "7", "?", "b"],
            [3, None, None, 7, 4.5, "a"]]  # fmt: skip
    dataset = of_book(tmp_path, data=rows)
    names = ("n", "when: days", "when: month", "when: weekday", "b", "t=7", "t=x", "q")
    expected = [[1, 19807, 3, 0, 1, 0, 1, 3], [2, 19808, 3, 1, 0, 1, 0, np.nan], [3, *[np.nan] * 4, 1, 0, 4.5]]
    assert dataset.inputs.names == names
    np.testing.assert_array_equal(dataset.features, expected)


def test_one_of_several_sheets_is_named_or_numbered(tmp_path):
    other = [["x", "label"], [1, "a"], [2, "b"]]
    assert of_book(tmp_path, {"sheet": "two"}, one=ROWS, two=other).inputs.names == ("x",)
    assert of_book(tmp_path, {"sheet": 2}, one=ROWS, two=other).inputs.names == ("x",)
    assert of_book(tmp_path, {"sheet": 2024}, **{"2023": ROWS, "2024": other}).inputs.names == ("x",)
    assert refused(of_book, tmp_path, one=ROWS, two=other) == (
        "error: t.xlsx has 2 sheets: 'one', 'two'\n  = dataset.sheet: 'one'"
    )
    assert refused(of_book, tmp_path, {"sheet": 3}, one=ROWS, two=other) == (
        "error: t.xlsx has no sheet 3\n  = one of: one, two"
    )
    assert "did you mean 'two'?" in refused(of_book, tmp_path, {"sheet": "twoo"}, one=ROWS, two=other)


SHEETS = {
    "no name": ([["x", None, "label"], [1, 2, "a"]], "t.xlsx: column B of sheet 'data' has no name"),
    "twice": ([["x", "x", "label"], [1, 2, "a"]], "t.xlsx has two columns called 'x'"),
    "empty": ([], "t.xlsx: sheet 'data' is empty"),
    "header only": ([["x", "label"]], "t.xlsx has a header but no rows"),
}


@pytest.mark.parametrize("case", SHEETS)
def test_a_sheet_that_is_no_table_is_told(tmp_path, case):
    rows, text = SHEETS[case]
    assert text in refused(of_book, tmp_path, data=rows)


def test_files_that_are_no_workbook_or_no_arrow_file_are_told(tmp_path):
    for name in ("t.xlsx", "t.parquet", "t.feather"):
        for content in (b"", b"PK\x03\x04 not really", bytes(range(256))):
            assert f"{name} is not a readable table" in refused(load, tmp_path, content, name)
    whole = (tmp_path / sheets(tmp_path, data=ROWS)).read_bytes()
    assert "t.xlsx is not a readable table" in refused(load, tmp_path, whole[: len(whole) // 2], "t.xlsx")
    assert "save it as .xlsx, or as CSV" in refused(load, tmp_path, b"", "t.xls")
    packed = gzip.compress(PLAIN.encode() * 9)
    assert "cannot be read" in refused(load, tmp_path, packed[:-20], "t.csv.gz")
    assert "leave sheet out" in refused(load, tmp_path, PLAIN, sheet=1)
    assert "leave separator out" in refused(load, tmp_path, b"", "t.parquet", separator=",")


def calendar(days):
    """Days since 1970, the month and the weekday, as Python's datetime counts them."""
    moments = [datetime.datetime.fromisoformat(day) for day in days]
    since = [(m - datetime.datetime(1970, 1, 1)).total_seconds() / 86400 for m in moments]
    return np.array([[day, m.month, m.weekday()] for day, m in zip(since, moments, strict=True)])


def test_dates_are_days_month_and_weekday(tmp_path):
    dataset = load(tmp_path, "joined,label\n" + "".join(f"{day},{c}\n" for day, c in zip(DAYS, "aba", strict=True)))
    assert dataset.inputs.names == ("joined: days", "joined: month", "joined: weekday")
    np.testing.assert_array_equal(dataset.features, calendar(DAYS))
    moments = pd.Series([datetime.datetime.fromisoformat(day) for day in DAYS])
    for column in (moments, moments.astype("datetime64[s]"), moments.astype("category")):
        typed = of_frame(tmp_path, pd.DataFrame({"joined": column, "label": [*"aba"]}))
        np.testing.assert_array_equal(typed.features, dataset.features)
    days = [datetime.date.fromisoformat(day[:10]) for day in DAYS]
    dated = of_frame(tmp_path, pd.DataFrame({"joined": days, "label": [*"aba"]}))
    np.testing.assert_array_equal(dated.features, calendar([day[:10] for day in DAYS]))


@settings(deadline=None, max_examples=30)
@given(st.lists(st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1)), min_size=2, max_size=5))
def test_any_date_that_python_writes_is_read(tmp_path_factory, moments):
    folder = tmp_path_factory.mktemp("t")
    days = [moment.isoformat() for moment in moments]
    dataset = load(folder, "x,d,label\n" + "".join(f"1,{day},{i}\n" for i, day in enumerate(days)), task="regression")
    expected = calendar(days)
    rounding = 6e-8 * np.ptp(expected[:, 0])  # float32 keeps the distance of a day from an offset among them
    np.testing.assert_allclose(inverse_transform(dataset)[:, 1:], expected, rtol=1e-7, atol=rounding)


@pytest.mark.parametrize("word", ["", "NA", "none"])
def test_a_missing_date_is_missing(tmp_path, word):
    dataset = load(tmp_path, f"d,x,label\n2024-03-25,1,a\n{word},2,b\n2024-03-26,3,a\n")
    np.testing.assert_array_equal(dataset.features[:, :3], [[19807, 3, 0], [np.nan] * 3, [19808, 3, 1]])
    with pytest.raises(DataError, match="row 2, column 'd: days'"):
        check(dataset)


def test_times_with_an_offset_are_of_one_instant_and_of_their_own_weekday(tmp_path):
    dataset = load(tmp_path, "d,label\n2024-03-31T23:30-05:00,a\n2024-04-01T04:30Z,b\n2024-04-01 05:30:00+01:00,a\n")
    np.testing.assert_array_equal(dataset.features[:, 0], np.float32(19814 + 4.5 / 24))
    np.testing.assert_array_equal(dataset.features[:, 1:], [[3, 6], [4, 0], [4, 0]])


HINT = "\n  = write every date as 2024-03-25, or leave the column out with drop"
DATES = {
    "one is other": (["2024-03-25", "2024-03-26", "26.03.2024"],
                     "mixes date formats: '26.03.2024' in data row 3, but '2024-03-25'"),
    "one is a word": (["2024-03-25", "soon", "2024-03-26"],
                      "mixes date formats: 'soon' in data row 2, but '2024-03-25'"),
    "one is no day": (["2024-02-29", "2023-02-29", "2024-03-01"],
                      "mixes date formats: '2023-02-29' in data row 2, but '2024-02-29'"),
    "most are other": (["3/25/2024", "2024-03-25", "3/26/2024"],
                       "mixes date formats: '2024-03-25' in data row 2, but '3/25/2024'"),
    **{f"one is {odd}": (["25/03/2024", "26/03/2024", odd, "1/4/2024"],
                         f"mixes date formats: '{odd}' in data row 3, but '1/4/2024'")
       for odd in ("-", "00/00/0000", "2024", "(none)")},
    **{day: (["", day, day], f"holds dates whose day and month cannot be told apart: '{day}' in data row 2")
       for day in ("03/05/2024", "5.3.2024", "3/4/24", "05-03-2024", "03/05/2024 10:30")},
}  # fmt: skip


@pytest.mark.parametrize("case", DATES)
def test_dates_that_may_be_misread_are_refused(tmp_path, case):
    values, text = DATES[case]
    content = "d,x,label\n" + "".join(f"{value},{i},{'ab'[i % 2]}\n" for i, value in enumerate(values))
    hint = "\n  = day_first: true or day_first: false, in a CSV; or write every date as 2024-03-25"
    told = f"error: t.csv: column 'd' {text}{hint if 'told apart' in text else HINT}"
    assert refused(load, tmp_path, content) == told


@pytest.mark.parametrize("day_first", [True, False])
@pytest.mark.parametrize(
    "days", [["03/05/2024", "04/05/2024"], ["03.05.24", "11.05.24"], ["1-2-2024 10:30", "", "2-2-2024 00:00"]]
)
def test_day_first_says_which_number_is_the_day(tmp_path, days, day_first):
    rows = "".join(f"{day},25/03/2024,2024-03-05,{i},{'ab'[i % 2]}\n" for i, day in enumerate(days))
    dataset = load(tmp_path, f"d,clear,iso,x,label\n{rows}", day_first=day_first, drop="x")
    expected = [pd.to_datetime(day, dayfirst=day_first) for day in days]
    months = [np.nan if pd.isna(day) else day.month for day in expected]
    assert dataset.inputs.names[1] == "d: month"
    np.testing.assert_array_equal(dataset.features[:, 1], np.float32(months))
    np.testing.assert_array_equal(dataset.features[:, [4, 7]], 3)


@pytest.mark.parametrize("values", ["1.2.3 1.10.2 2.0.1", "2024-03-25 a b", "10-20-30 1-2-3 x", "2010-11 2011-12"])
def test_what_only_resembles_dates_are_categories(tmp_path, values):
    content = "d,x,label\n" + "".join(f"{value},{i},{'ab'[i % 2]}\n" for i, value in enumerate(values.split()))
    assert set(load(tmp_path, content).inputs.names) == {"x", *(f"d={value}" for value in values.split())}


KINDS = {
    "decimals": ([Decimal("1.5"), None, Decimal(3)], [1.5, np.nan, 3]),
    "time spans": (pd.to_timedelta([36, None, 12], unit="h"), [1.5, np.nan, 0.5]),
    "nullable truths": (pd.array([True, None, False], dtype="boolean"), [1, np.nan, 0]),
    "nullable numbers": (pd.array([1, None, 3], dtype="Int64"), [1, np.nan, 3]),
    "pyarrow's numbers": (pd.array([1, None, 3], dtype="int64[pyarrow]"), [1, np.nan, 3]),
    "pyarrow's truths": (pd.array([True, None, False], dtype="bool[pyarrow]"), [1, np.nan, 0]),
    "small numbers": (np.array([1, 2, 3], dtype=np.int8), [1, 2, 3]),
}


@pytest.mark.parametrize("case", KINDS)
def test_every_type_that_is_a_number_is_one(tmp_path, case):
    values, expected = KINDS[case]
    dataset = of_frame(tmp_path, pd.DataFrame({"v": values, "label": [*"aba"]}))
    np.testing.assert_array_equal(dataset.features[:, 0], np.array(expected, np.float32))
    assert dataset.inputs.names == ("v",)


@pytest.mark.parametrize(
    "values", [[[1], [2], [3]], [{"a": 1}] * 3, [b"x", b"y", b"z"]], ids=["lists", "dicts", "bytes"]
)
def test_values_that_are_no_values_are_refused(tmp_path, values):
    frame = pd.DataFrame({"v": values, "x": [1, 2, 3], "label": [*"aba"]})
    assert "t.parquet: column 'v' holds" in refused(of_frame, tmp_path, frame)
    assert of_frame(tmp_path, frame, drop="v").inputs.names == ("x",)
    assert of_frame(tmp_path, frame, features="x").inputs.names == ("x",)


def test_features_are_those_named_in_their_order(tmp_path):
    content = "a,b,c,label\n1,2,3,x\n4,5,6,y\n"
    dataset = load(tmp_path, content, features=("c", "a"))
    assert dataset.inputs.names == ("c", "a") and dataset.features.tolist() == [[3, 1], [6, 4]]
    assert "leave drop out" in refused(load, tmp_path, content, features="a", drop="b")
    for key, column in (("features", "label"), ("drop", "label"), ("groups", "label"), ("weights", "label")):
        text = f"column 'label' is named twice, by target and by {key}\n  = leave one of them out"
        assert text in refused(load, tmp_path, content, **{key: column})
    assert "column 'a' is named twice in target" in refused(load, tmp_path, content, target=("a", "a"))
    assert "column 'a' is named twice in features" in refused(load, tmp_path, content, features=("a", "a"))
    assert "has no column 'd'" in refused(load, tmp_path, content, features="d")


def test_weights_are_no_feature(tmp_path):
    dataset = load(tmp_path, "x,w,label\n1,0.5,a\n2,0,b\n3,7,a\n", weights="w")
    assert dataset.inputs.names == ("x",) and dataset.roles.weights.dtype == np.float64
    assert dataset.roles.weights.tolist() == [0.5, 0, 7]


WEIGHTS = {
    "-1": "t.csv: 'w' of data row 2 is '-1'\n  = a weight is a number from 0 up",
    "much": "t.csv: 'w' of data row 2 is 'much'\n  = a weight is a number from 0 up",
    "inf": "t.csv: 'w' of data row 2 is 'inf'\n  = a weight is a number from 0 up",
    "": "t.csv: 'w' of data row 2 is missing (1 of 3 rows)\n  = drop those rows, or fill them in",
    "0": "t.csv: 'w' is 0 in every row\n  = some row must count",
}


@pytest.mark.parametrize("word", WEIGHTS)
def test_weights_that_cannot_be_are_refused(tmp_path, word):
    message = refused(load, tmp_path, f"x,w,label\n1,0,a\n2,{word},b\n3,0,a\n", weights="w")
    assert message == f"error: {WEIGHTS[word]}"


MIXED = "colour,size,shape,label\nred,1,round,a\n,2,flat,b\nblue,,round,a\n"


def test_embedded_categories_are_codes_beside_numbers(tmp_path):
    dataset = load(tmp_path, MIXED, categories="embedded", impute="mean")
    assert dataset.layout == "ids" and dataset.features.dtype == np.int64
    assert dataset.features.tolist() == [[3, 3], [1, 2], [2, 3]]
    assert dataset.vocabularies == ((PADDING, UNKNOWN, "blue", "red"), (PADDING, UNKNOWN, "flat", "round"))
    np.testing.assert_array_equal(dataset.side.values, np.array([[1], [2], [np.nan]], np.float32))
    assert (dataset.inputs.names, dataset.side.names) == (("colour", "shape"), ("size",))
    assert fit(dataset, np.array([0, 1])).fill.tolist() == [1.5]
    with pytest.raises(DataError, match="1 value is missing, the first at data row 3, column 'size'"):
        check(load(tmp_path, MIXED, categories="embedded"))


def test_a_lone_embedded_column_is_ids_and_not_a_text(tmp_path):
    dataset = check(load(tmp_path, "c,label\nx,a\ny,b\n", categories="embedded"))
    assert dataset.layout == "ids" and dataset.side is None
    assert load(tmp_path, "c,d,label\nx,y,a\ny,x,b\n", categories="embedded").side is None
    assert "has no column of categories to embed" in refused(
        load, tmp_path, "x,label\n1,a\n2,b\n", categories="embedded"
    )


def test_more_levels_may_be_embedded_than_make_columns(tmp_path):
    content = "c,label\n" + "".join(f"name{i:03},{'ab'[i % 2]}\n" for i in range(300))
    assert len(load(tmp_path, content, categories="embedded").vocabularies[0]) == 302
    assert "or categories: embedded" in refused(load, tmp_path, content)


def test_a_search_over_embedded_categories_ends_with_a_score(tmp_path):
    random = np.random.default_rng(0)
    lines = [
        f"{c},{x:.2f},{int(c in 'ab')}"
        for c, x in zip(random.choice([*"abcde"], 60), random.normal(size=60), strict=True)
    ]
    (tmp_path / "t.csv").write_text("\n".join(["c,x,y", *lines]))
    dataset = {"name": "table", "path": "t.csv", "target": "y", "categories": "embedded"}
    path = write_space(tmp_path, dataset=dataset, model={"embedding_size": [2, 4]}, training={"epochs": 2},
                       search={"trials": 1})  # fmt: skip
    code, _, err = inside("search", path, "--study", tmp_path / "s.db", "--workers", 0)
    assert code == 0, err
    code, out, _ = inside("report", tmp_path / "s.db", "--format", "json")
    assert code == 0 and json.loads(out)


CELL = st.sampled_from(["1", "-2.5", "1e3", "", "NA", "?", "x", "true", "2024-01-02", "1e60", "nan", " 7 "])


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=9), st.integers(20, 80))
def test_numbers_read_in_chunks_are_those_of_the_whole_file(tmp_path_factory, rows, block):
    path = tmp_path_factory.mktemp("t") / "t.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("a", "b", "label"), *rows])
    whole = frames.read_frame(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimited, "BLOCK", block)
        chunked = frames.read_frame(path, narrow=lambda name: name != "label")
    assert list(chunked) == ["a", "b", "label"]
    for name in whole:
        if pd.api.types.is_numeric_dtype(whole[name]) and name != "label":
            with np.errstate(over="ignore"):
                expected = whole[name].to_numpy(dtype=np.float64).astype(np.float32)
            assert chunked[name].dtype == np.float32
            np.testing.assert_array_equal(chunked[name], expected)
        else:
            pd.testing.assert_series_equal(chunked[name], whole[name])


@pytest.mark.parametrize("late", ["1,a,9", "1,caf\xe9"])
def test_what_is_wrong_far_down_is_told_as_in_a_short_file(tmp_path, late, monkeypatch):
    content = ("x,label\n" + "1,a\n" * 50 + late + "\n").encode("latin-1")
    monkeypatch.setattr(delimited, "BLOCK", 20)
    text = "line 52" if late == "1,a,9" else "is not UTF-8 (byte 213, line 52)"
    assert text in refused(load, tmp_path, content)
