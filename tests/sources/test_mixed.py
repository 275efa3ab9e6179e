"""Columns that are nearly numbers, dates or true/false are read as these, refused or told: not silently categories."""

import datetime
import gzip
import io
import json
import lzma

import numpy as np
import pandas as pd
import pytest
from helpers import inside

ROWS = 24
HEADER = "a,x,y"
SPELLED = ["NA", "n/a", "NULL", "None", "?", "nan", "-nan", "<NA>", "#N/A", "#N/A N/A", "#NA", "1.#IND", "-1.#QNAN"]


def written(folder, cells, name="t.csv"):
    """A table of a number, these cells over and over, and a class."""
    rows = [f"{n / 8},{cells[n % len(cells)]},{'pq'[n % 5 > 2]}" for n in range(ROWS)]
    (folder / name).write_text("\n".join([HEADER, *rows]) + "\n", "utf-8")
    return folder / name


def told(path, *options):
    """The columns by name, the warnings, and what is refused."""
    code, out, err = inside("data", "--json", path, *options)
    if code:
        return {}, [], err
    found = json.loads(out)
    return {each["name"]: each for each in found["features"] + found["targets"]}, found["warnings"], found["refused"]


@pytest.mark.parametrize("word", SPELLED)
def test_what_pandas_and_arrow_take_for_missing_is_missing_among_few_numbers_and_truths(tmp_path, word):
    for cells, missing in (["0", "1", word], 8), (["TRUE", "FALSE", "TRUE", word], 6):
        columns, _, _ = told(written(tmp_path, cells), "--target", "y")
        assert (columns["x"]["kind"], columns["x"]["missing"]) == ("yes/no", missing)


@pytest.mark.parametrize("word", ["NA", "#N/A", "NaN"])
def test_a_column_of_one_word_for_missing_is_empty(tmp_path, word):
    assert "column 'x' is empty" in told(written(tmp_path, [word]), "--target", "y")[2]


@pytest.mark.parametrize(
    ("cells", "what"),
    [
        (["0", "1", "."], "numbers"),
        ([*map(str, range(9)), *["-"] * 15], "numbers"),
        (["$5", "$7.50", "-"], "numbers"),
        (["true", "false", "missing"], "true or false"),
        (["2024-01-05", "--", "--", "--"], "dates"),
    ],
    ids=str,
)
def test_one_text_beside_numbers_truths_or_dates_is_told(tmp_path, cells, what):
    odd = next(cell for cell in cells if not any(map(str.isdigit, cell)) and cell not in ("true", "false"))
    columns, warnings, _ = told(written(tmp_path, cells), "--target", "y")
    assert columns["x"]["kind"] == "category"
    assert (
        f"column 'x' is read as categories: all its values but {odd!r} are {what}; if that stands for a missing value, "
        "leave those cells empty"
    ) in warnings


@pytest.mark.parametrize("cells", [["red", "blue", "-"], ["a1", "b2", "-"], ["1", "2", "-", "x"], ["north", "south"]])
def test_words_and_codes_are_categories_without_a_note(tmp_path, cells):
    columns, warnings, _ = told(written(tmp_path, cells), "--target", "y")
    assert columns["x"]["kind"] == "category"
    assert not any("is read as" in warning for warning in warnings)


def test_a_target_of_codes_and_a_word_is_classes_with_a_note(tmp_path):
    columns, warnings, _ = told(written(tmp_path, ["0", "1", "."]), "--target", "x")
    assert columns["x"]["kind"] == "category"
    assert any(warning.startswith("the target 'x' is read as classes: all its values but '.'") for warning in warnings)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ([*map(str, range(23)), "."], "mixes numbers and text: '.' in data row 24, beside '0'"),
        ([f"2024-01-{day:02d}" for day in range(1, 25)], "holds dates, such as '2024-01-01'"),
        (["03/04/2024", "05/06/2024"], "holds dates, such as '03/04/2024'"),
        (["True", "False", "NA"], "is true or false, and missing in data row 3 ('NA')"),
    ],
)
def test_a_target_of_numbers_dates_or_truths_is_not_silently_classes(tmp_path, cells, said):
    path = written(tmp_path, cells)
    assert f"error: t.csv: the target 'x' {said}" in told(path, "--target", "x")[2]
    space = tmp_path / "s.yaml"
    space.write_text("dataset: {name: table, path: t.csv, target: x, task: classification}\nmodel: mlp\n")
    assert told(space)[0]["x"]["kind"] == "category"


def test_dates_in_a_typed_file_are_not_silently_classes(tmp_path):
    frame = pd.DataFrame({"a": np.arange(9.0), "x": pd.date_range("2024-01-01", periods=9)})
    frame.to_parquet(tmp_path / "t.parquet")
    assert "the target 'x' holds dates" in told(tmp_path / "t.parquet", "--target", "x")[2]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (pd.to_timedelta(np.arange(24), unit="h"), "holds time spans, such as '0 days 00:00:00'"),
        ([datetime.time(hour) for hour in range(24)], "holds times of day, such as '00:00:00'"),
        ([datetime.date(2024, 1, 1 + day) for day in range(24)], "holds dates, such as '2024-01-01'"),
    ],
    ids=["spans", "times", "dates"],
)
def test_times_in_a_typed_file_are_not_silently_classes(tmp_path, values, said):
    pd.DataFrame({"x": np.arange(24) / 8, "y": values}).to_parquet(tmp_path / "t.parquet")
    code, _, err = inside("data", tmp_path / "t.parquet", "--target", "y")
    assert code == 2 and said in err


