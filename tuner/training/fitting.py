"""Puts the lanes of a trial into stacks: as few as can train in lockstep, and split where memory is too small."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from tuner.models.layers import MetaLanes
from tuner.models.layers.groups import groups_of
from tuner.training.lane_data import DatasetTensors
from tuner.training.lanes import Lane, padded_to_pair
from tuner.training.recipe import Recipe
from tuner.training.row_sets import stacks_of
from tuner.training.schedules import ReduceOnPlateau
from tuner.training.stack import FLOAT, Stack

LEAST = 3  # copies of the weights in memory at once: weights, stored gradients, and those that autograd returns
OF_OWN = 2  # tensors that the user's own optimizer keeps for each weight, as Adam does
FEWEST = 2  # smallest stack; a single lane is trained twice (see `padded_to_pair`)


@dataclass(frozen=True)
class MemoryBudget:
    """Memory that the stacks of a trial may use, in bytes.

    Attributes:
        size: stacks are split to stay below this where possible.
        limit: hard limit; a trial that needs more is not trained.
        whole: what `limit` would be if no other program used memory.
    """

    size: float = math.inf
    limit: float = math.inf
    whole: float = 0.0


ENDLESS = MemoryBudget()


class DoesNotFit(Exception):
    """Even the smallest stacks of a trial need `needed` bytes, which is more than the budget."""

    def __init__(self, needed: float) -> None:
        super().__init__(f"it takes {needed:,.0f} bytes")
        self.needed = needed


def build_stacks(
    recipe: Recipe, lanes: Sequence[Lane], tensors: DatasetTensors, memory_budget: MemoryBudget = ENDLESS
) -> list[Stack]:
    """Group lanes into as few stacks as possible, split so that one stack at a time fits into memory.

    Args:
        lanes: K lanes; those with equal batch plans and evaluation widths can share a stack.
        memory_budget: memory budget in bytes.

    Returns:
        the stacks; `Stack.positions` are indices into `lanes`.

    Raises:
        DoesNotFit: even the smallest stacks need more than `memory_budget.limit` bytes.
        RuntimeError: a training row is also evaluated.
    """
    for lane in lanes:
        lane.check()
    tensors = tensors.read_as(recipe.settings)

    def stack(group: list[int]) -> Stack:
        return Stack(recipe, [lanes[i] for i in group], group, tensors)

    groups = stacks_of(lanes, recipe.settings.batch_size, tensors.row_size)
    # a split can leave one lane in a stack, which is then trained twice
    held = weight_bytes(recipe, tensors) * sum(len(group) + len(group) % FEWEST for group in groups)
    _refuse(held, memory_budget)  # before any of it is taken
    whole = [stack(padded_to_pair(group)) for group in groups]
    held += sum(each.index_bytes for each in whole) + max(each.gather_bytes for each in whole)
    _refuse(held + FEWEST * max(each.step_bytes for each in whole), memory_budget)
    stacks = []
    for group in groups:
        fitting = whole.pop(0)
        parts = _parts(group, (memory_budget.size - held) / fitting.step_bytes)
        if len(parts) > 1:
            del fitting  # before its parts are made
            stacks += [stack(padded_to_pair(part)) for part in parts]
        else:
            stacks.append(fitting)
    return stacks


def weight_bytes(recipe: Recipe, tensors: DatasetTensors) -> int:
    """Bytes of the weights of one lane, with the state of the optimizer."""
    model, settings = recipe.build(tensors.shapes, MetaLanes()), recipe.settings
    histories = OF_OWN if recipe.own.optimizer else len(settings.optimizer.build(torch.empty(1, 1), 0.0).history)
    # a factor per lane or group needs a copy of the weights before the step
    scaled = bool(groups_of(model)) or isinstance(recipe.schedule, ReduceOnPlateau)
    copies = LEAST + histories + scaled
    return copies * FLOAT * sum(parameter.numel() for parameter in model.parameters())


def _refuse(needed: float, memory_budget: MemoryBudget) -> None:
    if needed > memory_budget.limit:
        raise DoesNotFit(needed)


def _parts(group: list[int], at_once: float) -> list[list[int]]:
    """The lanes in nearly equal parts of at most `at_once` each, but not smaller than the smallest stack."""
    if len(group) <= at_once:
        return [group]
    limit = max(FEWEST, math.floor(at_once))
    return [part.tolist() for part in np.array_split(group, math.ceil(len(group) / limit))]
