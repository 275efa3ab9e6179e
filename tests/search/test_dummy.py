"""The dummy is the best answer that ignores the features, for every metric: no constant and no random draw beats it."""

import json

import numpy as np
import pytest
from helpers import inside, search, slow, write_space
from sets import scores
from sklearn import metrics as sk
from toy_data import toy_dataset

from tuner.metrics import METRICS
from tuner.metrics.parts.sums import IGNORED
from tuner.metrics.texts import END
from tuner.search.dummy import dummy

BLANK = np.zeros((60, 1), np.float32)
ROWS = np.arange(60)
OF_NUMBERS = [m for m in METRICS.values() if "regression" in m.tasks and m.needs is None]
OF_CLASSES = [m for m in METRICS.values() if "classification" in m.tasks]


def amounts(random, columns=1, **more):
    """Log-normal targets, whose mean, median and quantiles are far apart."""
    targets = random.lognormal(0, 1, (60, columns)).astype(np.float32)
    return toy_dataset("toy", "regression", BLANK, targets, (), ("y",) * columns, **more)


def labels(random, shares, **more):
    targets = random.choice(len(shares), size=60, p=shares)
    return toy_dataset("toy", "classification", BLANK, targets, (), ("y",), tuple("abcd"[: len(shares)]), **more)


def scored(dataset, metric, outputs):
    """Of outputs (…, N, C): each set's score."""
    sets = outputs.shape[:-2]
    given = np.broadcast_to(dataset.targets, (*sets, *dataset.targets.shape))
    return scores(metric, outputs, given, np.broadcast_to(dataset.counts(ROWS), (*sets, 60)))


@pytest.mark.parametrize("metric", OF_NUMBERS, ids=lambda metric: metric.name)
@pytest.mark.parametrize("weighted", [False, True])
def test_no_constant_beats_the_one_of_a_regression(metric, weighted):
    random = np.random.default_rng(0)
    weights = {"weights": random.integers(0, 4, 60).astype(np.float32)} if weighted else {}
    data = amounts(random, **weights)
    found = dummy(data, metric, ROWS, ROWS).score
    constants = np.append(np.linspace(data.targets.min(), data.targets.max(), 2001), np.unique(data.targets))
    outputs = np.broadcast_to(constants[:, None, None], (len(constants), 60, 1)).copy()
    best = scored(data, metric, outputs)
    best = best.max() if metric.maximize else best.min()
    assert found == pytest.approx(best, rel=1e-4, abs=1e-5)
    assert (found - best) * (1 if metric.maximize else -1) > -1e-9  # as good as any of the grid


def test_every_target_has_a_constant_of_its_own():
    data = amounts(np.random.default_rng(1), columns=3)
    found = dummy(data, METRICS["mae"], ROWS, ROWS)
    medians = np.broadcast_to(np.median(data.targets.astype(float), axis=0), (60, 3))
    assert found.score == pytest.approx(sk.mean_absolute_error(data.targets, medians))
    assert found.what == "the training median"


@pytest.mark.parametrize("metric", OF_CLASSES, ids=lambda metric: metric.name)
@pytest.mark.parametrize("shares", [(0.55, 0.3, 0.15), slow((0.85, 0.15)), slow((0.4, 0.3, 0.2, 0.1))])
@pytest.mark.parametrize("weighted", [slow(False), True])
def test_no_class_and_no_draw_beats_the_one_of_classes(metric, shares, weighted):
    """All single classes; of 60 ways to draw the best of 100 draws, by 2,000 others; of probabilities, 2,000."""
    random = np.random.default_rng(0)
    weights = {"weights": random.integers(1, 4, 60).astype(np.float32)} if weighted else {}
    data = labels(random, shares, **weights)
    count, sign = len(shares), 1 if metric.maximize else -1
    found = sign * dummy(data, metric, ROWS, ROWS).score
    if not metric.maximize:  # probabilities
        told = np.log(random.dirichlet(np.ones(count) * 3, 2000))
        best = sign * scored(data, metric, np.broadcast_to(told[:, None], (2000, 60, count)).copy())
        assert best.max() <= found + 1e-9
        return
    singles = scored(data, metric, np.broadcast_to(np.eye(count)[:, None], (count, 60, count)).copy())
    assert singles.max() <= found + 1e-9
    if metric.name in ("roc_auc", "average_precision"):
        return  # of an order: a draw is no better than none on average, and here every draw is one
    ways = random.dirichlet(np.ones(count), 60)

    def drawn(q, draws):
        return np.mean(scored(data, metric, np.eye(count)[random.choice(count, (draws, 60), p=q)]))

    best = max(ways, key=lambda q: drawn(q, 100))
    assert drawn(best, 2000) <= found + 0.01


@pytest.mark.slow
def test_a_draw_counts_with_its_expectation():
    """Macro F1 of guessing by class shares: scikit-learn's, over draws of another generator."""
    random = np.random.default_rng(0)
    data = labels(random, (0.55, 0.3, 0.15))
    found = dummy(data, METRICS["macro_f1"], ROWS, ROWS)
    shares = np.bincount(data.targets) / 60
    expected = np.mean([sk.f1_score(data.targets, random.choice(3, 60, p=shares), average="macro", zero_division=0)
                        for _ in range(2000)])  # fmt: skip
    assert found.what == "classes drawn at random"
    assert found.score == pytest.approx(expected, abs=0.01)
    assert found == dummy(data, METRICS["macro_f1"], ROWS, ROWS)  # the same draws every time


