"""Metrics of an order: means over users of scikit-learn's, whatever the order of the file."""

import numpy as np
import pytest
from sets import scores
from sklearn import metrics as sk

from tuner.metrics import METRICS
from tuner.metrics.parts.order import ndcg, recall

RANKED = {name for name, metric in METRICS.items() if metric.needs == "users"}


@pytest.mark.parametrize("name", sorted(RANKED))
def test_rankings_are_means_over_users_of_sklearns(name):
    random = np.random.default_rng(3)
    kind, _, k = name.partition("@")
    users, ratings = random.integers(2, 9, (2, 60)), random.integers(0, 6, (2, 60, 1)).astype(np.float32)
    said, mask = random.normal(size=(2, 60, 1)).astype(np.float32), random.random((2, 60)) < 0.6
    found = scores(METRICS[name], said, ratings, mask * 1.0, users)
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
        assert found[place] == pytest.approx(np.mean(expected))


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
