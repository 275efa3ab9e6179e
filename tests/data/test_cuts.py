"""Groups stay together, time goes forward, a given split is taken; in outer and inner folds alike."""

import itertools
import json

import numpy as np
import pytest
from helpers import inside, search, slow, write_space
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, TimeSeriesSplit
from toy_data import toy_dataset

from tuner.data.resampling import plan
from tuner.errors import DataError
from tuner.experiment.sections import InnerFolds, OuterFolds, Resampling
from tuner.report import load

ROWS = 60


def toy(task="classification", **roles):
    random = np.random.default_rng(5)
    targets = random.permutation(np.arange(ROWS) % 3) if task == "classification" else np.zeros((ROWS, 1), np.float32)
    classes = ("a", "b", "c") if task == "classification" else ()
    return toy_dataset("toy", task, np.zeros((ROWS, 2), np.float32), targets, (), ("y",), classes, **roles)


def groups_of(count):
    return np.random.default_rng(6).integers(0, count, ROWS)


WISHES = [Resampling(), Resampling(outer=3, inner=2), Resampling(inner=InnerFolds(holdout=0.3, repeats=2)),
          Resampling(outer=OuterFolds(folds=3, repeats=2))]  # fmt: skip


@pytest.mark.parametrize("wish", WISHES, ids=["shared", "folds", "holdout", "repeats"])
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_no_group_is_on_two_sides_of_any_fold(wish, task):
    groups = groups_of(20)
    for chain in plan(wish, toy(task, groups=groups)).chains:
        assert not set(groups[chain.rows]) & set(groups[chain.test])
        for fold in chain.folds:
            assert not set(groups[fold.train]) & set(groups[fold.validation])
            assert not (set(groups[fold.train]) | set(groups[fold.validation])) & set(groups[chain.test])


@pytest.mark.parametrize(("task", "splitter"), [("classification", StratifiedGroupKFold), ("regression", GroupKFold)])
def test_grouped_outer_folds_equal_sklearns(task, splitter):
    dataset = toy(task, groups=groups_of(20))
    expected = splitter(5, shuffle=True, random_state=7).split(
        dataset.features, dataset.targets.ravel(), dataset.roles.groups
    )
    *outer, _ = plan(Resampling(seed=7), dataset).chains
    for chain, (train, test) in zip(outer, expected, strict=True):
        assert chain.rows.tolist() == sorted(train) and sorted(chain.test) == sorted(test)


@settings(deadline=None, max_examples=40)
@given(st.integers(3, 6), st.integers(0, 3), st.sampled_from(["shared", 3, InnerFolds(holdout=0.25)]),
       st.sampled_from([None, 1, 2]))  # fmt: skip
def test_time_only_goes_forward(folds, gap, inner, together):
    """`together`: how many rows share a time; None: there is no column of times."""
    order = np.random.default_rng(8).permutation(ROWS) // together * 1.0 if together else None
    time = np.arange(ROWS) if order is None else order
    place = np.argsort(np.argsort(time, kind="stable"))
    *outer, final = plan(Resampling(outer=folds, inner=inner, kind="time", gap=gap), toy(order=order)).chains
    assert len(outer) == folds
    for chain in (*outer, final):
        pairs = [(fold.train, fold.validation) for fold in chain.folds]
        pairs += [(chain.rows, chain.test)] if len(chain.test) else []
        for train, test in pairs:
            assert time[train].max() < time[test].min()
            assert place[test].min() - place[train].max() > gap
    tested = sorted(time[row] for chain in outer for row in chain.test)
    assert tested == sorted(time[time >= tested[0]]), "every row after the first two parts is tested once"


def test_rows_of_one_time_are_never_parted():
    """A panel: ten rows a day, six days."""
    order = np.repeat(np.arange(6.0), 10)
    *outer, _ = plan(Resampling(outer=3, kind="time"), toy(order=order)).chains
    assert [set(order[chain.test]) for chain in outer] == [{3.0}, {4.0}, {5.0}]
    with pytest.raises(DataError, match="60 rows of 6 different times cannot be cut into 7 parts"):
        plan(Resampling(outer=5, kind="time"), toy(order=order))


