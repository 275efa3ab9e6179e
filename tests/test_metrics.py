"""Metrics equal scikit-learn's (sacrebleu's) of the same name, on many padded sets at once."""

import numpy as np
import pytest
import torch
from sacrebleu import corpus_bleu
from scipy.special import log_softmax, softmax
from sklearn import metrics as sk

from tuner.data.dataset import END, IGNORED
from tuner.ranking import ndcg, recall
from tuner.training.metrics import DEFAULT, METRICS

CLASSES = 4


def log_loss(targets, outputs):
    return sk.log_loss(targets, softmax(outputs, axis=1), labels=range(CLASSES))


def by_class(function, **how):
    return lambda targets, outputs: function(targets, outputs.argmax(axis=1), **how)


def roc_auc(targets, outputs):
    """Of each class that has rows and lacks some, against the rest."""
    probabilities = softmax(outputs, axis=1)
    known = [c for c in range(CLASSES) if 0 < (targets == c).sum() < len(targets)]
    return np.mean([sk.roc_auc_score(targets == c, probabilities[:, c]) for c in known] or [np.nan])


def foreground(function):
    """Averaged over the classes but the first that are true or predicted."""

    def score(targets, outputs):
        present = [c for c in range(1, CLASSES) if (targets == c).any() or (outputs.argmax(axis=1) == c).any()]
        return by_class(function, average="macro", labels=present)(targets, outputs) if present else 1.0

    return score


RATIOS = {"precision": sk.precision_score, "recall": sk.recall_score, "f1": sk.f1_score}
OF_CLASSES = {
    "accuracy": by_class(sk.accuracy_score),
    "balanced_accuracy": by_class(lambda t, p: sk.recall_score(t, p, labels=np.unique(t), average="macro")),
    "log_loss": log_loss,
    "roc_auc": roc_auc,
    "dice": foreground(sk.f1_score),
    "iou": foreground(sk.jaccard_score),
    "perplexity": lambda t, o: np.exp(log_loss(t, o)),
    "bits_per_character": lambda t, o: log_loss(t, o) / np.log(2),
    **{
        f"{average}_{name}": by_class(function, average=average, zero_division=0)
        for name, function in RATIOS.items()
        for average in ("macro", "micro", "weighted")
    },
}
OF_NUMBERS = {
    "rmse": sk.root_mean_squared_error,
    "mse": sk.mean_squared_error,
    "mae": sk.mean_absolute_error,
    "r2": sk.r2_score,
}
OF_TEXTS = {"token_accuracy", "exact_match", "bleu"}
RANKED = {name for name, metric in METRICS.items() if metric.by_user}


def test_every_metric_has_an_oracle_and_every_task_a_default():
    assert set(METRICS) == {*OF_CLASSES, *OF_NUMBERS, *OF_TEXTS, *RANKED}
    assert all(task in METRICS[name].tasks for task, name in DEFAULT.items())


def assert_equals(name, oracle, outputs, targets, mask):
    scores = METRICS[name].score(torch.from_numpy(outputs), torch.from_numpy(targets), torch.from_numpy(mask))
    assert scores.shape == mask.shape[:-1]
    kind = np.float64 if targets.dtype.kind == "f" else np.int64  # scikit-learn would go on in float32
    for index in np.ndindex(*mask.shape[:-1]):
        keep = mask[index]
        expected = oracle(targets[index][keep].astype(kind), outputs[index][keep].astype(np.float64))
        assert scores[index].item() == pytest.approx(expected, rel=1e-9, abs=1e-12, nan_ok=True)


def random_mask(random, *shape):
    mask = random.random(shape) < 0.6
    mask[..., :2] = True
    return mask


@pytest.mark.parametrize("name", OF_CLASSES)
@pytest.mark.parametrize("present", [CLASSES, 2, 1])  # with fewer, classes are missing from the sets
def test_classification_equals_sklearn(name, present):
    random = np.random.default_rng(present)
    outputs = random.normal(size=(3, 2, 12, CLASSES)).astype(np.float32)
    targets = random.integers(0, present, (3, 2, 12))
    assert_equals(name, OF_CLASSES[name], outputs, targets, random_mask(random, 3, 2, 12))


