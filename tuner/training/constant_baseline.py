"""Baseline losses: the loss of the best constant prediction, which ignores the inputs.

For cross-entropy and regression losses the constant is optimal, up to add-one smoothing and
the sample of rows. For focal loss, Dice and label smoothing it is the
class frequencies, which is nearly optimal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from tuner.metrics.parts.sums import IGNORED
from tuner.training.lane_data import LaneData
from tuner.training.lanes import Lane
from tuner.training.losses import TINY, BinaryCrossEntropy, Loss, by_row, label_mask, prepare_loss
from tuner.training.row_sets import RowSet, row_set

MOST_ROWS = 4096  # training rows, evenly spaced, that the constant is fitted to
MOST_NUMBERS = 2**22  # outputs of these rows, where a row has many
FARTHEST = 10.0  # search interval of a constant: ± so many standard deviations around the mean, or around logit 0
HALVINGS = 24


@dataclass(frozen=True, eq=False)
class ConstantBaseline:
    """Losses of the best constant prediction of each lane: on its training rows (K,), and on every view's rows (V,)."""

    train: NDArray[np.float64]
    held_out: NDArray[np.float64]


# parameters: a stack hands over its parts
def constant_baseline_losses(
    loss: Loss, data: LaneData, lanes: Sequence[Lane], sets: Sequence[RowSet], outputs: int, *, balanced: bool
) -> tuple[Tensor, Tensor]:
    """The loss of each lane's best constant prediction.

    Args:
        loss: the training loss.
        data: the data of the K lanes.
        lanes: the K lanes.
        sets: their S row sets.
        outputs: numbers that the model predicts per position, C or M.
        balanced: class weights are balanced, so the best constant is uniform over the classes.

    Returns:
        on_train: (K,), the loss on training rows.
        on_sets: (K, S), the loss on each row set.
    """
    train = _spread(lanes, sets[0], outputs, data)
    prepare_loss(loss, train.counts, training=False)
    weights = train.counts.cpu().double()
    if data.row_weights is not None:
        weights = weights * data.row_weights[train.rows.to(data.row_weights.device)].cpu()
    targets = data.targets(train.rows)
    if targets.is_floating_point():
        constant = _number(loss, targets, weights)
    else:
        constant = _logits(loss, targets, weights, outputs, balanced=balanced)
    on_train = _mean_loss(loss, constant, data, train, weights)
    held_out = [_mean_loss(loss, constant, data, each, data.score_weights(each.rows, each.counts)) for each in sets]
    return on_train, torch.stack(held_out, dim=1)


def _spread(lanes: Sequence[Lane], like: RowSet, outputs: int, data: LaneData) -> RowSet:
    """Up to `MOST_ROWS` evenly spaced training rows of each lane."""
    per_row = outputs * data.targets(like.rows[:1, :1]).numel()
    most = min(MOST_ROWS, max(like.width, MOST_NUMBERS // per_row))
    chosen = [lane.train[np.linspace(0, len(lane.train) - 1, min(most, len(lane.train))).astype(int)] for lane in lanes]
    return row_set(chosen, like.width, like.rows.device)


def _mean_loss(loss: Loss, constant: Tensor, data: LaneData, on: RowSet, weights: Tensor) -> Tensor:
    """The weighted mean loss (K,) over the labelled positions of the rows (K, V), in float64 on the CPU."""
    losses, label_counts = [], []
    for rows, counts in zip(*(torch.split(each, on.width, dim=1) for each in (on.rows, on.counts)), strict=True):
        targets = data.targets(rows)
        prepare_loss(loss, counts, training=False)
        mask = label_mask(targets)
        losses.append(by_row(loss(_everywhere(constant, targets), targets), mask))
        label_counts.append(torch.ones_like(losses[-1]) if mask is None else mask.flatten(2).sum(dim=2))
    shares = torch.cat(label_counts, dim=1).cpu().double() * weights
    return (torch.cat(losses, dim=1).cpu().double() * shares).sum(dim=1) / shares.sum(dim=1).clamp(min=TINY)


def _everywhere(constant: Tensor, targets: Tensor) -> Tensor:
    """The constant (K, C) as the prediction for targets (K, B, *positions), or (K, M) for (K, B, M)."""
    if targets.is_floating_point():
        return constant[:, None].expand_as(targets)
    return constant.view(len(constant), *[1] * (targets.ndim - 1), -1).expand(*targets.shape, -1)


def _logits(loss: Loss, targets: Tensor, weights: Tensor, classes: int, *, balanced: bool) -> Tensor:
    """Logits (K, C) of the frequencies of the classes with add-one (Laplace) smoothing, so that none is 0; of equal
    frequencies if `balanced`."""
    codes = (targets.flatten(2) if targets.ndim > 2 else targets[..., None]).cpu()
    counts = weights.new_zeros(len(codes), classes)
    counted = weights[..., None] * (codes != IGNORED)
    counts.scatter_add_(1, codes.clamp(min=0).flatten(1), counted.flatten(1))
    shares = torch.full_like(counts, 1 / classes) if balanced else F.normalize(counts + 1, p=1, dim=1)
    logits = shares.logit() if isinstance(loss, BinaryCrossEntropy) else shares.log()
    return logits.float().to(targets.device)


def _number(loss: Loss, targets: Tensor, weights: Tensor) -> Tensor:
    """The constants (K, M) with the lowest loss, by bisection of its slope: the losses of numbers are convex."""
    low, high = (targets.new_full((len(targets), targets.shape[-1]), end) for end in (-FARTHEST, FARTHEST))
    counted = weights.float().to(targets.device)
    for _ in range(HALVINGS):
        middle = ((low + high) / 2).requires_grad_()
        with torch.enable_grad():
            total = (loss(_everywhere(middle, targets), targets) * counted).sum()
        (slope,) = torch.autograd.grad(total, middle)
        low, high = torch.where(slope < 0, middle, low).detach(), torch.where(slope < 0, high, middle).detach()
    return (low + high) / 2
