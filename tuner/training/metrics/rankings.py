"""Metrics of an order: for each user, the rows that the model puts first; the mean over users."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from tuner.ranking import Floats, ndcg, recall
from tuner.training.metrics.metric import ByUser, Metric

AT = (1, 5, 10, 20)
OfUser = Callable[[Floats, Floats], float | None]


def _mean_over_users(of_user: OfUser) -> ByUser:
    """The mean of what `of_user` says of the gains and scores of each user's rows, where it says anything."""

    def score(outputs: Tensor, targets: Tensor, mask: Tensor, users: Tensor) -> Tensor:
        sets = mask.shape[:-1]
        means = []
        for place in np.ndindex(*sets):
            own = mask[place].numpy()
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


METRICS = tuple(
    Metric(f"{name}@{k}", ("regression",), True, None, f"{meaning} {k}, of each user", (0, 1),
           by_user=_mean_over_users(partial(how, k)), least=least, partial=True)
    for name, how, meaning, least in (
        ("ndcg", _ndcg, "discounted gain of the first", 0.0),
        ("recall", _recall, "share of what is rated above the user's mean in the first", None),
    )
    for k in AT
)  # fmt: skip
