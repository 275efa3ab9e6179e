"""Sequences of a long table hold what a plain reading of the rows gives; each bad table is told in a sentence."""

import csv
import io
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tuner.cli.console import error_text
from tuner.data.check import check
from tuner.errors import DataError
from tuner.sources import sequences

PLAIN = "who,day,x,z,mood\nb,2,1,5,up\na,1,2,6,down\nb,1,3,7,up\na,3,4,,down\na,2,5,9,down\nc,1,0,0,up\n"
ROLES = {"id": "who", "time": "day", "target": "mood"}


def load(folder, content, name="t.csv", **wish):
    (folder / name).write_text(content)
    return sequences.load(sequences.Settings(path=name, **{**ROLES, **wish}), folder)


def refused(folder, content, **wish):
    with pytest.raises(DataError) as caught:
        load(folder, content, **wish)
    return error_text(caught.value)


def test_rows_are_steps_in_time_and_sequences_stand_as_they_appear(tmp_path):
    dataset = load(tmp_path, PLAIN, impute="mean")
    expected = [[[3, 7], [1, 5], [0, 0]], [[2, 6], [5, 9], [4, np.nan]], [[0, 0], [0, 0], [0, 0]]]
    np.testing.assert_array_equal(dataset.features, np.array(expected, np.float32))
    assert dataset.lengths.tolist() == [2, 3, 1]
    assert (dataset.classes, dataset.targets.tolist()) == (("down", "up"), [1, 0, 1])
    assert (dataset.inputs.names, dataset.target.names, dataset.roles.order) == (("x", "z"), ("mood",), None)
    check(dataset)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 99)), unique=True, min_size=1, max_size=30), st.data()
)
def test_the_same_sequences_as_a_reading_row_by_row(tmp_path, steps, data):
    rows = [(who, t, data.draw(st.integers(-9, 9)), len(who) + ord(who)) for who, t in steps]
    text = "who,day,x,mood\n" + "".join(",".join(map(str, row)) + "\n" for row in rows)
    dataset, by_id = load(tmp_path, text, task="regression"), {}
    for row in csv.DictReader(io.StringIO(text)):
        by_id.setdefault(row["who"], []).append((int(row["day"]), float(row["x"])))
    found = [
        steps[:length, 0].tolist()
        for steps, length in zip(
            dataset.features,
            [len(s) for s in by_id.values()] if dataset.lengths is None else dataset.lengths,
            strict=True,
        )
    ]
    assert found == [[x for _, x in sorted(of)] for of in by_id.values()]
    assert dataset.targets[:, 0].tolist() == [1 + ord(who) for who in by_id]


def test_dates_and_parquet_order_alike(tmp_path):
    dated = PLAIN
    for row, day in (("b,2", "2024-02-01"), ("a,1", "2024-01-01"), ("b,1", "2023-12-31"), ("a,3", "2024-03-05"),
                     ("a,2", "2024-02-29"), ("c,1", "1999-01-01")):  # fmt: skip
        dated = dated.replace(row + ",", f"{row[0]},{day},")
    pd.read_csv(io.StringIO(dated), parse_dates=["day"]).to_parquet(tmp_path / "t.parquet")
    parquet = sequences.load(sequences.Settings(path="t.parquet", **ROLES), tmp_path)
    assert parquet.fingerprint() == load(tmp_path, dated).fingerprint() == load(tmp_path, PLAIN).fingerprint()


def test_tagging_asks_for_every_step(tmp_path):
    text = PLAIN.replace("a,2,5,9,down", "a,2,5,9,up")
    dataset = load(tmp_path, text, task="tagging")
    assert dataset.task == "tagging"
    assert dataset.targets.tolist() == [[1, 1, -1], [0, 1, 0], [1, -1, -1]]
    assert "'mood' of who 'a' is not constant (data row 5)\n  = task: tagging asks for every step" in refused(
        tmp_path, text
    )


def test_groups_are_of_sequences_and_channels_can_be_chosen(tmp_path):
    text = "\n".join(line + ("ward" if not i else f",w{line[0]}") for i, line in enumerate(PLAIN.splitlines()))
    text = text.replace("moodward", "mood,ward").replace(",wc", ",wa")
    dataset = load(tmp_path, text, groups="ward", features="x")
    assert (dataset.roles.groups.tolist(), dataset.inputs.names) == ([1, 0, 0], ("x",))
    assert load(tmp_path, text, drop=("ward", "z")).inputs.names == ("x",)
    assert "'ward' of who 'a' is not constant" in refused(
        tmp_path, text.replace("6,down,wa", "6,down,wz"), groups="ward"
    )


