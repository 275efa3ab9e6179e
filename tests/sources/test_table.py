"""Tables: numbers, categories and missing values as a plain reading gives them; each bad file is told in a sentence."""

import csv
import datetime
import io
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_data import toy_dataset

from tuner.cli.console import error_text
from tuner.data.check import check
from tuner.errors import DataError
from tuner.sources import table
from tuner.sources.loading.guess import guess
from tuner.sources.readers import delimited, frames
from tuner.sources.readers.in_memory import plain_frame

PLAIN = "size,colour,label\n1.5,red,a\n,blue,NA\n2,red,b\n"


def load(folder, content, name="t.csv", encoding="utf-8", **wish):
    raw = content if isinstance(content, bytes) else content.encode(encoding)
    (folder / name).write_bytes(raw)
    return table.load(table.Settings(path=name, **{"target": "label", **wish}), folder)


def refused(folder, content, **wish):
    with pytest.raises(DataError) as caught:
        load(folder, content, **wish)
    return error_text(caught.value)


def assert_plain(dataset):
    np.testing.assert_array_equal(dataset.features, [[1.5, 0, 1], [np.nan, 1, 0], [2, 0, 1]])
    assert dataset.inputs.names == ("size", "colour=blue", "colour=red")
    assert dataset.numbers.categories == (slice(1, 3),)
    assert dataset.classes == ("NA", "a", "b") and dataset.targets.tolist() == [1, 0, 2]


WRITTEN = {
    "comma": (PLAIN, {}),
    "semicolon": (PLAIN.replace(",", ";"), {"separator": ";"}),
    "tsv": (PLAIN.replace(",", "\t"), {"name": "t.tsv"}),
    "bom": ("\ufeff" + PLAIN, {}),
    "windows": (PLAIN.replace("\n", "\r\n"), {}),
    "spaces": (PLAIN.replace(",", " , "), {}),
    "quotes": (PLAIN.replace("red", '"red"').replace("size", '"size"'), {}),
    "dropped": (PLAIN.replace("\n", ",9\n").replace("label,9", "label,id"), {"drop": "id"}),
}


@pytest.mark.parametrize("case", WRITTEN)
def test_the_same_table_however_it_is_written(tmp_path, case):
    content, wish = WRITTEN[case]
    assert_plain(load(tmp_path, content, **wish))


def test_a_missing_category_is_missing_in_all_its_columns(tmp_path):
    dataset = load(tmp_path, "c,d,label\nx,1,a\n,2,b\ny,3,a\n")
    np.testing.assert_array_equal(dataset.features, [[1, 0, 1], [np.nan, np.nan, 2], [0, 1, 3]])


@pytest.mark.parametrize("word", ["", "NA", "NaN", "n/a", "NULL", "?", "None"])
def test_words_for_missing_do_not_turn_numbers_into_categories(tmp_path, word):
    dataset = load(tmp_path, f"x,z,label\n1,1,a\n{word},2,b\n3,3,a\n")
    np.testing.assert_array_equal(dataset.features[:, 0], [1, np.nan, 3])


def test_missing_features_are_told_unless_imputed(tmp_path):
    with pytest.raises(DataError, match="1 value is missing, the first at data row 2, column 'size'"):
        check(load(tmp_path, PLAIN))
    check(load(tmp_path, PLAIN, impute="mean"))


def test_several_targets_are_outputs(tmp_path):
    dataset = load(tmp_path, "x,u,v\n1,2,3.5\n4,5,6\n", target=("u", "v"))
    np.testing.assert_array_equal(dataset.targets, [[2, 3.5], [5, 6]])
    assert (dataset.task, dataset.target.names, dataset.inputs.names) == ("regression", ("u", "v"), ("x",))


def test_numbers_decide_the_task_and_task_overrides(tmp_path):
    few = "x,label\n" + "".join(f"{i},{i % 3}\n" for i in range(30))
    many = "x,label\n" + "".join(f"{i},{i}\n" for i in range(30))
    assert load(tmp_path, few).classes == ("0", "1", "2")
    assert load(tmp_path, many).task == "regression"
    assert load(tmp_path, few, task="regression").targets.dtype == np.float64
    assert len(load(tmp_path, many, task="classification").classes) == 30