@pytest.mark.parametrize("positive", [3, 12])
def test_a_random_order_has_more_average_precision_than_the_share_of_a_class(positive):
    """(R − 1) / (n − 1) + (n − R) / (n · (n − 1)) · Σ 1 / i, of R of n rows (Bestgen 2015)."""
    data = toy_dataset("toy", "classification", BLANK, np.r_[np.ones(positive, int), np.zeros(60 - positive, int)], (),
                   ("y",), ("a", "b"))  # fmt: skip
    found = dummy(data, METRICS["average_precision"], ROWS, ROWS)
    harmonic = (1 / np.arange(1, 61)).sum()
    expected = (positive - 1) / 59 + (60 - positive) / (60 * 59) * harmonic
    assert found.what == "the rows in random order"
    assert found.score == pytest.approx(expected, abs=0.02) and expected > positive / 60 + 0.02


def test_of_pixels_the_commonest_foreground_is_said_everywhere():
    random = np.random.default_rng(0)
    targets = random.choice(2, (60, 4, 4), p=(0.8, 0.2))
    data = toy_dataset(
        "toy", "segmentation", np.zeros((60, 1, 4, 4), np.float32), targets, (), ("y",), ("ground", "thing")
    )
    for name, oracle in (("dice", sk.f1_score), ("iou", sk.jaccard_score)):
        found = dummy(data, METRICS[name], ROWS, ROWS)
        assert found.what == "always 'thing'"
        assert found.score == pytest.approx(oracle(targets.ravel(), np.ones(targets.size)))


def test_the_test_rows_choose_nothing():
    """They are all of the rare class, and the dummy still says the commonest of the training rows."""
    random = np.random.default_rng(0)
    data = labels(random, (0.8, 0.2))
    test = np.flatnonzero(data.targets == 1)[:5]
    train = np.setdiff1d(ROWS, test)
    assert dummy(data, METRICS["accuracy"], train, test).score == 0
    assert dummy(data, METRICS["accuracy"], train, test[:0]) is None


def test_answers_of_texts():
    random = np.random.default_rng(0)
    common, rare = [1, 2, END, IGNORED], [2, 1, 1, END]
    targets = np.array([common] * 40 + [rare] * 20)[random.permutation(60)]
    data = toy_dataset("toy", "translation", BLANK.astype(np.int64), targets, (), ("y",), ("<end>", "a", "b"),
                   vocabularies=(("<padding>", "<unknown>"),))  # fmt: skip
    assert dummy(data, METRICS["exact_match"], ROWS, ROWS).score == pytest.approx(40 / 60)
    by_place = dummy(data, METRICS["token_accuracy"], ROWS, ROWS)
    assert by_place.score == pytest.approx((40 * 3 + 20 * 1) / (40 * 3 + 20 * 4))  # the fourth is END, asked by few
    assert by_place.what == "the commonest token at each place"


NAIVE = "the seasonal-naive forecast of 7 steps"


@pytest.mark.parametrize(("walks", "best"), [(True, NAIVE), (False, "the training mean")])
def test_of_a_forecast_the_better_of_naive_and_mean(walks, best):
    steps = np.random.default_rng(0).normal(size=61)
    series = (steps.cumsum() if walks else steps).astype(np.float32)[:, None]
    data = toy_dataset("toy", "regression", BLANK, series[1:], (), ("y",), naive=series[:-1], season=7)
    found = dummy(data, METRICS["rmse"], ROWS[:40], ROWS[40:])
    baselines = {NAIVE: series[40:60], "the training mean": np.full((20, 1), series[1:41].mean(dtype=float))}
    assert found.what == best
    assert found.score == pytest.approx(sk.root_mean_squared_error(series[41:], baselines[best]))


def test_the_report_says_what_the_dummy_did(tmp_path):
    for name, metric, said in (
        ("diabetes", "mae", "the training median"),
        ("wine", "macro_f1", "classes drawn at random"),
    ):
        folder = tmp_path / name
        folder.mkdir()
        search(write_space(folder, dataset={"name": name}, metric=metric, search={"trials": 1}), folder / "study.db")
        text = " ".join(inside("report", folder / "study.db")[1].split())
        assert f"a dummy that ignores the features ({said}; " in text
        report = json.loads(inside("report", folder / "study.db", "--format", "json")[1])
        assert report["dummy"] == {"what": "a dummy that ignores the features", "predicts": said}


OF_CLASSES = [metric for metric in METRICS.values() if "classification" in metric.tasks]


@pytest.mark.parametrize("metric", OF_CLASSES, ids=lambda metric: metric.name)
@pytest.mark.parametrize("only", [0, 1])
def test_training_rows_of_one_class_have_a_dummy_too(metric, only):
    """As the first fold forward in time may have: MCC and kappa score no answer there."""
    targets = np.full(60, only)
    targets[30:] = np.arange(30) % 2
    data = toy_dataset("toy", "classification", BLANK, targets, (), ("y",), ("a", "b"))
    found = dummy(data, metric, np.arange(30), np.arange(30, 60))
    assert found is not None
    assert found.score is None or np.isfinite(found.score)
