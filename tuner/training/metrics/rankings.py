"""Metrics of an order: for each user, the rows that the model puts first; the mean over users."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tuner.ranking import Floats, ndcg, recall
from tuner.training.metrics.guesses import equal_scores
from tuner.training.metrics.metric import Function, Metric, Undefined

AT = (1, 5, 10, 20)
OfUser = Callable[[Floats, Floats], float | None]


def _mean_over_users(of_user: OfUser) -> Function:
    """The mean of what `of_user` says of the gains and scores of each user's rows, where it says anything."""

    def score(outputs: Tensor, targets: Tensor, weights: Tensor, users: Tensor) -> Tensor:
        sets = weights.shape[:-1]
        means = []
        for place in np.ndindex(*sets):
            own = weights[place].numpy() > 0
            said, truth, whom = (
                each[place].double().numpy()[own] for each in (outputs[..., 0], targets[..., 0], users)
            )
            order = np.argsort(whom, kind="stable")
            cuts = np.flatnonzero(np.diff(whom[order])) + 1
            found = [of_user(truth[rows], said[rows]) for rows in np.split(order, cuts)]
            known = [value for value in found if value is not None]
            means.append(np.mean(known) if known else np.nan)
        return torch.tensor(means, dtype=torch.double).view(sets)

    return score


def _ndcg(k: int, ratings: Floats, score: Floats) -> float | None:
    return ndcg(ratings, score, k)


def _recall(k: int, ratings: Floats, score: Floats) -> float | None:
    """Wanted are a user's rows that this user rates above their own mean."""
    return recall(ratings > ratings.mean(), score, k)


def _none(of_user: OfUser, why: str) -> Undefined:
    """Why no user has a score."""

    def undefined(targets: NDArray[Any], users: NDArray[Any] | None) -> str | None:
        assert users is not None
        given = (np.zeros(targets.shape), targets, np.ones(len(targets)), users)
        return why if _mean_over_users(of_user)(*map(torch.from_numpy, given)).isnan() else None

    return undefined


METRICS = tuple(
    Metric(f"{name}@{k}", ("regression",), True, _mean_over_users(partial(how, k)), f"{meaning} {k}, of each user",
           (0, 1), equal_scores, least=least, needs="users", undefined=_none(partial(how, k), why), weighted=False)
    for name, how, meaning, least, why in (
        ("ndcg", _ndcg, "discounted gain of the first", 0.0, "no user has a target above 0 in them"),
        ("recall", _recall, "share of what is rated above the user's mean in the first", None,
         "no user rates some of them above others"),
    )
    for k in AT
)  # fmt: skip
