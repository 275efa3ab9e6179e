"""Numbers as people write them are read as numbers, or refused with what to write; words and codes stay."""

import pandas as pd
import pytest
from helpers import inside, write_space
from hypothesis import given
from hypothesis import strategies as st

from tuner.errors import DataError
from tuner.sources.columns.written import as_written

AMOUNTS = st.lists(st.decimals(-9_999_999, 9_999_999, places=2, allow_nan=False), min_size=1, max_size=20)
STYLES = {  # how a number is written, and the note
    "percent": (lambda x: f"{x}%", "in %"),
    "money": (lambda x: f"{'-' * (x < 0)}${abs(x):,}", "in $, a comma between thousands"),
    "unit": (lambda x: f"{x} kg", "in kg"),
    "speed": (lambda x: f"{x} km/h", "in km/h"),
    "currency behind": (lambda x: f"{x:,} €".replace(",", " "), "in €, a space between thousands"),
    "thousands": (lambda x: f"{x:,}", "a comma between thousands"),
    "swiss": (lambda x: f"{x:,}".replace(",", "'"), "an apostrophe between thousands"),
    "no-break space": (lambda x: f"{x:,}".replace(",", "\u202f"), "a space between thousands"),
    "accounting": (lambda x: f"({abs(x)})" if x < 0 else f"{x}", "brackets are negative"),
    "minus sign": (lambda x: f"{x} m".replace("-", "\u2212"), "in m"),
}


def read(cells):
    """The column as it is read, and the notes."""
    frame, notes = as_written(pd.DataFrame({"x": cells}, dtype=object), ["x"], "t.csv")
    return frame["x"], notes


@pytest.mark.parametrize("style", STYLES)
@given(numbers=AMOUNTS)
def test_what_is_written_in_one_style_is_the_number(style, numbers):
    write, note = STYLES[style]
    cells = [write(x) for x in (*numbers, -1_234_567, 89)]  # which show the sign between thousands
    column, notes = read(cells)
    assert column.tolist() == [float(x) for x in (*numbers, -1_234_567, 89)]
    assert notes == (f"read as numbers: 'x' ({note})",)


def test_dollars_have_a_decimal_point():
    assert read(["$49,481", "$1,200"])[0].tolist() == [49481, 1200]


def test_missing_cells_are_missing():
    column, _ = read(["10%", None, "n/a", "12.5 %", ""])
    assert column.isna().tolist() == [False, True, True, False, True]


@given(st.lists(st.times(), min_size=1, max_size=9), st.sampled_from(["%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M:%S%p"]))
def test_times_of_day_are_hours(times, form):
    column, notes = read([time.strftime(form) for time in times])
    seconds = [time.second * ("%S" in form) for time in times]
    hours = [time.hour + time.minute / 60 + second / 3600 for time, second in zip(times, seconds, strict=True)]
    assert column.tolist() == pytest.approx(hours)
    assert notes == ("read as numbers: 'x' (times of day, in hours)",)


def test_one_and_several_are_one_unit_and_nothing_has_every_unit():
    assert read(["1 star", "2 stars"])[0].tolist() == [1, 2]
    assert read(["0", "5%", "7%"])[0].tolist() == [0, 5, 7]
    assert read(["1 day", "2 days"])[0].tolist() == read(["1 lb", "2 lbs"])[0].tolist() == [1, 2]
    assert read(["2am", "3 pm"])[0].tolist() == [2, 15]


WORDS = [
    ["1st", "2nd", "3rd"], ["12A", "3B", "4C", "5D"], ["007", "011"], ["a", "b"], ["2024-01-02", "2024-01-03"],
    ["12.03.2024", "13.03.2024"], ["10:75", "11:45"], ["28:15", "9:10"],
    ["<=50K", ">50K"], ["10-20", "20-30"], ["5 May", "6 June", "x"],
    ["1.2.3", "1.2.4"], ["5", "6"], ["1.5", "-2"], ["1e5", "2E5"], ["1A", "2B", "3A", "9B", "7C"], ["1A", "2B"],
    ["320i", "330i"],
    ["1p", "1q", "3p", "4q", "7p", "9q"], ["7 up", "8 down"], ["1,23,456", "2"], ["+49 30 1234", "+49 40 99"],
]  # fmt: skip


