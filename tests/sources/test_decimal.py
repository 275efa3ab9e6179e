"""`decimal: ","`: a CSV is read as pandas reads it with the same signs, and `tuner data` proposes it."""

import io

import numpy as np
import pandas as pd
import pytest
from helpers import inside
from hypothesis import given
from hypothesis import strategies as st

from tuner.errors import DataError
from tuner.sources import table
from tuner.sources.readers.frames import read_frame
from tuner.sources.readers.numbers import NumberColumns
from tuner.sources.readers.settings import DelimitedSettings

GERMAN = DelimitedSettings(separator=";", decimal=",")
CELLS = st.one_of(
    st.integers(-(10**7), 10**7).map(str),
    st.integers(-(10**7), 10**7).map(lambda x: f"{x:,}".replace(",", ".")),
    st.floats(-1e6, 1e6).map(lambda x: f"{x:,.3f}".translate(str.maketrans(",.", ".,"))),
    st.floats(1e-9, 1e9).map(lambda x: f"{x:e}".replace(".", ",")),
    st.sampled_from(["", "NA", "0,5", "-,5", "1.234"]),
)


@given(rows=st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=30), narrow=st.booleans())
def test_numbers_equal_those_of_pandas(tmp_path_factory, rows, narrow):
    text = "a;b;c\n" + "".join(f"{a};{b};x\n" for a, b in rows)
    path = tmp_path_factory.mktemp("german") / "t.csv"
    path.write_text(text)
    frame = read_frame(path, GERMAN, narrow=(lambda name: name != "c") if narrow else None)
    wanted = pd.read_csv(io.StringIO(text), sep=";", decimal=",", thousands=".", na_values=["NA"])
    for name in "ab":
        found = pd.to_numeric(frame[name]) if frame[name].isna().all() else frame[name]
        np.testing.assert_allclose(found.astype(float), wanted[name].astype(float), rtol=1e-7 if narrow else 0)


@pytest.mark.parametrize("cell", ["1,234.5", "1.2.3", "1,2,3", "12.34", "1.23,4", "x"])
def test_what_is_not_such_a_number_is_a_text(tmp_path, cell):
    (tmp_path / "t.csv").write_text(f"a;b\n1,5;2\n{cell};3\n")
    assert read_frame(tmp_path / "t.csv", GERMAN)["a"].tolist() == ["1,5", cell]


def test_integers_that_float64_would_round_stay(tmp_path):
    (tmp_path / "t.csv").write_text("a;b\n9007199254740993;1,5\n9007199254740995;2\n")
    frame = read_frame(tmp_path / "t.csv", GERMAN, narrow=lambda name: True)
    assert frame["a"].tolist() == [9007199254740993, 9007199254740995]


def german(folder):
    """A small German table: a measure, an amount of money, a count with points, and the target."""
    rows = "".join(f"{i},25;{i}.{i % 900 + 100},50 €;1.{i + 100};{'ja' if i % 3 else 'nein'}\n" for i in range(1, 40))
    (folder / "t.csv").write_text("wert;preis;zahl;antwort\n" + rows)


def test_tuner_data_proposes_it_and_describes_the_numbers(tmp_path):
    german(tmp_path)
    code, out, err = inside("data", tmp_path / "t.csv", "--target", "antwort")
    assert code == 0, err
    assert 'separator: ";", decimal: ","' in out
    assert "1.25 … 39.25" in out and "1101 … 1139" in out
    assert "'preis' (in €, a point between thousands)" in " ".join(out.split())


def test_the_features_are_the_numbers(tmp_path):
    german(tmp_path)
    settings = table.Settings(path="t.csv", target="antwort", separator=";", decimal=",", scale="none")
    found = table.load(settings, tmp_path).features
    expected = [[i + 0.25, 1000 * i + i % 900 + 100.5, 1100 + i] for i in range(1, 40)]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_the_other_decimal_sign_is_refused(tmp_path):
    (tmp_path / "t.csv").write_text("x;y\n" + "".join(f"{i}.5;{i % 2}\n" for i in range(12)))
    settings = table.Settings(path="t.csv", target="y", separator=";", decimal=",")
    with pytest.raises(DataError, match=r"column 'x' holds a decimal point: '0\.5' in data row 1") as caught:
        table.load(settings, tmp_path)
    assert caught.value.hint == "decimal: '.', or write 0,5"


def test_a_file_with_types_has_no_decimal_sign(tmp_path):
    pd.DataFrame({"x": [1.5, 2.5], "y": [0, 1]}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError, match="is not a CSV file, so it has no decimal") as caught:
        table.load(table.Settings(path="t.parquet", target="y", decimal=","), tmp_path)
    assert caught.value.key == "decimal"


def test_number_columns_know_the_sign():
    import pyarrow as pa

    columns = NumberColumns([0], ",")
    columns.add(pa.record_batch([pa.array(["1.000,5", "2", ""])], ["f0"]))
    np.testing.assert_array_equal(columns.take()[0], np.array([1000.5, 2, np.nan], dtype=np.float32))
