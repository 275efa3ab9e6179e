"""Metrics equal scikit-learn's (sacrebleu's) of the same name, on many padded sets at once."""

from functools import partial

import numpy as np
import pytest
from sacrebleu import corpus_bleu
from scipy.special import log_softmax, softmax
from scipy.stats import spearmanr
from sets import scores as scores_of
from sklearn import metrics as sk
from toy_data import toy_dataset

from tuner.data.scored import needed as needed_of
from tuner.metrics import DEFAULT, METRICS
from tuner.metrics.parts.sums import IGNORED
from tuner.metrics.texts import END

CLASSES = 4
KINDS = ("masked", "whole", "fractions")  # of weights: 0 and 1, small whole numbers, numbers between 0 and 2


def log_loss(targets, outputs, weights):
    return sk.log_loss(targets, softmax(outputs, axis=1), labels=range(CLASSES), sample_weight=weights)


def by_class(function, **how):
    return lambda targets, outputs, weights: function(targets, outputs.argmax(axis=1), sample_weight=weights, **how)


def against_the_rest(function):
    """Of each class that has rows and lacks some, against the rest."""

    def score(targets, outputs, weights):
        probabilities = softmax(outputs, axis=1)
        known = [c for c in range(CLASSES) if 0 < (targets == c).sum() < len(targets)]
        each = [function(targets == c, probabilities[:, c], sample_weight=weights) for c in known]
        return np.mean(each or [np.nan])

    return score


def foreground(function):
    """Averaged over the classes but the first that are true or predicted."""

    def score(targets, outputs, weights):
        present = [c for c in range(1, CLASSES) if (targets == c).any() or (outputs.argmax(axis=1) == c).any()]
        return by_class(function, average="macro", labels=present)(targets, outputs, weights) if present else 1.0

    return score


def brier(targets, outputs, weights):
    return sk.brier_score_loss(targets, softmax(outputs, axis=1), labels=range(CLASSES), sample_weight=weights)


def mcc(targets, outputs, weights):
    """0 where one class is all that is true or said: scikit-learn divides rounding by rounding there."""
    alone = 1 in (len(np.unique(targets)), len(np.unique(outputs.argmax(axis=1))))
    return 0.0 if alone else by_class(sk.matthews_corrcoef)(targets, outputs, weights)


F = {f"f{beta}": partial(sk.fbeta_score, beta=beta) for beta in (0.5, 1, 2)}
RATIOS = {"precision": sk.precision_score, "recall": sk.recall_score, **F}
OF_CLASSES = {
    "accuracy": by_class(sk.accuracy_score),
    "balanced_accuracy": lambda t, o, w: by_class(sk.recall_score, labels=np.unique(t), average="macro")(t, o, w),
    "mcc": mcc,
    "cohen_kappa": by_class(sk.cohen_kappa_score),
    "log_loss": log_loss,
    "brier": brier,
    "roc_auc": against_the_rest(sk.roc_auc_score),
    "average_precision": against_the_rest(sk.average_precision_score),
    "dice": foreground(sk.f1_score),
    "iou": foreground(sk.jaccard_score),
    "perplexity": lambda t, o, w: np.exp(log_loss(t, o, w)),
    "bits_per_character": lambda t, o, w: log_loss(t, o, w) / np.log(2),
    **{
        f"{average}_{name}": by_class(function, average=average, zero_division=0)
        for name, function in RATIOS.items()
        for average in ("macro", "micro", "weighted")
    },
}


def of_numbers(function):
    return lambda targets, outputs, weights: function(targets, outputs, sample_weight=weights)


def symmetric(targets, outputs, weights):
    errors = [[abs(o - t) / ((abs(o) + abs(t)) / 2) if o or t else 0 for o, t in zip(*row, strict=True)]
              for row in zip(outputs, targets, strict=True)]  # fmt: skip
    return np.average(np.mean(errors, axis=1), weights=weights)


def spearman(targets, outputs, weights):
    """A row of weight 2 as two rows; in tenths, where weights are fractions."""
    times = np.round(10 * weights).astype(int)
    return np.mean([spearmanr(t.repeat(times), o.repeat(times))[0] for t, o in zip(targets.T, outputs.T, strict=True)])


LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
OF_NUMBERS = {
    "rmse": of_numbers(sk.root_mean_squared_error),
    "mse": of_numbers(sk.mean_squared_error),
    "mae": of_numbers(sk.mean_absolute_error),
    "r2": of_numbers(sk.r2_score),
    "mape": of_numbers(sk.mean_absolute_percentage_error),
    "smape": symmetric,
    "spearman": spearman,
    **{f"pinball_{level}": of_numbers(partial(sk.mean_pinball_loss, alpha=level)) for level in LEVELS},
}
OF_TEXTS = {"token_accuracy", "exact_match", "bleu"}
OF_FORECASTS = {"mase"}
RANKED = {name for name, metric in METRICS.items() if metric.needs == "users"}


def test_every_metric_has_an_oracle_and_every_task_a_default():
    assert set(METRICS) == {*OF_CLASSES, *OF_NUMBERS, *OF_TEXTS, *OF_FORECASTS, *RANKED}
    assert all(task in METRICS[name].tasks for task, name in DEFAULT.items())


def assert_equals(name, oracle, outputs, targets, weights):
    scores = scores_of(METRICS[name], outputs, targets, weights)
    assert scores.shape == weights.shape[:-1]
    kind = np.float64 if targets.dtype.kind == "f" else np.int64  # scikit-learn would go on in float32
    for index in np.ndindex(*weights.shape[:-1]):
        keep = weights[index] > 0
        expected = oracle(
            targets[index][keep].astype(kind), outputs[index][keep].astype(np.float64), weights[index][keep]
        )
        assert scores[index] == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True)


def random_weights(random, kind, *shape):
    """0 for about 2 rows in 5, but for the first three; in tenths, so that rows can be repeated by them."""
    mask = random.random(shape) < 0.6
    mask[..., :3] = True
    drawn = {
        "masked": np.ones(shape),
        "whole": random.integers(1, 4, shape),
        "fractions": random.integers(1, 20, shape) / 10,
    }
    return 1.0 * mask * drawn[kind]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")  # kappa of one class
@pytest.mark.parametrize("name", OF_CLASSES)
@pytest.mark.parametrize("present", [CLASSES, 2, 1])  # with fewer, classes are missing from the sets
@pytest.mark.parametrize("kind", KINDS)
def test_classification_equals_sklearn(name, present, kind):
    random = np.random.default_rng(present)
    outputs = random.normal(size=(3, 2, 12, CLASSES)).round(1).astype(np.float32)  # with ties
    targets = random.integers(0, present, (3, 2, 12))
    assert_equals(name, OF_CLASSES[name], outputs, targets, random_weights(random, kind, 3, 2, 12))


@pytest.mark.parametrize("name", OF_CLASSES)
@pytest.mark.parametrize("places", [(5,), (2, 3)])
def test_every_step_or_pixel_that_asks_counts_like_its_row(name, places):
    random = np.random.default_rng(7)
    outputs = random.normal(size=(3, 12, *places, CLASSES)).astype(np.float32)
    targets = random.integers(IGNORED, CLASSES, (3, 12, *places))

    def flat(t, o, w):
        each = np.broadcast_to(w.reshape(-1, *[1] * len(places)), t.shape)
        return OF_CLASSES[name](t[t != IGNORED], o[t != IGNORED], each[t != IGNORED])

    assert_equals(name, flat, outputs, targets, random_weights(random, "fractions", 3, 12))


@pytest.mark.parametrize("name", ["roc_auc", "average_precision", "brier"])
@pytest.mark.parametrize("kind", KINDS)
def test_of_two_classes_the_second_is_scored(name, kind):
    random = np.random.default_rng(0)
    outputs, targets = random.normal(size=(1, 40, 2)).astype(np.float32), random.integers(0, 2, (1, 40))
    oracle = {"roc_auc": sk.roc_auc_score, "average_precision": sk.average_precision_score,
              "brier": sk.brier_score_loss}[name]  # fmt: skip
    of_the_second = lambda t, o, w: oracle(t, softmax(o, axis=1)[:, 1], sample_weight=w)  # noqa: E731
    assert_equals(name, of_the_second, outputs, targets, random_weights(random, kind, 1, 40))