@pytest.mark.parametrize("suffix", ["csv", "xlsx", "parquet"])
def test_two_columns_of_times_are_dates_and_not_sentences_and_their_translation(tmp_path, suffix):
    begin = pd.Timestamp("2024-01-05 10:00:00") + pd.to_timedelta(np.arange(ROWS) * 1000, unit="min")
    frame = pd.DataFrame({"begin": begin, "end": begin + pd.Timedelta("90s"), "fare": np.arange(ROWS) ** 1.5})
    path = tmp_path / f"t.{suffix}"
    {"csv": frame.to_csv, "xlsx": frame.to_excel, "parquet": frame.to_parquet}[suffix](path, index=False)
    assert {"begin: days", "end: days", "fare"} <= set(told(path)[0])


def test_time_spans_are_days_in_every_file(tmp_path):
    spans = pd.to_timedelta(np.arange(ROWS) * 5000, unit="s")
    frame = pd.DataFrame({"x": spans, "a": np.arange(ROWS) ** 2.0, "y": ["p", "q"] * (ROWS // 2)})
    frame.to_csv(tmp_path / "pandas.csv", index=False)
    frame.to_parquet(tmp_path / "t.parquet")
    frame.assign(x=[str(span.to_pytimedelta()) for span in spans]).to_csv(tmp_path / "python.csv", index=False)
    from openpyxl import Workbook

    book = Workbook()
    for row in [("x", "a", "y"), *((datetime.timedelta(days=n, hours=3), n * n, "pq"[n % 2]) for n in range(ROWS))]:
        book.active.append(row)
    book.save(tmp_path / "t.xlsx")
    values = [
        told(tmp_path / name, "--target", "y")[0]["x"]["values"] for name in ("pandas.csv", "t.parquet", "python.csv")
    ]
    assert values == ["0 … 1.331, median 0.6655"] * 3
    assert told(tmp_path / "t.xlsx", "--target", "y")[0]["x"]["values"] == "0.125 … 23.12, median 11.62"


def test_hexadecimal_numbers_and_numbers_with_a_minus_sign_are_numbers(tmp_path):
    columns, warnings, _ = told(written(tmp_path, ["0x1F", "0xff", "0x0"]), "--target", "y")
    assert columns["x"]["values"] == "0 … 255, median 31"
    assert "read as numbers: 'x' (hexadecimal)" in warnings
    columns, warnings, _ = told(written(tmp_path, ["\u22121.5", "2", "3"]), "--target", "y")
    assert columns["x"]["values"] == "-1.5 … 3, median 2"
    assert "read as numbers: 'x' (\u2212 is a minus sign)" in warnings


@pytest.mark.parametrize("separator", [" ", "\t"])
@pytest.mark.parametrize("header", ['"a" "b" "y"', '"" "a" "b" "y"'])
def test_a_table_of_r_in_a_txt_file_is_not_a_book(tmp_path, separator, header):
    rows = [f'"{n}" {n / 8} {n % 7} "{"pq"[n % 2]}"' for n in range(1, ROWS)]
    (tmp_path / "t.txt").write_text("\n".join([header, *rows]).replace(" ", separator) + "\n")
    columns, _, said = told(tmp_path / "t.txt")
    assert "a" in columns if separator == "\t" and header.startswith('""') else "error: t.txt " in said


def test_a_file_that_is_packed_otherwise_than_by_gzip_is_refused_with_what_it_is(tmp_path):
    raw = written(tmp_path, ["1", "2"]).read_bytes()
    (tmp_path / "t.csv.xz").write_bytes(lzma.compress(raw))
    assert "error: t.csv.xz is packed by xz, and not text\n  = unpack it" in told(tmp_path / "t.csv.xz")[2]
    (tmp_path / "u.csv.gz").write_bytes(gzip.compress(raw))
    assert "a" in told(tmp_path / "u.csv.gz")[0]


def test_an_array_that_python_2_wrote_is_read_without_a_warning(tmp_path):
    stream = io.BytesIO()
    np.save(stream, np.arange(12.0).reshape(6, 2))
    raw = stream.getvalue().replace(b"(6, 2)", b"(6L,2)")
    (tmp_path / "t.npy").write_bytes(raw)
    np.save(tmp_path / "y.npy", np.arange(6) % 2)
    space = tmp_path / "s.yaml"
    space.write_text("dataset: {name: arrays, path: t.npy, target: y.npy}\nmodel: mlp\n")
    code, out, err = inside("data", space)
    assert (code, err) == (0, "") and "6 of 2" in out


def test_a_header_that_begins_like_a_packed_file_is_read(tmp_path):
    (tmp_path / "t.csv").write_text("BZh_id,PK\n" + "".join(f"{n / 8},{'pq'[n % 2]}\n" for n in range(ROWS)))
    assert set(told(tmp_path / "t.csv", "--target", "PK")[0]) == {"BZh_id", "PK"}
