"""Splits equal scikit-learn's, the shared partition is plain set algebra, and nothing ever overlaps."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from helpers import inside
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import (
    GroupShuffleSplit,
    KFold,
    ShuffleSplit,
    StratifiedKFold,
    StratifiedShuffleSplit,
)
from toy_data import changed, toy_dataset

from tuner.data.cuts import partitions
from tuner.data.resampling import ChainPlan, Fold, NestedPlan, plan
from tuner.errors import DataError
from tuner.experiment.sections import InnerFolds, OuterFolds, Resampling


def toy(rows=61, classes=3, counts=None):
    """Classes in random order; `counts` says how many rows each has."""
    counts = counts or [rows // classes + (i < rows % classes) for i in range(classes)]
    targets = np.random.default_rng(1).permutation(np.repeat(np.arange(len(counts)), counts))
    x = np.zeros((len(targets), 2), np.float32)
    return toy_dataset("toy", "classification", x, targets, (), ("y",), tuple("abcdefgh"[: len(counts)]))


def amounts(rows=61):
    return toy_dataset(
        "toy", "regression", np.zeros((rows, 2), np.float32), np.zeros((rows, 1), np.float32), (), ("y",)
    )


def same(ours, theirs):
    assert len(ours) == len(theirs)
    for mine, expected in zip(ours, theirs, strict=True):
        assert sorted(mine.tolist()) == sorted(expected.tolist())


@pytest.mark.parametrize("seed", [0, 7])
@pytest.mark.parametrize("kind", ["stratified", "plain", "regression"])
def test_outer_folds_equal_sklearns(kind, seed):
    dataset = amounts() if kind == "regression" else toy()
    wish = Resampling(outer=4, seed=seed, stratify=False if kind == "plain" else "auto")
    splitter = StratifiedKFold if kind == "stratified" else KFold
    splits = list(splitter(4, shuffle=True, random_state=seed).split(dataset.features, dataset.targets))
    chains = plan(wish, dataset).chains
    assert [c.name for c in chains] == ["outer-1", "outer-2", "outer-3", "outer-4", "final"]
    same([c.rows for c in chains[:-1]], [train for train, _ in splits])
    same([c.test for c in chains[:-1]], [test for _, test in splits])


@pytest.mark.parametrize("count", [3, 4, 5, 6])
def test_the_shared_partition_uses_exactly_the_other_parts(count):
    *outer, final = plan(Resampling(outer=count), toy()).chains
    parts = [frozenset(c.test.tolist()) for c in outer]
    everything = frozenset(range(61))
    assert frozenset.union(*parts) == everything and sum(map(len, parts)) == 61
    for chain, own in zip(outer, parts, strict=True):
        found = {(frozenset(f.validation.tolist()), frozenset(f.train.tolist())) for f in chain.folds}
        assert found == {(part, everything - own - part) for part in parts if part != own}
    found = {(frozenset(f.validation.tolist()), frozenset(f.train.tolist())) for f in final.folds}
    assert found == {(part, everything - part) for part in parts}
    trainings = {f.train.tobytes() for c in (*outer, final) for f in c.folds}
    assert len(trainings) == count * (count - 1) // 2 + count


def test_two_outer_folds_leave_no_partition_to_share():
    with pytest.raises(DataError, match="outer: 2 leaves one part for training, so inner: shared is not possible"):
        plan(Resampling(outer=2), toy())
    assert len(plan(Resampling(outer=2, inner=3), toy()).chains) == 3


INNER = st.one_of(
    st.just("shared"),
    st.integers(2, 4),
    st.builds(InnerFolds, folds=st.integers(2, 3), repeats=st.integers(1, 3)),
    st.builds(InnerFolds, holdout=st.sampled_from([0.2, 0.5]), repeats=st.integers(1, 3)),
)
OUTER = st.one_of(
    st.integers(3, 5), st.just("none"), st.builds(OuterFolds, folds=st.integers(3, 4), repeats=st.integers(1, 3))
)


@settings(deadline=None, max_examples=60)
@given(OUTER, INNER, st.booleans(), st.integers(0, 2**32 - 1))
def test_train_validation_and_test_are_disjoint_and_cover_all_rows(outer, inner, stratify, seed):
    for chain in plan(Resampling(outer=outer, inner=inner, stratify=stratify, seed=seed), toy()).chains:
        test = set(chain.test.tolist())
        for fold in chain.folds:
            train, validation = set(fold.train.tolist()), set(fold.validation.tolist())
            assert len(train) == len(fold.train) and len(validation) == len(fold.validation)
            assert not train & validation and not (train | validation) & test
            assert train | validation == set(chain.rows.tolist())
            assert train | validation | test == set(range(61))


@pytest.mark.parametrize(("inner", "folds"), [(3, 3), (InnerFolds(folds=3, repeats=2), 6)])
def test_inner_folds_validate_every_row_once_a_repeat(inner, folds):
    for chain in plan(Resampling(outer=4, inner=inner), toy()).chains:
        assert len(chain.folds) == folds
        for first in range(0, folds, 3):
            validated = np.concatenate([f.validation for f in chain.folds[first : first + 3]])
            assert sorted(validated.tolist()) == sorted(chain.rows.tolist())


def test_outer_repeats_cut_anew_and_test_every_row_once_each():
    *outer, _ = plan(Resampling(outer=OuterFolds(folds=3, repeats=2)), toy()).chains
    assert len(outer) == 6
    for repeat in (outer[:3], outer[3:]):
        assert sorted(np.concatenate([c.test for c in repeat]).tolist()) == list(range(61))
    assert not {c.test.tobytes() for c in outer[:3]} & {c.test.tobytes() for c in outer[3:]}


def test_outer_none_leaves_the_final_chain_alone():
    (final,) = plan(Resampling(outer="none", inner=3), toy()).chains
    assert final.name == "final" and len(final.folds) == 3 and len(final.test) == 0
    assert len(final.rows) == 61


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_a_holdout_has_its_share_and_its_class_shares(share):
    dataset = toy(60)
    for chain in plan(Resampling(outer=3, inner=InnerFolds(holdout=share)), dataset).chains:
        (fold,) = chain.folds
        assert len(fold.validation) == pytest.approx(share * len(chain.rows), abs=1)
        counts = np.bincount(dataset.targets[fold.validation], minlength=3)
        assert counts.max() - counts.min() <= 1


def test_stratified_folds_differ_by_one_row_per_class_at_most():
    dataset = toy(counts=[31, 20, 10])
    counts = np.array(
        [np.bincount(dataset.targets[c.test], minlength=3) for c in plan(Resampling(), dataset).chains[:-1]]
    )
    assert (counts.max(axis=0) - counts.min(axis=0) <= 1).all()


ERRORS = {
    "rare class": (
        Resampling(),
        toy(counts=[30, 30, 4]),
        "class 'c' has 4 rows, fewer than 5 folds",
        "stratify: false",
    ),
    "few rows": (Resampling(outer=10), amounts(9), "9 rows cannot be cut into 10 folds", "fewer folds, or more rows"),
    "no classes": (
        Resampling(stratify=True),
        amounts(),
        "needs classes or labels, and toy is a regression task",
        "leave stratify out",
    ),
    "rare inside": (
        Resampling(outer=3, inner=5),
        toy(counts=[30, 30, 6]),
        "class 'c' has 4 rows",
        "merge rare classes",
    ),
    "small holdout": (Resampling(inner=InnerFolds(holdout=0.01)), toy(), "inner holdout 0.01: ", "take a larger share"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_a_cut_that_cannot_be_made_says_why_and_what_to_do(case):
    wish, dataset, message, hint = ERRORS[case]
    with pytest.raises(DataError) as caught:
        plan(wish, dataset)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_a_rare_class_may_be_cut_without_stratifying():
    assert len(plan(Resampling(stratify=False), toy(counts=[30, 30, 4])).chains) == 6


def test_the_digest_is_the_same_again_and_changes_when_one_row_moves():
    whole = plan(Resampling(), toy())
    assert whole.digest() == plan(Resampling(), toy()).digest()
    assert whole.digest() != plan(Resampling(seed=1), toy()).digest()
    chain = whole.chains[0]
    fold = chain.folds[0]
    moved = Fold(fold.train[1:], np.append(fold.validation, fold.train[0]))
    others = (*whole.chains[1:],)
    assert NestedPlan((replace(chain, folds=(moved, *chain.folds[1:])), *others)).digest() != whole.digest()


@pytest.mark.parametrize("where", ["validation", "test"])
def test_an_overlap_is_found_wherever_it_is(where):
    validation = np.array([2, 3] if where == "validation" else [3, 4])
    chain = ChainPlan("outer-1", np.arange(5), (Fold(np.arange(3), validation),), np.array([5, 6]))
    if where == "test":
        chain = replace(chain, test=np.array([4, 5]))
    with pytest.raises(RuntimeError, match="overlap"):
        chain.check()


def groups_in(count, rows=60, task="regression"):
    """Rows in groups of equal size."""
    dataset = amounts(rows) if task == "regression" else toy(rows)
    return changed(dataset, groups=np.arange(rows) * count // rows)


def partition(chains):
    """The test sets of one repeat, in no order."""
    return frozenset(frozenset(chain.test.tolist()) for chain in chains)


def ways(units, folds):
    """Every partition of the units into folds whose sizes differ by one at most, by trying all."""
    labels = (np.bincount(cut, minlength=folds) for cut in itertools.product(range(folds), repeat=units))
    fair = (counts.max() - counts.min() <= 1 for counts in labels)
    cuts = itertools.compress(itertools.product(range(folds), repeat=units), fair)
    return len({frozenset(frozenset(np.flatnonzero(np.array(cut) == fold)) for fold in range(folds)) for cut in cuts})


@pytest.mark.slow
@pytest.mark.parametrize(("units", "folds"), [(3, 3), (4, 2), (5, 2), (5, 3), (6, 3), (6, 5), (7, 4), (7, 7)])
def test_the_number_of_partitions_by_trying_all(units, folds):
    assert partitions(units, folds) == ways(units, folds)


@pytest.mark.parametrize(("count", "folds", "exist"), [(4, 2, 3), (5, 3, 15), (6, 5, 15), (6, 3, 15)])
def test_repeats_are_different_partitions_until_none_is_left(count, folds, exist):
    wish = Resampling(outer=OuterFolds(folds=folds, repeats=exist), inner=2 if count > 4 else InnerFolds(holdout=0.5))
    *outer, _ = plan(wish, groups_in(count)).chains
    repeats = [partition(outer[first : first + folds]) for first in range(0, len(outer), folds)]
    assert len(set(repeats)) == len(repeats) == exist
    with pytest.raises(DataError, match=f"{count} groups can be cut in {exist} ways only, and repeats: {exist + 1}"):
        plan(wish.model_copy(update={"outer": OuterFolds(folds=folds, repeats=exist + 1)}), groups_in(count))


ONCE = {
    "leave one group out": (OuterFolds(folds=5, repeats=5), "shared", groups_in(5), "5 groups can be cut in 1 way"),
    "of classes too": (
        OuterFolds(folds=3, repeats=2), "shared", groups_in(3, 60, "classification"), "3 groups can be cut in 1 way",
    ),
    "leave one row out": (OuterFolds(folds=9, repeats=2), "shared", amounts(9), "9 rows can be cut in 1 way"),
    "inside": (5, InnerFolds(folds=4, repeats=2), groups_in(5), "4 groups can be cut in 1 way"),
    "holdouts inside": (4, InnerFolds(holdout=0.3, repeats=9), groups_in(4), "only 3 ways to cut 3 groups were found"),
}  # fmt: skip


@pytest.mark.parametrize("case", ONCE)
def test_more_repeats_than_partitions_are_refused(case):
    outer, inner, dataset, text = ONCE[case]
    with pytest.raises(DataError, match=text) as caught:
        plan(Resampling(outer=outer, inner=inner), dataset)
    assert caught.value.hint == f"repeats: {text.split(' way')[0].split()[-1]}"
    assert caught.value.key == ("outer" if isinstance(outer, OuterFolds) else "inner")


def test_repeats_that_do_not_collide_are_cut_from_the_seeds_in_order():
    *outer, _ = plan(Resampling(outer=OuterFolds(folds=4, repeats=3), seed=11), amounts()).chains
    expected = [
        test for repeat in range(3) for _, test in KFold(4, shuffle=True, random_state=11 + repeat).split(np.zeros(61))
    ]
    same([chain.test for chain in outer], expected)


@pytest.mark.parametrize(
    ("dataset", "wish", "repeatable"),
    [(groups_in(5), Resampling(), False), (groups_in(6), Resampling(), True), (amounts(), Resampling(), True),
     (amounts(5), Resampling(), False), (toy(), Resampling(), True), (amounts(), Resampling(kind="time"), False),
     (groups_in(3, 60, "classification"), Resampling(outer=3), False), (amounts(), Resampling(outer="none"), False)],
    ids=["groups = folds", "more groups", "rows", "rows = folds", "classes", "time", "classes in groups", "flat"],
)  # fmt: skip
def test_a_plan_knows_whether_another_cut_exists(dataset, wish, repeatable):
    assert plan(wish, dataset).repeatable == repeatable


def test_leaving_one_group_out_five_times_is_refused_at_its_line(tmp_path):
    lines = [f"{i % 7},{i * 0.5},g{i % 5}" for i in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["x,y,g", *lines]) + "\n")
    (tmp_path / "e.yaml").write_text(
        "dataset: {name: table, path: t.csv, target: y, groups: g}\nmodel: {name: mlp}\n"
        "resampling:\n  outer: {folds: 5, repeats: 5}\n"
    )
    code, _, err = inside("check", tmp_path / "e.yaml")
    assert code == 2
    assert "e.yaml:4:3: error: 5 groups can be cut in 1 way only, and repeats: 5 asks for 5 different ones" in err
    assert "= repeats: 1" in err


@pytest.mark.parametrize("kind", ["stratified", "plain", "grouped"])
def test_repeated_holdouts_equal_sklearns(kind):
    dataset = groups_in(20) if kind == "grouped" else toy(60)
    wish = Resampling(outer="none", inner=InnerFolds(holdout=0.25, repeats=3), stratify=kind == "stratified", seed=5)
    splitter = {"stratified": StratifiedShuffleSplit, "plain": ShuffleSplit, "grouped": GroupShuffleSplit}[kind]
    splits = splitter(3, test_size=0.25, random_state=1005).split(
        dataset.features, dataset.targets, dataset.roles.groups
    )
    (final,) = plan(wish, dataset).chains
    for fold, (train, test) in zip(final.folds, splits, strict=True):
        assert fold.train.tolist() == sorted(train) and fold.validation.tolist() == sorted(test)


def test_many_units_can_be_cut_more_often_than_anybody_may_ask_for():
    assert all(partitions(units, units - 1) >= 100 for units in (16, 20, 21, 1000))
    assert partitions(10**6, 5) > 100 and partitions(4, 5) is None and partitions(1000, 1000) == 1


@pytest.mark.parametrize("seed", range(20, 40))
def test_partitions_are_said_to_differ_exactly_where_repeats_can_be_had(seed):
    """Six groups in five stratified folds, which few draws cut differently."""
    rng = np.random.default_rng(seed)
    groups, targets = np.repeat(np.arange(6), 10), rng.integers(0, 2, 60)
    features = np.zeros((60, 1), np.float32)
    dataset = toy_dataset("toy", "classification", features, targets, (), ("y",), ("a", "b"), groups=groups)
    try:
        twice = plan(Resampling(kind="groups", outer={"folds": 5, "repeats": 2}, seed=seed), dataset).repeatable
    except DataError:
        twice = False
    assert plan(Resampling(kind="groups", outer=5, seed=seed), dataset).repeatable == twice


def test_a_split_column_of_amounts_is_cut_once():
    dataset = changed(amounts(60), split=np.arange(60) % 3)
    assert not plan(Resampling(), dataset).repeatable
    with pytest.raises(DataError, match="60 rows with a split column can be cut in 1 way only"):
        plan(Resampling(outer={"folds": 3, "repeats": 2}), dataset)


@pytest.mark.filterwarnings("error")
def test_every_group_alone_is_a_fold_however_rare_the_classes():
    targets = (np.arange(30) % 3 == 0).astype(np.int64)
    dataset = toy_dataset("toy", "classification", np.zeros((30, 1), np.float32), targets, (), ("y",), ("a", "b"),
                      groups=np.arange(30))  # fmt: skip
    found = plan(Resampling(kind="groups", outer=30, inner=2), dataset)
    assert sorted(int(chain.test[0]) for chain in found.chains[:-1]) == list(range(30))