@pytest.mark.parametrize("name", OF_NUMBERS)
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_regression_equals_sklearn_and_scipy(name, count, kind):
    random = np.random.default_rng(count)
    targets = random.normal(50, 9, (3, 2, 12, count)).round().astype(np.float32)  # with ties
    outputs = targets + random.normal(size=targets.shape).round().astype(np.float32)
    assert_equals(name, OF_NUMBERS[name], outputs, targets, random_weights(random, kind, 3, 2, 12))


@pytest.mark.parametrize("name", sorted({*OF_NUMBERS} - {"spearman"}))
@pytest.mark.parametrize("exact", [True, False])
def test_a_constant_target_scores_as_sklearns(name, exact):
    random = np.random.default_rng(0)
    targets = np.full((2, 7, 2), 0.1, dtype=np.float32)
    targets[..., 1] = random.normal(size=(2, 7))
    outputs = targets + (0 if exact else random.normal(size=targets.shape).astype(np.float32))
    assert_equals(name, OF_NUMBERS[name], outputs, targets, random_weights(random, "masked", 2, 7))


@pytest.mark.parametrize("name", ["mape", "smape"])
def test_relative_errors_where_something_is_zero(name):
    targets, outputs = np.array([[[0.0], [2.0], [0.0], [-1.0]]]), np.array([[[0.0], [0.0], [3.0], [1.0]]])
    assert_equals(name, OF_NUMBERS[name], outputs, targets, np.ones((1, 4)))


def test_one_row_has_no_r2_and_a_constant_no_rank():
    one, values = np.array([1.0, 0.0]), np.array([[3.0], [4.0]])
    assert np.isnan(METRICS["r2"].score(values + 1, values, one))
    all_, same = np.ones(2), np.zeros_like(values)
    assert np.isnan(METRICS["spearman"].score(values, same, all_))
    assert METRICS["spearman"].score(same, values, all_) == 0  # it orders nothing; SciPy says nan