def test_forward_folds_equal_sklearns():
    expected = list(TimeSeriesSplit(6).split(np.zeros(70)))[1:]
    rows = toy_dataset("toy", "regression", np.zeros((70, 1), np.float32), np.zeros((70, 1), np.float32), (), ("y",))
    *outer, final = plan(Resampling(outer=5, kind="time"), rows).chains
    for chain, (train, test) in zip(outer, expected, strict=True):
        assert chain.rows.tolist() == train.tolist() and chain.test.tolist() == test.tolist()
    for fold, chain in zip(final.folds[1:], outer, strict=True):  # what makes sharing possible
        assert fold.train.tolist() == chain.rows.tolist() and fold.validation.tolist() == chain.test.tolist()


def test_a_given_split_is_taken():
    split = np.arange(ROWS) % 4
    *outer, final = plan(Resampling(), toy(split=split)).chains
    assert [set(split[chain.test]) for chain in outer] == [{0}, {1}, {2}, {3}]
    for chain in (*outer, final):
        for fold in chain.folds:
            assert len(set(split[fold.validation])) == 1
            assert not set(split[fold.validation]) & set(split[fold.train])


@pytest.mark.parametrize(("inner", "count"), [(3, 3), (InnerFolds(folds=3, repeats=2), 6)])
def test_inner_folds_of_a_given_split_are_cut_alike_in_every_chain(inner, count):
    for chain in plan(Resampling(inner=inner), toy(split=np.arange(ROWS) % 4)).chains:
        assert len(chain.folds) == count
        assert len({fold.validation.tobytes() for fold in chain.folds}) == count


