"""Metrics of an order: for each user, the rows that the model puts first; the mean over users."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from tuner.metrics.parts.baselines import equal_scores
from tuner.metrics.parts.metric import Metric, OfSet, Undefined
from tuner.metrics.parts.order import ndcg, recall
from tuner.metrics.parts.sums import Array, Floats

AT = (1, 5, 10, 20)
OfUser = Callable[[Floats, Floats], float | None]


def _mean_over_users(of_user: OfUser) -> OfSet:
    """The mean of what `of_user` returns for the gains and scores of each user's rows, without None."""

    def score(outputs: Array, targets: Array, weights: Floats, users: Array) -> float:
        counts = weights > 0
        scores, gains = outputs[counts, 0].astype(np.float64), targets[counts, 0].astype(np.float64)
        order = np.argsort(users[counts], kind="stable")
        cuts = np.flatnonzero(np.diff(users[counts][order])) + 1
        found = [of_user(gains[rows], scores[rows]) for rows in np.split(order, cuts)]
        known = [value for value in found if value is not None]
        return float(np.mean(known)) if known else float("nan")

    return score


def _ndcg(k: int, ratings: Floats, score: Floats) -> float | None:
    return ndcg(ratings, score, k)


def _recall(k: int, ratings: Floats, score: Floats) -> float | None:
    """Wanted are a user's rows that this user rates above their own mean."""
    return recall(ratings > ratings.mean(), score, k)


def _none(of_user: OfUser, why: str) -> Undefined:
    """Why no user has a score."""

    def undefined(targets: Array, users: Array | None) -> str | None:
        assert users is not None
        found = _mean_over_users(of_user)(np.zeros(targets.shape), targets, np.ones(len(targets)), users)
        return why if np.isnan(found) else None

    return undefined


METRICS = tuple(
    Metric(name=f"{name}@{k}", tasks=("regression",), maximize=True, compute=_mean_over_users(partial(compute, k)),
           meaning=f"{meaning} {k}, of each user", bounds=(0, 1), baselines=equal_scores, least=least, needs="users",
           undefined=_none(partial(compute, k), why), weighted=False)
    for name, compute, meaning, least, why in (
        ("ndcg", _ndcg, "discounted gain of the first", 0.0, "no user has a target above 0 in them"),
        ("recall", _recall, "share of what is rated above the user's mean in the first", None,
         "no user rates some of them above others"),
    )
    for k in AT
)  # fmt: skip