REFUSED = {
    "no id": (PLAIN, {"id": None}, "nothing says which column is the id\n  = id: one of who, day, x, z, mood"),
    "no target": (PLAIN, {"target": None}, "nothing says which column is the target"),
    "a near miss": (PLAIN, {"id": "whom"}, "t.csv has no column 'whom'\n  = did you mean 'who'?"),
    "text": (PLAIN, {"target": "x", "time": "day"}, "column 'mood' of data row 1 holds 'up', which is not a number"),
    "the same step twice": (PLAIN.replace("b,1,3", "b,2,3"), {},
                            "t.csv: data rows 1 and 3 have the same who 'b' and the same time"),
    "a channel that is the id": (PLAIN, {"features": ("x", "who")}, "column 'who' is named twice, by id and by feat"),
    "a missing id": (PLAIN.replace("a,1", ",1"), {}, "'who' of data row 2 is missing (1 of 6 rows)"),
    "a missing target": (PLAIN.replace("9,down", "9,"), {}, "'mood' of data row 5 is missing (1 of 6 rows)"),
    "no channel": (PLAIN, {"drop": ("x", "z")}, "no column is left as a channel"),
    "mixed dates": (PLAIN.replace("c,1,", "c,03/25/2024,"), {}, "holds neither numbers nor dates such as 2024-03-25"),
    "dates as channels": (PLAIN.replace(",2,1,", ",2024-01-02,1,"), {"time": None}, "; or time: day, if it ord"),
    "semicolons": (PLAIN.replace(",", ";"), {}, "dataset.separator: ';'"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_table_is_told_in_a_sentence(tmp_path, case):
    content, wish, text = REFUSED[case]
    assert text in refused(tmp_path, content, **wish)


def test_tables_of_other_columns_are_not_put_together(tmp_path):
    load(tmp_path, PLAIN)
    (tmp_path / "u.csv").write_text(PLAIN.replace("x,z", "z,x"))
    with pytest.raises(DataError, match=r"u\.csv has other columns than t\.csv"):
        sequences.load(sequences.Settings(path=("t.csv", "u.csv"), **ROLES), tmp_path)


def both(folder, first, second, **wish):
    for name, content in (("a.csv", first), ("b.csv", second)):
        (folder / name).write_text(content)
    return sequences.load(sequences.Settings(path=("a.csv", "b.csv"), **{**ROLES, **wish}), folder)


WRONG = {
    "a channel": ("a,2,5,9", "a,2,many,9", "b.csv: column 'x' of data row 5 holds 'many', which is not a number"),
    "an id": ("a,1,2", ",1,2", "b.csv: 'who' of data row 2 is missing"),
    "a time": ("c,1,", "c,NA,", "b.csv: 'day' of data row 6 is missing"),
    "a target": ("9,down", "9,up", "b.csv: 'mood' of who 'a' is not constant (data row 5)"),
}


@pytest.mark.parametrize("case", WRONG)
def test_of_two_files_the_one_that_is_wrong_is_named_and_its_own_row(tmp_path, case):
    good, bad, text = WRONG[case]
    with pytest.raises(DataError) as caught:
        both(tmp_path, PLAIN, PLAIN.replace(good, bad))
    assert text in error_text(caught.value)


@pytest.mark.parametrize("time", ["day", None])
def test_an_id_belongs_to_its_file(tmp_path, time):
    wish = {"time": time, **({} if time else {"drop": "day"})}
    dataset, alone = both(tmp_path, PLAIN, PLAIN, **wish), load(tmp_path, PLAIN, **wish)
    np.testing.assert_array_equal(dataset.features, np.concatenate([alone.features] * 2))
    assert dataset.lengths.tolist() == alone.lengths.tolist() * 2
    assert "who 'a' is in a.csv and in b.csv (3 such): an id belongs to its file" in dataset.notes[-1]
    assert (len(alone.notes), len(dataset.notes)) == ((0, 1) if time else (1, 2))


def test_what_could_group_sequences_is_hinted_at_where_it_is_one_in_each(tmp_path):
    rows = [(f"s{i}", t, i, f"p{i // 2}", f"d{t}", "up" if i % 2 else "down") for i in range(6) for t in range(3)]
    text = "who,step,x,patient,device,mood\n" + "".join(",".join(map(str, row)) + "\n" for row in rows)
    wish = {"time": "step", "drop": ("patient", "device")}
    hint = "column 'patient' has 3 values in 6 rows; if they belong together, dataset.groups: patient keeps"
    assert [each[: len(hint)] for each in load(tmp_path, text, **wish).hints] == [hint]
    assert load(tmp_path, text, time="step", groups="patient", drop="device").hints == ()


TIMED = {
    "reversed": (PLAIN, "column 'day' goes back at data row 3 of t.csv, and steps are taken as they stand: "
                 "dataset.time: day orders them"),
    "in order": ("\n".join([PLAIN.splitlines()[0], *sorted(PLAIN.splitlines()[1:])]), "column 'day' looks like time"),
    "a channel that repeats": (PLAIN.replace("a,2,", "a,1,"), ""),
}  # fmt: skip


@pytest.mark.parametrize("case", TIMED)
def test_a_time_that_nobody_named_is_told(tmp_path, case):
    content, text = TIMED[case]
    for drop in ((), "day"):
        notes = load(tmp_path, content, time=None, drop=drop).notes
        assert [text in note for note in notes] == [True] * bool(text)
    assert not load(tmp_path, content, time=None, features=("day", "x")).notes


def test_channels_of_a_csv_are_read_as_narrow_as_they_stay(tmp_path):
    """The dataset is padded beside the channels and the frame: three times the array, and a little."""
    values = np.random.default_rng(0).integers(0, 9, (20_000, 20))
    lines = (f"{i // 100},{i % 2 * 0}," + ",".join(map(str, row)) for i, row in enumerate(values.tolist()))
    text = "who,mood," + ",".join(f"x{i}" for i in range(20)) + "\n" + "\n".join(lines)
    (tmp_path / "m.csv").write_text(text)
    wish = sequences.Settings(path="m.csv", id="who", target="mood", task="regression")
    tracemalloc.start()
    dataset = sequences.load(wish, tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(dataset.features.reshape(-1, 20), values)
    assert peak < 5 * dataset.features.nbytes
