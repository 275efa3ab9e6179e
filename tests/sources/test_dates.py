"""Dates as people and programs write them: read in the one way that fits a whole column, or refused."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.cli.console import error_text
from tuner.errors import DataError
from tuner.sources.columns.dates import parts, read, times
from tuner.sources.columns.steps import equal_steps

FORMATS = (  # as strftime writes them: whether they have a time of day
    ("%m/%d/%Y %I:%M:%S %p", True), ("%d-%b-%y", False), ("%d-%b-%Y", False), ("%d.%m.%y", False), ("%Y%m%d", False),
    ("%a %b %d %H:%M:%S %Y", True), ("%Y-%m-%d %H:%M:%S UTC", True), ("%Y-%m-%d %I:%M:%S %p", True),
    ("%m-%d-%y", False), ("%a, %d %b %Y %H:%M:%S GMT", True), ("%Y/%m/%d %H:%M:%S.%f", True),
    ("%Y%m%d%H%M%S", True), ("%Y%m%dT%H%M%S", True), ("%Y-%m-%dT%H:%M:%SZ", True), ("%d.%m.%Y %H:%M:%S,%f", True),
    ("%d %B %Y", False), ("%B %d, %Y", False), ("%d/%m/%Y %H:%M", True), ("%Y-%b-%d", False),
)  # fmt: skip
MINUTES = st.datetimes(datetime(1970, 1, 1), datetime(2068, 1, 1)).map(lambda d: d.replace(second=0, microsecond=0))
CLEAR = [datetime(2020, 1, 31, 13, 5), datetime(2021, 12, 13)]  # whose day is no month, and no year of two digits


def column(values):
    return pd.Series(values, name="when")


@pytest.mark.parametrize(("form", "timed"), FORMATS)
@given(days=st.lists(MINUTES, min_size=1, max_size=8))
@settings(deadline=None, max_examples=6)
def test_what_a_program_writes_is_read(form, timed, days):
    """The oracle is the moment that was written."""
    days = [*CLEAR, *days]
    moments = [day if timed else day.replace(hour=0, minute=0) for day in days]
    texts = column([day.strftime(form) for day in days])
    if texts.str.fullmatch(r"\d+").all():
        texts = texts.astype(np.int64)
    else:
        found = parts(read(texts, "t.csv"))
        expected = [[day.replace(tzinfo=UTC).timestamp() / 86_400, day.month, day.weekday()] for day in moments]
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    found = times(texts, "t.csv")
    assert found.values.tolist() == [int(day.replace(tzinfo=UTC).timestamp()) * 10**9 for day in moments]
    assert list(found.wall) == moments


@given(st.lists(st.tuples(MINUTES, st.integers(-14 * 4, 14 * 4)), min_size=1, max_size=8))
@settings(deadline=None, max_examples=30)
def test_a_time_with_an_offset_has_its_own_weekday(moments):
    zoned = [day.replace(tzinfo=timezone(timedelta(minutes=15 * quarter))) for day, quarter in moments]
    found = times(column([day.isoformat() for day in zoned]), "t.csv")
    assert found.values.tolist() == [int(day.timestamp()) * 10**9 for day in zoned]
    assert list(found.wall) == [day for day, _ in moments]


@pytest.mark.parametrize(("values", "parts_of"), [
    (["03/04/2020", "05/06/2020"], "day and month"),
    (["03-04-05", "05-06-07"], "day, month and year"),
    (["Jan-20", "Feb-20", "Mar-20"], "day and year"),
    (["03.04.20 10:00", "05.06.20 11:00"], "day and month"),
])  # fmt: skip
def test_what_can_be_read_in_two_ways_is_refused(values, parts_of):
    with pytest.raises(DataError, match=f"whose {parts_of} cannot be told apart: '{values[0]}' in data row 1"):
        read(column(values), "t.csv: column 'when'")


def test_a_day_may_be_padded_with_a_space():
    """As C's ctime writes it."""
    found = read(column(["Mon Mar  5 13:05:00 2024", "Wed Mar 13 13:05:00 2024"]), "t")
    assert list(found.wall) == [datetime(2024, 3, 5, 13, 5), datetime(2024, 3, 13, 13, 5)]


def test_months_of_years_that_are_no_days_are_months():
    assert list(read(column(["Jan-98", "Mar-99"]), "t").wall) == [datetime(1998, 1, 1), datetime(1999, 3, 1)]