@pytest.mark.parametrize("horizon", [1, 3])
def test_the_scaled_error_is_that_of_hyndman_and_koehler(horizon):
    """On a series of its own: in-sample errors of the naive forecast of one step, from the definition."""
    random, season, columns = np.random.default_rng(2), 2, 2
    series, start = random.normal(size=(60, columns)).cumsum(axis=0), 10
    ends = np.arange(start, 60 - horizon + 1)
    targets = np.stack([series[end : end + horizon].ravel() for end in ends])
    steps = [[end + ahead - season * (1 + ahead // season) for ahead in range(horizon)] for end in ends]
    naive = np.stack([series[each].ravel() for each in steps]).astype(np.float32)
    blank = np.zeros((len(ends), 1), np.float32)
    data = toy_dataset("toy", "regression", blank, targets, (), ("y",), naive=naive, horizon=horizon)
    train, test = np.arange(30), np.arange(30, len(ends))
    known = series[: start + 30]
    scale = np.abs(known[season:] - known[:-season])[start - season :].mean(axis=0)
    outputs = targets[test] + random.normal(size=targets[test].shape)
    mase = METRICS["mase"]
    found = mase.score(outputs, targets[test], np.ones(len(test)), needed_of(data, mase, train, test))
    errors = np.abs(outputs - targets[test]).mean(axis=0).reshape(horizon, columns)
    assert found == pytest.approx((errors / scale).mean(), rel=1e-6)


@pytest.mark.parametrize("name", METRICS)
def test_with_all_weights_1_nothing_is_rounded_otherwise(name):
    """Scores with equal weights are the same to the bit, whatever that weight is."""
    random, metric = np.random.default_rng(4), METRICS[name]
    if name in OF_CLASSES:
        outputs, targets = random.normal(size=(20, CLASSES)), random.integers(0, CLASSES, 20)
    elif name in OF_TEXTS:
        targets = texts(random, 20, 6)
        outputs = np.where(random.random(targets.shape) < 0.9, np.maximum(targets, END), 1)
    else:
        targets = random.normal(50, 9, (20, 1))
        outputs = targets + random.normal(size=(20, 1))
    needed = np.zeros(20, dtype=np.int64) if metric.needs == "users" else np.ones((20, 1))
    ones, twos = np.ones(20), np.full(20, 2.0)
    assert metric.score(outputs, targets, ones, needed) == metric.score(outputs, targets, twos, needed)


def texts(random, rows, width, words=5):
    """Tokens (rows, width) that end somewhere, and are nothing after their end."""
    codes = random.integers(1, words, (rows, width))
    ends = random.integers(0, width, rows)
    codes[np.arange(rows), ends] = END
    codes[np.arange(width) > ends[:, None]] = IGNORED
    return codes


def spoken(codes):
    """Until the end, as text."""
    return [" ".join(f"w{token}" for token in row[: list(row).index(END)]) for row in codes]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("width", [3, 8, 20])
def test_bleu_equals_sacrebleu(seed, width):
    random = np.random.default_rng(seed)
    truth = texts(random, 30, width)
    said = np.where((random.random(truth.shape) < 0.3) & (truth > END), random.integers(1, 5, truth.shape), truth)
    said = np.where(said == IGNORED, END, said)  # a decoder says nothing but the end after the end
    times = random.integers(0, 3, 30)  # a row of weight 2 is two rows
    expected = corpus_bleu(
        list(np.array(spoken(said), dtype=object).repeat(times)),
        [list(np.array(spoken(truth), dtype=object).repeat(times))],
        tokenize="none", force=True,
    ).score  # fmt: skip
    assert METRICS["bleu"].score(said, truth, times * 1.0) == pytest.approx(expected, rel=1e-9)


def test_token_accuracy_and_exact_match_by_hand():
    truth = np.array([[3, 2, END, IGNORED], [1, END, IGNORED, IGNORED], [2, 2, 2, END]])
    said = np.array([[3, 2, END, END], [2, END, END, END], [2, 2, END, END]])
    weights = np.array([1.0, 3.0, 2.0])
    found = {name: METRICS[name].score(said, truth, weights) for name in ("token_accuracy", "exact_match")}
    right = (1 * 3 + 3 * 1 + 2 * 3) / (1 * 3 + 3 * 2 + 2 * 4)
    assert found == {"token_accuracy": pytest.approx(right), "exact_match": pytest.approx(1 / 6)}
    logits = np.eye(4)[said]  # of a model that says every step at once
    assert METRICS["exact_match"].score(logits, truth, weights) == 1 / 6


@pytest.mark.parametrize("name", METRICS)
def test_more_is_better_exactly_where_the_metric_says_so(name):
    random = np.random.default_rng(1)
    count = 40 if "regression" in METRICS[name].tasks else 20
    needs = {"users": np.zeros(count, dtype=np.int64), "naive": np.ones((count, 1)), None: None}
    weights, needed = np.ones(count), needs[METRICS[name].needs]
    if "translation" in METRICS[name].tasks:
        targets = np.append(random.integers(1, 5, (20, 9)), np.zeros((20, 1), dtype=int), axis=1)
        good, bad = targets.copy(), np.where(targets > END, targets % 4 + 1, targets)
        bad[0] = targets[0]
    elif "regression" not in METRICS[name].tasks:
        targets = random.integers(0, CLASSES, 20)
        good, bad = (3.0 * np.eye(CLASSES)[(targets + wrong) % CLASSES] for wrong in (0, 1))
        bad += random.normal(size=bad.shape)
    else:
        targets = np.abs(random.normal(size=(40, 1)))
        good, bad = targets + 0.1, 3.0 - targets
    worse, better = (METRICS[name].score(outputs, targets, weights, needed) for outputs in (bad, good))
    assert (better > worse) is METRICS[name].maximize
    low, high = METRICS[name].bounds
    assert all((low is None or low <= s) and (high is None or s <= high + 1e-9) for s in (worse, better))


def test_log_softmax_of_the_oracle_is_ours():
    outputs, targets = np.random.default_rng(0).normal(size=(9, CLASSES)), np.arange(9) % CLASSES
    nll = -log_softmax(outputs, axis=1)[np.arange(9), targets]
    np.testing.assert_allclose(METRICS["log_loss"].row_totals(outputs, targets, np.ones(9))[:, 1], nll)