@pytest.mark.parametrize(
    ("name", "said"),
    [("patient", "belong together"), ("PatientID", "belong together"), ("user_name", "belong together"),
     ("visit_date", "looks like time"), ("createdAt", "looks like time"), ("mandate", None), ("lifetime", None),
     ("x1", None)],
)  # fmt: skip
def test_names_that_hint_at_roles(tmp_path, name, said):
    """In a table and in an NPZ file alike."""
    settings = table(tmp_path, **{name: [i // 3 for i in range(ROWS)]})
    np.savez(tmp_path / "a.npz", X=np.zeros((ROWS, 2)), y=np.arange(ROWS) % 2, **{name: np.arange(ROWS) // 3})
    for dataset in (settings, {"name": "arrays", "path": "a.npz"}):
        out = inside("check", write_space(tmp_path, dataset=dataset))[1]
        assert ("warning" in out) == (said is not None)
        assert said is None or (said in out and name in out)


def test_an_overlooked_column_is_told_in_the_report_too(tmp_path):
    dataset = table(tmp_path, patient=PATIENTS)
    search(write_space(tmp_path, dataset=dataset, search={"trials": 1}), tmp_path / "study.db")
    assert "Warning: column 'patient' has 15 values" in inside("report", tmp_path / "study.db")[1]


def test_a_split_column_alone_says_how_many_folds(tmp_path):
    dataset = {**table(tmp_path, fold=[i % 3 for i in range(ROWS)]), "split": "fold"}
    search(
        write_space(tmp_path, dataset=dataset, resampling={"outer": None}, search={"trials": 1}), tmp_path / "study.db"
    )
    assert len(load(tmp_path / "study.db").folds) == 3


def test_holdouts_of_groups_keep_class_shares():
    dataset = toy(groups=np.arange(ROWS) // 2)
    for chain in plan(Resampling(inner=InnerFolds(holdout=0.25, repeats=3)), dataset).chains:
        for fold in chain.folds:
            assert not set(dataset.roles.groups[fold.train]) & set(dataset.roles.groups[fold.validation])
            shares = np.bincount(dataset.targets[fold.validation]) / len(fold.validation)
            assert shares == pytest.approx([1 / 3] * 3, abs=0.15)


REFUSED = {
    "groups and time": (Resampling(), {"groups": groups_of(20), "order": np.arange(60.0)}, "names time and groups"),
    "few groups": (Resampling(), {"groups": groups_of(3)}, "3 groups cannot be cut into 5 folds"),
    "no groups": (Resampling(kind="groups"), {}, "needs groups, and the data has none"),
    "no split": (Resampling(kind="split"), {}, "needs split, and the data has none"),
    "a huge gap": (Resampling(kind="time", gap=50), {}, "leaves nothing to train on"),
    "stratified time": (Resampling(kind="time", stratify=True), {}, "mix past and future"),
    "repeated time": (
        Resampling(kind="time", outer=OuterFolds(repeats=2)),
        {},
        "60 rows in their order of time can be cut in 1 way only, and repeats: 2",
    ),
    "repeated split": (
        Resampling(outer=OuterFolds(folds=4, repeats=2)),
        {"split": np.arange(ROWS) % 4},
        "60 rows with a split column can be cut in 1 way only",
    ),
    "other folds": (
        Resampling(outer=3),
        {"split": np.arange(ROWS) % 4},
        "the split column names 4 outer folds, and resampling.outer 3",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_cut_is_told(case):
    wish, roles, text = REFUSED[case]
    with pytest.raises(DataError, match=text):
        plan(wish, toy(**roles))


def table(folder, **columns):
    """A CSV with a feature x and a class y that it tells, beside these columns."""
    rows = zip(*columns.values(), strict=True)
    lines = [",".join(map(str, (i % 7 + (i % 2) * 3, "ab"[i % 2], *row))) for i, row in enumerate(rows)]
    (folder / "t.csv").write_text("\n".join([",".join(["x", "y", *columns]), *lines]) + "\n")
    return {"name": "table", "path": "t.csv", "target": "y"}


PATIENTS = [f"p{i // 4}" for i in range(ROWS)]
DAYS = [f"2024-0{1 + i % 9}-{1 + i // 9:02}" for i in range(ROWS)]


def test_a_table_says_its_groups_and_they_are_no_feature(tmp_path):
    dataset = table(tmp_path, patient=PATIENTS)
    path = write_space(tmp_path, dataset={**dataset, "groups": "patient"}, search={"trials": 1})
    out = search(path, tmp_path / "study.db")
    assert "warning" not in out
    assert load(tmp_path / "study.db").header.dataset.shape == (1,)
    assert load(tmp_path / "study.db").complete


@pytest.mark.slow
@pytest.mark.parametrize("sampler", [slow("random"), "tpe"])
def test_a_search_forward_in_time_is_the_same_on_any_number_of_workers(tmp_path, sampler):
    dataset = {**table(tmp_path, day=DAYS), "time": "day"}
    path = write_space(tmp_path, dataset=dataset, search={"sampler": sampler, "trials": 3}, resampling={"gap": 2})
    reports = []
    for workers in (0, 2):
        study = tmp_path / f"{workers}.db"
        search(path, study, workers=workers)
        report = json.loads(inside("report", study, "--format", "json")[1])
        reports.append([report["score"], report["outer_folds"]])
        assert load(study).complete
    assert reports[0] == reports[1]


def test_what_looks_like_groups_or_time_is_told_where_neither_is_used(tmp_path):
    dataset = table(tmp_path, patient_id=PATIENTS, date=DAYS)
    path = write_space(tmp_path, dataset={**dataset, "drop": ["patient_id", "date"]})
    code, out, _ = inside("check", path)
    assert code == 0
    assert "warning: column 'patient_id' has 15 values in 60 rows" in out and "dataset.groups: patient_id" in out
    assert "warning: column 'date' looks like time" in out
    settled = write_space(tmp_path, dataset={**dataset, "drop": ["patient_id", "date"]}, resampling={"kind": "random"})
    assert "warning" not in inside("check", settled)[1]


BAD = {
    "an absent column": ({"groups": "patients"}, {}, "has no column 'patients'"),
    "a missing group": ({"groups": "patient"}, {"patient": ["", *PATIENTS[1:]]}, "of data row 1 is missing"),
    "dates of no kind": ({"time": "day"}, {"day": ["some day"] * ROWS}, "neither numbers nor dates"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_column_is_told(tmp_path, case):
    roles, columns, text = BAD[case]
    columns = columns or {"patient": PATIENTS}
    code, _, err = inside("check", write_space(tmp_path, dataset={**table(tmp_path, **columns), **roles}))
    assert code == 2
    assert text in err


def test_numbers_and_dates_order_alike(tmp_path):
    plans = []
    for kind, values in (
        ("number", range(ROWS)),
        ("date", [str(np.datetime64("1999-12-01") + i) for i in range(ROWS)]),
    ):
        folder = tmp_path / kind
        folder.mkdir()
        shuffled = np.random.default_rng(1).permutation(ROWS)
        dataset = {**table(folder, when=np.array(list(values))[shuffled].tolist()), "time": "when"}
        search(write_space(folder, dataset=dataset, search={"trials": 1}), folder / "s.db")
        plans.append([chain.digest for chain in load(folder / "s.db").header.chains])
    assert plans[0] == plans[1]
    assert len(set(itertools.chain(*plans))) == len(plans[0])