@pytest.mark.parametrize("cells", WORDS, ids=lambda cells: cells[0])
def test_words_codes_and_plain_numbers_stay(cells):
    column, notes = read(cells)
    assert column.tolist() == cells
    assert notes == ()


REFUSED = [
    (["49,481", "1,200"], "holds a comma with two meanings: '49,481' in data row 1",
     "thousands: ',' if it separates thousands, decimal: ',' if not"),
    (["1,5", "2,25", "3,5", "4,5", "5,5"], "holds a decimal comma: '1,5' in data row 1", "decimal: ',', or write 1.5"),
    (["1.190,50", "2,5", "3,5", "4,5", "7"], "holds a decimal comma: '1.190,50' in data row 1",
     "decimal: ',', or write 1190.50"),
    (["120/80", "130/90", "125/85", "110/70", "99/60"], "holds two numbers in a cell: '120/80' in data row 1",
     "write them in two columns, or drop it"),
    (["1 kg", "2 lb"], "has different units: '1 kg' in data row 1, '2 lb' in data row 2", "convert them to one unit"),
    (["1 kg", "2 g", "3 lb", "4 oz"], "has different units: '1 kg' in data row 1, '2 g' in data row 2",
     "convert them to one unit"),
    (["5%", "7"], "has different units: '5%' in data row 1, '7' in data row 2", "convert them to one unit"),
    (["1,234,567", "1'234'567"], "separates thousands in two ways: ", "use one of them"),
]  # fmt: skip


@pytest.mark.parametrize(("cells", "text", "hint"), REFUSED, ids=lambda value: value[0])
def test_what_has_two_meanings_is_refused_with_what_to_write(cells, text, hint):
    with pytest.raises(DataError) as caught:
        read(cells)
    assert caught.value.message.startswith(f"t.csv: column 'x' {text}")
    assert caught.value.hint == hint


def test_a_table_is_trained_on_the_numbers_and_check_says_so(tmp_path):
    rows = [(i * 1.5, 1000 * i + 1, 40 - i, 1_500_000 + 7 * i) for i in range(40)]
    plain = "".join(f"{a},{b},{c},{d}\n" for a, b, c, d in rows)
    dressed = "".join(f'{a}%,"${b:,}.00",{c} kg,"{d:,}"\n' for a, b, c, d in rows)
    described = []
    for name, text in (("plain", plain), ("dressed", dressed)):
        (tmp_path / f"{name}.csv").write_text("a,b,c,y\n" + text)
        data = {"name": "table", "path": f"{name}.csv", "target": "y"}
        path = write_space(tmp_path, dataset=data, model="mlp", training={"epochs": 1})
        code, out, err = inside("check", path)
        assert code == 0, err
        assert ("read as numbers: 'a' (in %), 'b' (in $, a comma" in " ".join(out.split())) == (name == "dressed")
        described.append([line for line in inside("data", path)[1].splitlines() if line[1:4].strip() in "abcy"])
    assert described[0] == described[1]
    assert "regression" in out


@pytest.mark.parametrize("source", ["forecast", "sequences", "ratings"])
def test_other_tables_read_them_too(tmp_path, source):
    (tmp_path / "t.csv").write_text(
        "user,item,rating,t,kind\n" + "".join(f"{i % 6},{i % 9},{i % 5 + 1} stars,{i},{i % 2}\n" for i in range(60))
    )
    data = {
        "forecast": {"target": "rating", "history": 3, "horizon": 1},
        "sequences": {"id": "user", "target": "kind", "features": ["rating"], "time": "t"},
        "ratings": {},
    }[source]
    path = write_space(tmp_path, dataset={"name": source, "path": "t.csv", **data}, model="mlp", training={"epochs": 1})
    code, out, err = inside("data", path)
    assert code == 0, err
    assert "read as numbers: 'rating' (in stars)" in " ".join(out.split())
