"""The number of parameters of the models of a search space, before training; refuses models that do not fit memory."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from tuner.errors import LimitReached
from tuner.experiment.space import Choice, Parameter, Space, Value, Values
from tuner.models.layers import MetaLanes
from tuner.search.jobs import Work
from tuner.search.machine import too_much
from tuner.search.recipe import recipe_of
from tuner.training.fitting import FEWEST, LEAST, MemoryBudget
from tuner.training.lane_data import as_read, shapes_of
from tuner.training.stack import FLOAT

if TYPE_CHECKING:
    from tuner.search.prepare import Prepared

DRAWS = 32  # configurations


@dataclass(frozen=True)
class Sizes:
    """Weights and biases of one lane: of the smallest, the default and the largest model."""

    smallest: int
    default: int | None
    largest: int

    def words(self) -> str:
        """For the terminal."""
        span = f"{self.smallest:,}" + (f" … {self.largest:,}" if self.largest > self.smallest else "")
        default = f", the default model {self.default:,}" if self.default and self.largest > self.smallest else ""
        return f"{span} parameters{default}"


def sizes(space: Space, work: Work) -> Sizes | None:
    """Estimate the range of model sizes: from the default configuration, from moving each setting to its bounds in
    turn, and from random draws. None if no model can be built."""
    draw = random.Random(0)
    default = _count(space, work, space.default())
    found = {*_towards(space, work, -1), *_towards(space, work, 1)}
    searched = any(parameter.path.partition(".")[0] == "model" for parameter in space.parameters)
    for values in (space.walk(partial(_drawn, draw)) for _ in range(DRAWS * searched)):
        if space.admits(values):
            found.add(_count(space, work, values))
    counts = [count for count in {default, *found} if count is not None]
    return Sizes(min(counts), default, max(counts)) if counts else None


def check_memory(prepared: Prepared, memory_budget: MemoryBudget) -> Prepared:
    """Refuse a space if no model can be trained within the budget `memory_budget`; warn if its largest model cannot."""
    found, folds = prepared.checked.sizes, min(len(chain.folds) for chain in prepared.plan.chains)
    if found is None:
        return prepared
    each = LEAST * FLOAT * max(FEWEST, folds)  # bytes per parameter: all inner folds of a trial train together
    if found.smallest * each > memory_budget.limit:
        text = f"the smallest model has {found.smallest:,} parameters: a trial of {folds} inner folds takes at least "
        text += too_much(found.smallest * each, memory_budget.limit)
        if found.smallest * each <= memory_budget.whole:
            raise LimitReached(f"{text}, as other programs hold the rest: end them, or use a smaller model")
        raise prepared.experiment.error("model", text, "a smaller model, fewer inner folds, or a larger limits.memory")
    if found.largest * each > memory_budget.limit:
        text = f"the largest model has {found.largest:,} parameters: a trial of it takes at least "
        text += f"{too_much(found.largest * each, memory_budget.limit)}, so it will fail"
        return replace(prepared, warnings=(*prepared.warnings, f"warning: {text}"))
    return prepared


def _towards(space: Space, work: Work, sign: int) -> list[int | None]:
    """Sizes of models on the way to the smallest (−1) or largest (1), changing each setting in turn if it helps."""
    best, found = space.default(), [_count(space, work, space.default())]
    for parameter in (p for p in space.parameters if p.path.partition(".")[0] == "model"):
        for option in _ends(parameter):
            values = space.walk(partial(_as_before, {**best, parameter.path: option}))
            count = _count(space, work, values) if space.admits(values) else None
            if count is not None and (found[-1] is None or sign * (count - found[-1]) > 0):
                best = values
                found.append(count)
    return found


def _as_before(values: Values, parameter: Parameter) -> Value:
    return values.get(parameter.path, parameter.domain.nearest(parameter.default))


def _drawn(draw: random.Random, parameter: Parameter) -> Value:
    domain = parameter.domain
    if isinstance(domain, Choice):
        return draw.choice(domain.options)
    return domain.nearest(draw.uniform(domain.low, domain.high))


def _ends(parameter: Parameter) -> tuple[Value, ...]:
    domain = parameter.domain
    if isinstance(domain, Choice):
        return domain.options
    return domain.nearest(domain.low), domain.nearest(domain.high)


def _count(space: Space, work: Work, values: Values) -> int | None:
    """The number of parameters; None if a user model cannot be built with these values, which a trial would report."""
    recipe = recipe_of(space.configuration(values), work)
    try:
        model = recipe.build(shapes_of(as_read(work.dataset, recipe.settings)), MetaLanes())
    except (Exception, SystemExit):
        return None
    return sum(parameter.numel() for parameter in model.parameters())
