"""Windows read the past alone and ask for what follows; steps that are not equal are told; naive repeats a season."""

import datetime
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny import months, written

from tuner.cli.console import error_text
from tuner.data.check import check
from tuner.errors import DataError
from tuner.metrics import METRICS
from tuner.search.dummy import dummy
from tuner.sources import forecast


def load(folder, rows=None, header="when,sales,rain", **wish):
    if rows is not None:
        written(folder, rows, header)
    wish = {"target": "sales", "time": "when", "history": 3, **wish}
    return check(forecast.load(forecast.Settings(path="f.csv", **{k: v for k, v in wish.items() if v}), folder))


def refused(folder, rows, header="when,sales,rain", **wish):
    with pytest.raises(DataError) as caught:
        load(folder, rows, header, **wish)
    return error_text(caught.value)


ROWS = [(month, 100 + i, i % 5) for i, month in enumerate(months(20))]


def test_a_window_by_hand(tmp_path):
    dataset = load(tmp_path, ROWS, features="rain", horizon=2)
    assert dataset.features[0].tolist() == [100, 0, 101, 1, 102, 2]
    assert dataset.targets[0].tolist() == [103, 104]
    assert dataset.inputs.names == ("sales t-2", "rain t-2", "sales t-1", "rain t-1", "sales t", "rain t")
    assert dataset.target.names == ("sales t+1", "sales t+2")
    assert len(dataset) == 16 and dataset.targets[-1].tolist() == [118, 119]
    moments = pd.to_datetime(["1949-04", "1949-05"]).as_unit("ns").astype("int64")
    assert [dataset.roles.order[0], dataset.roles.until[0]] == [*moments]


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 4), st.integers(1, 6), st.booleans(), st.integers(0, 99))
def test_windows_equal_a_loop_over_every_series(tmp_path, history, horizon, stride, season, sequence, seed):
    """Rows in any order; each row of the data is found by a loop over plain lists."""
    random = np.random.default_rng(seed)
    lengths = random.integers(history + horizon, 16, 2) if history + horizon < 15 else [15, 15]
    series = {name: random.integers(0, 999, (n, 3)).tolist() for name, n in zip("ba", lengths, strict=True)}
    rows = [(t, name, *values) for name, steps in series.items() for t, values in enumerate(steps)]
    shuffled = [rows[i] for i in random.permutation(len(rows))]
    dataset = load(
        tmp_path, shuffled, "when,shop,u,v,rain", target=("u", "v"), series="shop", features="rain", history=history,
        horizon=horizon, stride=stride, season=season, layout="sequence" if sequence else "flat",
    )  # fmt: skip
    x, y, naive, order, until = [], [], [], [], []
    for name in dict.fromkeys(row[1] for row in shuffled):
        steps = series[name]
        for t in range(history - 1, len(steps) - horizon, stride):
            x.append(steps[t - history + 1 : t + 1])
            y.append([value for k in range(1, horizon + 1) for value in steps[t + k][:2]])
            back = [t + k - season * ((k + season - 1) // season) for k in range(1, horizon + 1)]
            naive.append([value for s in back for value in steps[s if s >= 0 else t][:2]])
            order.append(t + 1)
            until.append(t + horizon)
    flat = np.array(x, np.float32).reshape(len(x), -1)
    np.testing.assert_array_equal(dataset.features.reshape(len(x), -1), flat)
    assert dataset.layout == ("sequence" if sequence else "flat")
    for found, expected in (
        (dataset.targets, y),
        (dataset.naive.values, naive),
        (dataset.roles.order, order),
        (dataset.roles.until, until),
    ):
        np.testing.assert_array_equal(found, np.array(expected))


def test_lags_read_those_steps_only(tmp_path):
    dataset = load(tmp_path, ROWS, lags=(1, 4), history=None)
    assert dataset.inputs.names == ("sales t-3", "sales t")
    assert dataset.features[0].tolist() == [100, 103] and dataset.targets[0].tolist() == [104]


def test_without_time_rows_stand_as_they_are_and_missing_features_are_imputed(tmp_path):
    dataset = load(tmp_path, [(0, 1, ""), (0, 2, 5), (9, 3, 6)], time=None, history=1, features="rain", impute="mean")
    np.testing.assert_array_equal(dataset.features, [[1, np.nan], [2, 5]])
    assert (dataset.roles.order.tolist(), dataset.roles.until.tolist()) == ([1, 2], [1, 2])


DAY = datetime.date(2024, 2, 26)
SEASONS = {
    "months": (months(30), 12),
    "first days": ([f"{m}-01" for m in months(30)], 12),
    "last days": ([str(d.date()) for d in pd.date_range("2023-01-31", periods=30, freq="ME")], 12),
    "quarters": ([f"{m}-15" for m in months(90)[::3]], 4),
    "days": ([str(DAY + datetime.timedelta(i)) for i in range(30)], 7),
    "weeks": ([str(DAY + datetime.timedelta(7 * i)) for i in range(120)], 52),
    "hours": ([str(datetime.datetime(2024, 2, 28) + datetime.timedelta(hours=i)) for i in range(60)], 24),
    "minutes": ([str(datetime.datetime(2024, 2, 28) + datetime.timedelta(minutes=i)) for i in range(30)], 1),
    "years": (list(range(1900, 1930)), 1),
    "fractions": ([i * 0.1 for i in range(30)], 1),
}


@pytest.mark.parametrize("case", SEASONS)
def test_a_season_is_what_the_calendar_says(tmp_path, case):
    times, season = SEASONS[case]
    dataset = load(tmp_path, [(t, i, 0) for i, t in enumerate(times)], history=1)
    last = len(times) - 1
    assert dataset.naive.values[-1].tolist() == [last - season] and dataset.targets[-1].tolist() == [last]


@pytest.mark.parametrize("nanoseconds", [10_000_000, 1_000_000, 500_000, 1_000, 100, 7])
@pytest.mark.parametrize("dates", [True, False])
def test_steps_far_below_a_second_are_equal_and_keep_their_order(tmp_path, nanoseconds, dates):
    """Nanoseconds of our days are grains of 256 in float64."""
    start = pd.Timestamp("2024-02-28 23:59:59.99").as_unit("ns").value
    moments = [start + i * nanoseconds for i in range(40)]
    rows = [(pd.Timestamp(at).isoformat() if dates else at, i, 0) for i, at in enumerate(moments)]
    dataset = load(tmp_path, rows, history=2, horizon=3)
    assert dataset.features.tolist() == [[i, i + 1] for i in range(36)]
    assert (np.diff(dataset.roles.order) > 0).all()
    np.testing.assert_array_equal(dataset.roles.until[:-2], dataset.roles.order[2:])
    gap = [rows[i] for i in range(40) if i != 30]
    assert f"are {_words(2 * nanoseconds) if dates else f'{2 * nanoseconds:g}'} apart" in refused(tmp_path, gap)


def _words(nanoseconds):
    units = (("millisecond", 10**6), ("microsecond", 1000), ("nanosecond", 1))
    unit, size = next(each for each in units if nanoseconds % each[1] == 0)
    return f"{nanoseconds // size} {unit}{'s' * (nanoseconds > size)}"


def without(*places):
    return [row for i, row in enumerate(ROWS) if i not in places]


GAPS = {
    "a month": (without(4),
                "f.csv: 1949-04 (data row 4) and 1949-06 (data row 5) are 2 months apart, and others 1 month"),
    "twice": ([*ROWS, ROWS[2]], "f.csv: 1949-03 (data row 3) and 1949-03 (data row 21) are the same time"),
    "a day": ([(str(DAY + datetime.timedelta(i)), i, 0) for i in (0, 1, 2, 4, 5)],
              "f.csv: 2024-02-28 (data row 3) and 2024-03-01 (data row 4) are 2 days apart, and others 1 day"),
    "a number": ([(i, i, 0) for i in (3, 1, 2, 7, 0)],
                 "f.csv: 3 (data row 1) and 7 (data row 4) are 4 apart, and others 1"),
}  # fmt: skip


@pytest.mark.parametrize("case", GAPS)
def test_steps_that_are_not_equal_are_told_with_both_rows(tmp_path, case):
    rows, text = GAPS[case]
    assert refused(tmp_path, rows).startswith(f"error: {text}\n  = ")


REFUSED = {
    "a missing target": ([*ROWS[:4], ("1949-05", "", 0), *ROWS[5:]], {}, "'sales' of data row 5 is missing"),
    "text": ([*ROWS[:4], ("1949-05", "many", 0), *ROWS[5:]], {},
             "column 'sales' of data row 5 holds 'many', which is not a number"),
    "too short": (ROWS[:4], {"history": 3, "horizon": 2},
                  "f.csv has 4 steps, and history 3 and horizon 2 need 5\n  = history: 2 or less"),
    "much too short": (ROWS[:4], {"horizon": 9}, "need 12\n  = history: 1 and horizon: 3 or less"),
    "mixed dates": ([*ROWS[:4], ("05/01/1949", 1, 0)], {}, "f.csv: column 'when' mixes date formats: "
                    "'05/01/1949' in data row 5, but '1949-01'\n  = write every date as 2024-03-25"),
    "a date that is missing": ([*ROWS[:3], ("NA", 1, 0), *ROWS[4:]], {},
                               "f.csv: 'when' of data row 4 is missing ('NA')\n  = drop that row, or fill it in"),
    "text among numbers": ([(1, 1, 0), (2, 1, 0), ("x", 1, 0)], {}, "such as 2024-03-25: 'x' in data row 3"),
    "no such column": (ROWS, {"target": "sale"}, "f.csv has no column 'sale'\n  = did you mean 'sales'?"),
    "twice named": (ROWS, {"features": "sales"}, "column 'sales' is named twice, by target and by features"),
    "lags and history": (ROWS, {"lags": (1, 2)}, "lags are in the place of history, and both are given"),
    "no lag": (ROWS, {"lags": (0, 2), "history": None}, "lags are steps back from 1 up, each once, not [0, 2]"),
    "lags in steps": (ROWS, {"lags": (1, 2), "history": None, "layout": "sequence"}, "lags are not a sequence"),
    "series without time": (ROWS, {"series": "rain", "time": None}, "can only be aligned by a time column\n  = time: "),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_forecast_is_told(tmp_path, case):
    rows, wish, text = REFUSED[case]
    assert text in refused(tmp_path, rows, **wish)


NEWEST = [(day, i, 0) for i, day in enumerate(("2024-03-03", "2024-03-02", "2024-03-01"))]
BACK = {
    "dates": (NEWEST, {}, "f.csv: 'when' goes back from 2024-03-03 (data row 1) to 2024-03-02 (data row 2), and rows "
              "are taken as they stand\n  = dataset.time: when; or sort the rows, the oldest first"),
    "months": (ROWS[::-1], {}, "goes back from 1950-08 (data row 1)"),
    "days first": ([("31.03.2024", 1, 0), ("30.03.2024", 2, 0)], {}, "goes back from 31.03.2024 (data row 1)"),
    "a name": ([(i, i, 0) for i in (1, 2, 4, 3)], {"header": "time,sales,rain"}, "goes back from 4 (data row 3)"),
    "years that repeat": ([(1999, i, 0) for i in range(3)] + [(1998, 1, 0)], {"header": "year,sales,rain"},
                          "= dataset.time: year, with dataset.series: the column that names the series of a row; or"),
    "stacked": ([*ROWS, *ROWS], {}, "goes back from 1950-08 (data row 20) to 1949-01 (data row 21)"),
}  # fmt: skip


@pytest.mark.parametrize("case", BACK)
def test_rows_that_go_back_in_a_time_that_nobody_named_are_refused(tmp_path, case):
    rows, wish, text = BACK[case]
    assert text in refused(tmp_path, rows, time=None, history=1, **wish)


SAID = {
    "times": (ROWS, "when,sales,rain", "column 'when' holds times: dataset.time: when checks that its steps are equal"),
    "series of text": ([(s, i, i / 7) for s in "ab" for i in range(9)], "s,sales,rain",
                       "column 's' has 2 values in 18 rows; if they name series, dataset.series: s, with dataset.time"),
    "series of numbers": ([(s, i, i / 7) for s in (7, 3) for i in range(9)], "s,sales,rain", "dataset.series: s,"),
    "months of years": ([(i % 12, i, i / 7) for i in range(30)], "month,sales,rain",
                        "column 'month' looks like time and repeats; if rows are of several series, dataset.time: mo"),
    "dates of two kinds": ([(f"0{i}/02/2024", i, i / 7) for i in range(3, 9)], "date,sales,rain",
                           "column 'date' looks like time and cannot be read as such: rows are taken as they stand"),
    "nothing": ([(i / 7, i, 3 * i % 5) for i in range(30)], "x,sales,rain", ""),
}  # fmt: skip


@pytest.mark.parametrize("case", SAID)
def test_a_column_that_may_be_time_or_series_is_told(tmp_path, case):
    rows, header, text = SAID[case]
    notes = load(tmp_path, rows, header, time=None).notes
    assert [text in note for note in notes] == [True] * bool(text)


def test_a_series_is_named_that_is_too_short_or_of_other_steps(tmp_path):
    rows = [(month, i, "a") for i, month in enumerate(months(9))]
    header = "when,sales,shop"
    assert "f.csv, series 'b' has 2 steps" in refused(
        tmp_path, [*rows, ("1950-01", 1, "b"), ("1950-02", 1, "b")], header, series="shop"
    )
    days = [(f"1950-01-{i:02}", i, "b") for i in range(1, 9)]
    text = "f.csv, series 'b' goes in steps of 1 day, and series 'a' of 1 month"
    assert text in refused(tmp_path, [*rows, *days], header, series="shop")


def test_windows_take_no_more_than_they_stay(tmp_path):
    written(tmp_path, [(i, i, 0) for i in range(5_000)])
    wish = forecast.Settings(path="f.csv", target="sales", time="when", history=400, horizon=2)
    tracemalloc.start()
    dataset = forecast.load(wish, tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.5 * dataset.features.nbytes


def test_the_windows_of_all_series_together_have_to_fit(tmp_path, monkeypatch):
    rows = [(i, i, shop) for shop in "ab" for i in range(20)]
    monkeypatch.setattr(forecast, "LARGEST", 17 * 5 + 1)
    text = "f.csv gives 34 windows of 3 steps, too much for memory\n  = a larger stride, or fewer steps"
    assert text in refused(tmp_path, rows, series="rain")


def test_weekends_are_no_gaps_of_business_days(tmp_path):
    days = pd.bdate_range("2024-01-01", periods=30)
    lines = [f"{day:%Y-%m-%d},{name},{i}" for name in "AB" for i, day in enumerate(days)]
    (tmp_path / "b.csv").write_text("\n".join(["date,s,v", *lines]))
    wish = forecast.Settings(path="b.csv", target="v", time="date", series="s", history=6)
    dataset = forecast.load(wish, tmp_path)
    assert len(dataset) == 2 * 24
    np.testing.assert_array_equal(dataset.naive.values[:, 0], dataset.targets[:, 0] - 5)  # a week before
    (tmp_path / "b.csv").write_text("\n".join(["date,s,v", *lines[:10], *lines[11:]]))
    with pytest.raises(DataError, match="are 2 business days apart, and others 1 business day"):
        forecast.load(wish, tmp_path)


def test_a_random_walk_is_best_forecast_by_its_last_value(tmp_path):
    """Dates of days suggest a season of a week, which a walk does not have."""
    walk = np.cumsum(np.random.default_rng(0).normal(size=200))
    days = pd.date_range("2024-01-01", periods=200).strftime("%Y-%m-%d")
    pd.DataFrame({"d": days, "v": walk}).to_csv(tmp_path / "w.csv", index=False)
    dataset = forecast.load(forecast.Settings(path="w.csv", target="v", time="d", history=3), tmp_path)
    assert dataset.naive.season == 7
    np.testing.assert_array_equal(dataset.naive.last[:, 0], walk[2:-1])
    rows, test = np.arange(120), np.arange(120, 197)
    found = dummy(dataset, METRICS["mae"], rows, test)
    assert (found.what, found.ignores_features) == ("the last-value forecast", False)
    assert found.score == pytest.approx(np.abs(np.diff(walk))[2:][test].mean(), rel=1e-12)