FRAMES = {
    "numbers": pd.DataFrame({"x": [1.5, np.nan, 3], "n": [1, 2, 3], "label": ["a", "b", "a"]}),
    "nullable": pd.DataFrame({"x": [1.5, np.nan, 3], "n": [1, 2, 3], "label": ["a", "b", "a"]}).convert_dtypes(),
    "categories": pd.DataFrame({"x": [1.5, None, 3], "n": [1, 2, 3], "label": pd.Categorical(["a", "b", "a"])}),
}


@pytest.mark.parametrize("case", FRAMES)
def test_parquet_round_trip(tmp_path, case):
    FRAMES[case].to_parquet(tmp_path / "t.parquet")
    dataset = table.load(table.Settings(path="t.parquet", target="label"), tmp_path)
    np.testing.assert_array_equal(dataset.features, [[1.5, 1], [np.nan, 2], [3, 3]])
    assert dataset.classes == ("a", "b") and dataset.targets.tolist() == [0, 1, 0]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_categories_that_begin_alike_stay_apart_where_one_is_missing(tmp_path, kind):
    frame = pd.DataFrame({"c": ["red", "rose", None, "red"], "label": [*"abab"]})
    getattr(frame, f"to_{kind}")(tmp_path / f"t.{kind}", index=False)
    dataset = table.load(table.Settings(path=f"t.{kind}", target="label"), tmp_path)
    assert dataset.inputs.names == ("c=red", "c=rose")
    np.testing.assert_array_equal(dataset.features, [[1, 0], [0, 1], [np.nan, np.nan], [1, 0]])


def test_true_and_false_are_numbers_in_text_as_in_parquet(tmp_path):
    frame = pd.DataFrame({"b": [True, None, False, True], "c": ["u", "v", "u", None], "label": [*"abab"]})
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_csv(tmp_path / "t.csv", index=False)
    as_text, as_typed = (
        table.load(table.Settings(path=f"t.{kind}", target="label"), tmp_path) for kind in ("csv", "parquet")
    )
    np.testing.assert_array_equal(as_text.features[:, 0], [1, np.nan, 0, 1])
    np.testing.assert_array_equal(as_text.features, as_typed.features)
    with pytest.raises(DataError, match="2 values are missing, the first at data row 2, column 'b'"):
        check(as_text)


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [(pd.array([10, 2, 2], dtype="Int64"), "classification", ("2", "10")),
     (pd.array([0.5, 2.5, 1.5], dtype="Float64"), "regression", ())],
)  # fmt: skip
def test_nullable_numbers_in_parquet_are_numbers_as_targets(tmp_path, values, task, classes):
    pd.DataFrame({"x": [1, 2, 3], "label": values}).to_parquet(tmp_path / "t.parquet")
    dataset = table.load(table.Settings(path="t.parquet", target="label"), tmp_path)
    assert (dataset.task, dataset.classes) == (task, classes)