@pytest.mark.parametrize("name", OF_CLASSES)
@pytest.mark.parametrize("places", [(5,), (2, 3)])
def test_every_step_or_pixel_that_asks_counts_once(name, places):
    random = np.random.default_rng(7)
    outputs = random.normal(size=(3, 12, *places, CLASSES)).astype(np.float32)
    targets = random.integers(IGNORED, CLASSES, (3, 12, *places))

    def flat(t, o):
        return OF_CLASSES[name](t[t != IGNORED], o[t != IGNORED])

    assert_equals(name, flat, outputs, targets, random_mask(random, 3, 12))


def test_two_classes_have_one_area_under_the_curve():
    random = np.random.default_rng(0)
    outputs, targets = random.normal(size=(1, 40, 2)).astype(np.float32), random.integers(0, 2, (1, 40))
    oracle = lambda t, o: sk.roc_auc_score(t, softmax(o, axis=1)[:, 1])  # noqa: E731
    assert_equals("roc_auc", oracle, outputs, targets, np.ones((1, 40), dtype=bool))


@pytest.mark.parametrize("name", OF_NUMBERS)
@pytest.mark.parametrize("count", [1, 3])
def test_regression_equals_sklearn(name, count):
    random = np.random.default_rng(count)
    targets = random.normal(50, 9, (3, 2, 12, count)).astype(np.float32)
    outputs = targets + random.normal(size=targets.shape).astype(np.float32)
    assert_equals(name, OF_NUMBERS[name], outputs, targets, random_mask(random, 3, 2, 12))


@pytest.mark.parametrize("name", OF_NUMBERS)
@pytest.mark.parametrize("exact", [True, False])
def test_a_constant_target_scores_as_sklearns(name, exact):
    random = np.random.default_rng(0)
    targets = np.full((2, 7, 2), 0.1, dtype=np.float32)
    targets[..., 1] = random.normal(size=(2, 7))
    outputs = targets + (0 if exact else random.normal(size=targets.shape).astype(np.float32))
    assert_equals(name, OF_NUMBERS[name], outputs, targets, random_mask(random, 2, 7))


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
    kept = random.random(30) < 0.7
    expected = corpus_bleu(
        list(np.array(spoken(said), dtype=object)[kept]), [list(np.array(spoken(truth), dtype=object)[kept])],
        tokenize="none", force=True,
    ).score  # fmt: skip
    found = METRICS["bleu"].score(*(torch.from_numpy(each[None]) for each in (said, truth, kept)))
    assert found.item() == pytest.approx(expected, rel=1e-9)


def test_token_accuracy_and_exact_match_by_hand():
    truth = np.array([[[3, 2, END, IGNORED], [1, END, IGNORED, IGNORED], [2, 2, 2, END]]])
    said = np.array([[[3, 2, END, END], [2, END, END, END], [2, 2, END, END]]])
    mask = np.array([[True, True, True]])
    found = {name: METRICS[name].score(*map(torch.from_numpy, (said, truth, mask))).item()
             for name in ("token_accuracy", "exact_match")}  # fmt: skip
    assert found == {"token_accuracy": pytest.approx((3 + 1 + 3) / (3 + 2 + 4)), "exact_match": pytest.approx(1 / 3)}
    logits = torch.from_numpy(np.eye(4)[said] + 0.0)  # of a model that says every step at once
    assert METRICS["exact_match"].score(logits, torch.from_numpy(truth), torch.from_numpy(mask)).item() == 1 / 3