def test_times_with_and_without_an_offset_are_refused_together():
    with pytest.raises(DataError) as caught:
        read(column(["2024-01-01T10:00", "2024-01-01T10:00+01:00"]), "t.csv: column 'when'")
    assert error_text(caught.value) == (
        "error: t.csv: column 'when' has times with an offset from UTC and times without: '2024-01-01T10:00+01:00' in "
        "data row 2, '2024-01-01T10:00' in data row 1\n  = write all with their offset, or all without"
    )


@pytest.mark.parametrize("year", ["0001", "1500", "9999"])
def test_years_beyond_nanoseconds_are_features_and_no_times(year):
    values = column([f"{year}-12-31 10:00:00.123456789", "2020-01-01 10:00:00.5"])
    assert read(values, "t").wall[0].isoformat() == f"{year}-12-31T10:00:00.123456"
    with pytest.raises(DataError, match="such as 2024-03-25"):
        times(values, "t.csv")
    assert times(column(["2020-01-01 10:00:00.123456789"]), "t").values[0] % 1000 == 789


@pytest.mark.parametrize("values", [
    ["2024-01-01T10:00+99:00", "2024-01-02T10:00+10:75"],
    ["3.8.10", "3.9.13", "3.10.12"], ["3.8.10", "3.9.13", "3.11.4"],
    ["13:05", "18:05"], ["1-2", "3-4"], ["25:61", "2020"], ["2020-13-01", "2020-14-01"], ["a 1 2020", "b 2 2020"],
    ["12:00:00", "13:00:00"], ["2020-01-01 25:00", "2020-01-02 26:00"], ["2020-01-01 13:00 PM", "x"], ["31-Foo-2020"],
])  # fmt: skip
def test_what_is_no_date_is_none(values):
    assert read(column(values), "t.csv") is None


@pytest.mark.parametrize("values", [
    [20200103, 20201332], [20200103, np.inf], [20200103.5, 20200104], [18990103, 19000101], [20200103], [7, 8],
    [12345678, 87654321],
])  # fmt: skip
def test_whole_numbers_that_are_no_dates_stay_numbers(values):
    assert times(column(values), "t.csv").wall is None


def steps(texts):
    found = times(column(texts), "t.csv")
    return equal_steps(column(texts), found, np.arange(len(texts)), "t.csv")


BERLIN = pd.date_range("2021-01-01", "2021-12-31", freq="D", tz="Europe/Berlin")


@pytest.mark.parametrize(("moments", "words", "season"), [
    (BERLIN, "1 day", 7),
    (pd.date_range("2021-01-01 12:00", periods=200, freq="D", tz="Europe/Berlin"), "1 day", 7),
    (pd.date_range("2015-01-01", periods=40, freq="MS", tz="Europe/Berlin"), "1 month", 12),
    (pd.date_range("2021-03-27", periods=99, freq="h", tz="Europe/Berlin"), "1 hour", 24),
    (pd.date_range("2021-03-27", periods=99, freq="30min"), "30 minutes", 48),
    (pd.date_range("2021-03-27", periods=99, freq="15min"), "15 minutes", 96),
    (pd.date_range("2021-03-27", periods=99, freq="10min"), "10 minutes", 144),
    (pd.date_range("2021-03-27", periods=99, freq="2h"), "2 hours", 12),
    (pd.date_range("2021-03-27", periods=99, freq="7h"), "7 hours", 1),
])  # fmt: skip
def test_series_are_regular_in_their_own_zone(moments, words, season):
    """Also where clocks change: a day has 23 hours then."""
    found = steps([moment.isoformat() for moment in moments])
    assert (found.words(), found.season) == (words, season)


@pytest.mark.parametrize(("form", "freq", "words"), [("%Y%m%d", "D", "1 day"), ("%Y%m", "MS", "1 month")])
def test_numbers_that_are_dates_have_the_steps_of_dates(form, freq, words):
    """20240131 and 20240201 are 70 apart as numbers."""
    numbers = pd.date_range("2023-11-01", periods=40, freq=freq).strftime(form).astype(np.int64)
    assert steps(list(numbers)).words() == words


def test_local_times_where_clocks_change_name_the_cure():
    hours = pd.date_range("2021-10-30", periods=60, freq="h", tz="Europe/Berlin").tz_localize(None)
    with pytest.raises(DataError) as caught:
        steps([hour.isoformat() for hour in hours])
    assert "are the same time" in caught.value.message
    assert "write times in UTC, or with their offset from it" in caught.value.hint