REFUSED = {
    "empty": ("", ["t.csv is empty"]),
    "header only": ("x,label\n", ["t.csv has a header but no rows"]),
    "semicolons": (PLAIN.replace(",", ";"), ["t.csv has 1 column(s) when split at ','", "dataset.separator: ';'"]),
    "duplicate": ("x,x,label\n1,2,a\n", ["t.csv has two columns called 'x'", "rename one of them"]),
    "ragged": ("x,label\n1,a\n2,b,c\n", ["is not a readable table", "line 3"]),
    "long rows": ("x,z,label\n1,2,a,\n3,4,b,\n", ["is not a readable table: line 2 has 4 fields, and the first 3"]),
    "short row": ("label,x,z\n\na,2,\nb,3\n", ["line 4 has 2 fields, and the first 3", "an empty field, as in a,,c"]),
    "short and quoted": ('label,x,z\na,2,3\n"b,c",3\n', ["line 3 has 2 fields, and the first 3"]),
    "blank, then short": ("label,x\n\na\n", ["line 3 has 1 fields, and the first 2"]),
    "open quote": (
        'x,z,label\n1,"q,a\n2,3,b\n3,q","a"\n',
        ["t.csv, line 2: the quote mark of field 2 is not closed: 'q,a'"],
    ),
    "open quote, dropped": ('x,z,b,label\n1,2,"q,a\n2,3,4,b\n3,5,q",a\n', ["line 2: the quote mark of field 3"]),
    "open quote to the end": ('x,label\n1,"q\n2,b\n', ["line 2: the quote mark of field 2 is not closed: 'q'"]),
    "open quote in the last row": ('x,label\n1,"q\n', ["t.csv, line 2: the quote mark of field 2 is not closed: 'q'"]),
    "empty column": ("x,k,label\n1,,a\n2,,b\n", ["column 'k' is empty", "leave it out with drop"]),
    "missing target": ("x,label\n1,a\n2,\n3,\n", ["'label' of data row 2 is missing (2 of 3 rows)"]),
    "near miss": ("x,labels\n1,a\n", ["t.csv has no column 'label'", "did you mean 'labels'?"]),
    "no feature": ("label,b\nx,1\n", ["no column is left as a feature"]),
    "binary": (bytes(range(256)) * 4, ["t.csv"]),
    "NUL": (b"\0\0\0,\0\n" * 9, ["holds NUL bytes (line 1), so it is not text"]),
    "latin-1": ("x,label\n1,caf\xe9\n".encode("latin-1"), ["is not UTF-8 (byte 13, line 2)", "save it as UTF-8"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_file_is_told_in_a_sentence(tmp_path, case):
    content, texts = REFUSED[case]
    wish = {"drop": "b"} if case in ("no feature", "open quote, dropped") else {}
    message = refused(tmp_path, content, **wish)
    for text in texts:
        assert text in message
    assert message.startswith("error: ") and message.count("\n") <= 1


def test_empty_fields_at_the_end_of_a_row_are_missing_values(tmp_path):
    dataset = load(tmp_path, 'label,x,z\r\na,1,"2"\r\n\r\nb,,\r\na,5,6')
    np.testing.assert_array_equal(dataset.features, [[1, 2], [np.nan, np.nan], [5, 6]])


COMMA = delimited.Dialect(",")


@pytest.mark.parametrize("name", ['5" a', '"a ""b"", c"', '"a"b', '""', '"a,\'b"', '"a,b"" c"', '5" a"', 'a"b"c"'])
def test_fields_are_counted_as_the_csv_module_counts_them(name):
    content = f"x,name,label\n1,{name},a\n{name},2,b\n1,2,{name}\n"
    assert {len(row) for row in csv.reader(io.StringIO(content))} == {3}
    columns = delimited.read(io.BytesIO(content.encode()), COMMA, "t.csv").columns
    assert list(zip(*(column.to_pylist() for column in columns), strict=True)) == list(
        map(tuple, csv.reader(io.StringIO(content)))
    )
    for wrong in (name, f"b,{name}", f"{name},2,3,4"):
        count = len(next(csv.reader([wrong])))
        with pytest.raises(DataError, match=f"line 5 has {count} fields, and the first 3"):
            delimited.read(io.BytesIO(f"{content}{wrong}\n".encode()), COMMA, "t.csv")


def test_rows_are_counted_through_the_blocks_of_a_long_file(tmp_path):
    lines = ["x,name,label", *(f'{i},"Doe, {"ab"[i % 2]}",{"ab"[i % 3 % 2]}' for i in range(99_999))]
    assert len(load(tmp_path, "\n".join(lines)).features) == 99_999
    assert "line 90001 has 2 fields" in refused(tmp_path, "\n".join([*lines[:90_000], "p,1", *lines[90_000:]]))


def test_the_place_of_a_wrong_byte_is_right_in_a_long_file(tmp_path):
    start = b"x,label\n" + b"1,a\n" * 100_000
    assert f"(byte {len(start) + 2}, line 100002)" in refused(tmp_path, start + b"1,\xe9\n")


def test_free_text_is_refused(tmp_path):
    ids = "id,x,label\n" + "".join(f"name{i},1,{'ab'[i % 2]}\n" for i in range(201))
    assert "column 'id' has 201 different texts" in refused(tmp_path, ids)


def test_files_that_cannot_be_opened(tmp_path):
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 not really")
    (tmp_path / "folder.csv").mkdir()
    for name, text in (
        ("none.csv", "no such file"),
        ("bad.parquet", "not a readable table"),
        ("folder.csv", "folder, not a file"),
    ):
        with pytest.raises(DataError, match=text):
            table.load(table.Settings(path=name, target="label"), tmp_path)


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_the_index_that_pandas_writes_is_left_out_and_told(tmp_path, kind):
    frame = pd.DataFrame({"x": [5.0, 6.0, 7.0, 8.0], "y": list("abab")})
    getattr(frame, f"to_{kind}".replace("xlsx", "excel"))(tmp_path / f"t.{kind}")
    dataset = table.load(table.Settings(path=f"t.{kind}", target="y"), tmp_path)
    assert dataset.inputs.names == ("x",)
    assert dataset.notes == ("a column without a name only numbers the rows: it is left out",)
    frame.set_index(pd.Index([3, 1, 4, 1])).to_csv(tmp_path / "t.csv")
    assert table.load(table.Settings(path="t.csv", target="y"), tmp_path).inputs.names == ("Unnamed: 0", "x")


@pytest.mark.parametrize("name", ["", "rownames", "id", "Index", "row_id"])
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("shuffled", [False, True])
def test_numbers_of_the_rows_are_no_feature(tmp_path, name, first, shuffled):
    """In a table that is sorted by its class, they would predict it."""
    numbers = np.arange(12) + first
    numbers = np.random.default_rng(0).permutation(numbers) if shuffled else numbers
    frame = pd.DataFrame({"x": 1.5 * numbers, "y": np.repeat([*"abc"], 4)}, index=pd.Index(numbers, name=name))
    frame.to_csv(tmp_path / "t.csv")
    dataset = table.load(table.Settings(path="t.csv", target="y"), tmp_path)
    assert dataset.inputs.names == ("x",)
    called = f"column '{name}'" if name else "a column without a name"
    assert dataset.notes == (f"{called} only numbers the rows: it is left out",)
    if name:
        wish = table.Settings(path="t.csv", target="y", features=("x", name))
        assert table.load(wish, tmp_path).inputs.names == ("x", name)
        assert table.load(table.Settings(path="t.csv", target=name, drop="y"), tmp_path).target.names == (name,)


NAMED = pd.DataFrame({"x": [5.0, 6.0, 7.0], "patient": [4, 4, 9], "site": [*"uvu"], "y": [*"aba"]})


@pytest.mark.parametrize("index", [["patient"], ["patient", "site"]])
@pytest.mark.parametrize("kind", ["csv", "parquet", "feather", "xlsx", "memory"])
def test_an_index_with_a_name_is_a_column(tmp_path, kind, index):
    frame = NAMED.set_index(index)
    wish = table.Settings(path=f"t.{kind}", target="y", groups="patient")
    if kind == "memory":
        assert list(plain_frame(NAMED.set_index(index, drop=False), "t")) == list(NAMED)
        dataset = table.of_frame(plain_frame(frame, "t"), wish, "y", "t")
    else:
        more = {"merge_cells": False} if kind == "xlsx" else {}
        getattr(frame, f"to_{kind}".replace("xlsx", "excel"))(tmp_path / wish.path, **more)
        dataset = table.load(wish, tmp_path)
    assert dataset.roles.groups.tolist() == [0, 0, 1] and set(dataset.inputs.names) == {"x", "site=u", "site=v"}


@pytest.mark.parametrize(
    "written",
    ["%d.%m.%Y", "%m/%d/%Y", "%d-%m-%Y", "%Y/%m/%d", "%d.%m.%Y %H:%M", "%d %b %Y", "%B %d, %Y", "%Y-%m-%d %H:%M:%S"],
)
def test_dates_that_can_be_read_in_one_way_are_read_so(tmp_path, written):
    days = [datetime.datetime(2024, 3, 25, 6), datetime.datetime(2024, 12, 3), datetime.datetime(1999, 7, 31, 12)]
    lines = [f'"{day.strftime(written)}",{label}' for day, label in zip(days, "aba", strict=True)]
    dataset = load(tmp_path, "\n".join(["d,label", *lines]) + "\n")
    expected = [[(day - datetime.datetime(1970, 1, 1)).days, day.month, day.weekday()] for day in days]
    np.testing.assert_array_equal(np.floor(dataset.features), expected)


@pytest.mark.parametrize("first", ["5.1,3.5,1.4,rose", "5,3,1", "-1,2,a.b,0.5"])
def test_a_first_line_of_data_is_no_header(tmp_path, first):
    content = f"{first}\n" + "4.9,3.0,1.3,rose\n" * 3
    with pytest.raises(DataError, match=r"the first line of t\.csv holds the number '-?[0-9.]+', and is to name"):
        load(tmp_path, content, target="rose")


def test_columns_may_be_numbered_or_called_by_years(tmp_path):
    for names in ("0,1,label", "1,2,label", "2019,2020,label"):
        assert load(tmp_path, f"{names}\n3,4,a\n5,6,b\n").features.tolist() == [[3, 4], [5, 6]]


def test_a_column_of_numbers_with_a_wrong_one_is_no_category(tmp_path):
    rows = [f"{n},{'ab'[n % 2]}" for n in range(30)]
    for word, told in (("oops", "mixes numbers and text: 'oops' in data row 8, beside '0'"),
                       ("7,5", "holds a decimal comma: '7,5' in data row 8")):  # fmt: skip
        content = "\n".join(["x,label", *rows[:7], f'"{word}",a', *rows[8:]])
        hint = "decimal: ',', or write 7.5" if "," in word else (
            "delete that row if it is a second header or a total; else correct the cell, or leave it empty"
        )  # fmt: skip
        assert refused(tmp_path, content) == f"error: t.csv: column 'x' {told}\n  = {hint}"
    german = "x;label\n" + "".join(f"{n // 4},{n % 4};{'ab'[n % 2]}\n" for n in range(8))
    assert "'0,0' in data row 1\n  = decimal: ',', or write 0.0" in refused(tmp_path, german, separator=";")


@pytest.mark.parametrize("values", [["1a", "2b", "3c"], [*"01", "unknown"], [*"1234", "x"], [*"12345", *"uvwxyz"]])
def test_codes_and_names_with_digits_are_categories(tmp_path, values):
    content = "x,label\n" + "".join(f"{value},{'ab'[i % 2]}\n" for i, value in enumerate(values * 3))
    assert load(tmp_path, content).inputs.names == tuple(f"x={value}" for value in values)


def peak(work):
    tracemalloc.start()
    work()
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found


def test_columns_that_tell_a_role_are_read_narrow_as_others(tmp_path, monkeypatch):
    content = "device,date,x,label\n" + "".join(f"{n % 2},{n},{n / 2},{'ab'[n % 2]}\n" for n in range(6))
    dataset = load(tmp_path, content)
    assert dataset.hints[0].startswith("column 'device' has 2 values in 6 rows")
    monkeypatch.setattr(table, "of_frame", lambda frame, *_: frame)
    assert load(tmp_path, content).dtypes.to_list()[:3] == [np.float32] * 3


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("block", [400, 1_000_000])
def test_ids_that_float32_takes_for_one_another_are_told_apart(tmp_path, kind, block, monkeypatch):
    monkeypatch.setattr(delimited, "BLOCK", block)
    i = np.arange(200)
    frame = pd.DataFrame(
        {"patient": 20240001 + i // 4, "record": 2**24 - 100 + i, "x": i + 2e9 + 0.5, "y": [*"ab"] * 100}
    )
    getattr(frame, f"to_{kind}")(tmp_path / f"t.{kind}", index=False)
    dataset = table.load(table.Settings(path=f"t.{kind}", target="y"), tmp_path)
    assert dataset.hints[0].startswith("column 'patient' has 50 values in 200 rows")
    text = "column '{}' numbers the rows: it cannot help to predict new rows; drop it"
    assert dataset.notes == (text.format("record"), text.format("x"))
    read = frames.read_frame(tmp_path / f"t.{kind}", narrow=lambda name: name != "y")
    pd.testing.assert_frame_equal(read[["record", "x"]], frame[["record", "x"]], check_exact=True, check_dtype=False)


def test_a_look_for_what_is_wrong_takes_less_memory_than_the_data():
    values = np.full((50_000, 20), np.nan, dtype=np.float32)
    values[::5] = 1
    rows = np.arange(len(values)) % 2
    dataset = toy_dataset("d", "classification", values, rows, (), ("y",), ("a", "b"), impute="mean")
    assert peak(lambda: check(dataset)) < values.nbytes


@pytest.mark.parametrize("days", [["1949-01", "1949-03"], ["25/03/2024", "01/04/2024"], ["03/25/24", "04/01/24"]])
def test_a_date_as_a_feature_is_a_date_as_a_time(tmp_path, days):
    content = f"when,x,label\n{days[1]},1,a\n{days[0]},2,b\n"
    assert load(tmp_path, content).inputs.names[0] == "when: days"
    assert np.diff(load(tmp_path, content, time="when").roles.order) < 0


@pytest.mark.parametrize(("value", "text"), [
    ("NA", "t.csv: 'when' of data row 4 is missing ('NA')"),
    ("01/02/2024", "column 'when' mixes date formats: '01/02/2024' in data row 4, but '2024-01-01'"),
    ("31.12.9999", "column 'when' mixes date formats: '31.12.9999' in data row 4, but '2024-01-01'"),
    ("soon", "column 'when' mixes date formats: 'soon' in data row 4, but '2024-01-01'"),
    ("9999-12-31", "such as 2024-03-25: '9999-12-31' in data row 4"),
])  # fmt: skip
def test_a_time_that_is_none_is_named_with_its_row(tmp_path, value, text):
    days = ["2024-01-01", "2024-01-02", "2024-01-03", value, "2024-01-05"]
    content = "when,x,label\n" + "".join(f"{day},{i},{'ab'[i % 2]}\n" for i, day in enumerate(days))
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(DataError) as caught:
        table.load(table.Settings(path="t.csv", target="label", time="when"), tmp_path)
    assert text in error_text(caught.value)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_quoted_text_may_have_line_breaks(tmp_path, newline):
    rows = ["3,short,a", '1,"a note, of\ntwo lines",a', '2,"another,\n\none",b']
    dataset = load(tmp_path, newline.join(["x,note,label", *rows]).replace("\n", newline), drop="note")
    np.testing.assert_array_equal(dataset.features, [[3], [1], [2]])


CELLS = st.text(alphabet="ab1\"',;\t\n ", max_size=5)


@settings(max_examples=100, deadline=None)
@given(
    rows=st.integers(2, 4).flatmap(lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1)),
    separator=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
def test_what_the_csv_module_writes_is_read_back(rows, separator, quoting):
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator, quoting=quoting).writerows(rows)
    read = delimited.read(io.BytesIO(text.getvalue().encode()), delimited.Dialect(separator), "t.csv")
    assert [list(row.values()) for row in read.to_pylist()] == rows


def cells_of(content, **how):
    table = delimited.read(io.BytesIO(content), COMMA, "t.csv", **how)
    return [tuple(row.values()) for row in table.to_pylist()]


def test_a_row_longer_than_the_first_look_is_read_anew_from_the_start():
    rows = [tuple(f"column{n:05}" for n in range(1500)), ("1",) * 1500]
    content = "\n".join(map(",".join, rows)).encode()
    assert all(cells_of(content, rows=9) == rows for _ in range(30))  # Arrow reads in another thread


@pytest.mark.parametrize("before", range(-3, 4))
def test_a_line_end_at_the_end_of_a_block_stays_whole(before):
    content = b'"' + b"x" * (delimited.BLOCK - 3 + before) + b'\r\nz",1\r\nq,2'
    assert [row[0][-4:] for row in cells_of(content)] == ["x\r\nz", "q"]


def test_one_line_without_a_line_end_is_a_row():
    assert cells_of(b"a,b") == [("a", "b")]


@pytest.mark.parametrize("names", ["x,y,,", "x,,y,"])
def test_columns_without_name_and_value_fall_away(tmp_path, names):
    places = [place for place, name in enumerate(names.split(",")) if name]
    rows = [["", "", "", ""] for _ in range(12)]
    for number, row in enumerate(rows):
        row[places[0]], row[places[1]] = str(number), "ab"[number % 2]
    (tmp_path / "t.csv").write_text("\n".join([names, *map(",".join, rows)]) + "\n")
    found = table.load(table.Settings(path="t.csv", target="y"), tmp_path)
    assert found.inputs.names == ("x",) and len(found) == 12
    assert found.notes[0].startswith("columns without a name and any value are left out: Unnamed: ")
    assert guess(tmp_path / "t.csv", "y")[0] == {"name": "table", "path": str(tmp_path / "t.csv"), "target": "y"}


def test_rows_without_any_value_fall_away(tmp_path):
    (tmp_path / "t.csv").write_text("x,y,z\n1,a,3\n,,\n2,b,4\n,,\n , ,\n")
    found = table.load(table.Settings(path="t.csv", target="y", scale="none"), tmp_path)
    assert found.features.tolist() == [[1, 3], [2, 4]]
    assert found.notes == ("3 rows without any value are left out",)


def test_a_column_without_a_name_that_holds_something_stays(tmp_path):
    found = load(tmp_path, "x,label,\n1,a,3\n2,b,4\n")
    assert found.inputs.names == ("x", "Unnamed: 2")