@pytest.mark.parametrize("name", sorted(RANKED))
def test_rankings_are_means_over_users_of_sklearns(name):
    random = np.random.default_rng(3)
    kind, _, k = name.partition("@")
    users, ratings = random.integers(2, 9, (2, 60)), random.integers(0, 6, (2, 60, 1)).astype(np.float32)
    said, mask = random.normal(size=(2, 60, 1)).astype(np.float32), random_mask(random, 2, 60)
    found = METRICS[name].score(*map(torch.from_numpy, (said, ratings, mask, users)))
    for place in range(2):
        expected = []
        for user in np.unique(users[place][mask[place]]):
            own = mask[place] & (users[place] == user)
            truth, score = ratings[place, own, 0].astype(float), said[place, own, 0]
            if kind == "ndcg" and truth.any():
                expected.append(sk.ndcg_score([truth], [score], k=int(k)) if len(truth) > 1 else 1.0)
            if kind == "recall" and (wanted := np.flatnonzero(truth > truth.mean())).size:
                first = np.argsort(-score)[: int(k)]
                expected.append(len({*wanted} & {*first}) / len(wanted))
        assert found[place].item() == pytest.approx(np.mean(expected))


def test_where_nothing_is_wanted_an_order_has_no_score():
    assert ndcg(np.zeros(3), np.arange(3.0), 2) is None
    assert recall(np.zeros(3, dtype=bool), np.arange(3.0), 2) is None
    assert recall(np.array([True, False, True]), np.array([1.0, 2.0, 3.0]), 2) == 0.5


@pytest.mark.parametrize("k", [1, 2, 3, 9])
def test_equal_scores_share_their_places_whatever_the_order_of_the_file(k):
    random = np.random.default_rng(k)
    gains, score = random.integers(0, 4, 9).astype(float), random.integers(0, 3, 9).astype(float)
    assert ndcg(gains, score, k) == pytest.approx(sk.ndcg_score([gains], [score], k=k))
    wanted, found = gains > 1, []
    for _ in range(4000):  # in any order of equals
        order = np.lexsort((random.random(9), -score))
        found.append(wanted[order[:k]].sum() / wanted.sum())
    assert recall(wanted, score, k) == pytest.approx(np.mean(found), abs=0.03)


@pytest.mark.parametrize("name", METRICS)
def test_more_is_better_exactly_where_the_metric_says_so(name):
    random = np.random.default_rng(1)
    mask, users = torch.ones(20, dtype=torch.bool), torch.zeros(20, dtype=torch.long)
    if name in OF_CLASSES:
        targets = random.integers(0, CLASSES, 20)
        good, bad = (3.0 * np.eye(CLASSES)[(targets + wrong) % CLASSES] for wrong in (0, 1))
        bad += random.normal(size=bad.shape)
    elif name in OF_TEXTS:
        targets = np.append(random.integers(1, 5, (20, 9)), np.zeros((20, 1), dtype=int), axis=1)
        good, bad = targets.copy(), np.where(targets > END, targets % 4 + 1, targets)
        bad[0] = targets[0]
    else:
        targets = np.abs(random.normal(size=(40, 1)))
        mask, users = torch.ones(40, dtype=torch.bool), torch.zeros(40, dtype=torch.long)
        good, bad = targets + 0.1, 3.0 - targets
    given = [(torch.from_numpy(o), torch.from_numpy(targets), mask, users) for o in (bad, good)]
    worse, better = (METRICS[name].score(*each).item() for each in given)
    assert (better > worse) is METRICS[name].maximize
    low, high = METRICS[name].bounds
    assert all((low is None or low <= s) and (high is None or s <= high + 1e-9) for s in (worse, better))


def test_log_softmax_of_the_oracle_is_ours():
    outputs = np.random.default_rng(0).normal(size=(1, 9, CLASSES))
    targets = np.arange(9)[None] % CLASSES
    nll = -log_softmax(outputs[0], axis=1)[np.arange(9), targets[0]]
    by_row = METRICS["log_loss"].by_row(torch.from_numpy(outputs), torch.from_numpy(targets))
    np.testing.assert_allclose(by_row[0].numpy(), nll)
