"""How many parameters the models of a search space have, before any is trained; what fits nowhere is refused."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

from rich.filesize import decimal

from tuner.models.layers import Outline
from tuner.search.plan import Prepared
from tuner.search.trial import recipe_of
from tuner.spec.space import Choice, Parameter, Value, Values
from tuner.training.fitting import COPIES, FEWEST, Room
from tuner.training.lane_data import shapes_of
from tuner.training.stack import FLOAT


@dataclass(frozen=True)
class Sizes:
    """Weights and biases of one lane: of the smallest, the default and the largest model."""

    smallest: int
    default: int
    largest: int

    def words(self) -> str:
        """For the terminal."""
        if self.smallest == self.largest:
            return f"{self.default:,} parameters"
        return f"{self.smallest:,} … {self.largest:,} parameters, the default model {self.default:,}"


def sizes(prepared: Prepared) -> Sizes:
    """Every setting of the model taken to its ends in turn, the others as they gave the least, or most, so far."""
    default = _count(prepared, prepared.experiment.space.default())
    return Sizes(_extreme(prepared, -1), default, _extreme(prepared, 1))


def check_room(prepared: Prepared, room: Room) -> Prepared:
    """Refuse a space whose smallest model cannot be trained in the `room`; the same with a warning where its largest
    cannot."""
    found, folds = sizes(prepared), min(len(chain.folds) for chain in prepared.plan.chains)
    each = COPIES * FLOAT * max(FEWEST, folds)  # bytes per parameter: all inner folds of a trial train together
    if found.smallest * each > room.most:
        text = f"the smallest model has {found.smallest:,} parameters: a trial of {folds} inner folds takes at least "
        text += f"{decimal(found.smallest * each)}, and it may take {decimal(int(room.most))}"
        raise prepared.experiment.error("model", text, "a smaller model, fewer inner folds, or a larger limits.memory")
    if found.largest * each > room.most:
        text = f"the largest model has {found.largest:,} parameters, and its trials take at least "
        text += f"{decimal(found.largest * each)}, of {decimal(int(room.most))}: such trials will fail"
        return replace(prepared, warnings=(*prepared.warnings, f"warning: {text}"))
    return prepared


def _extreme(prepared: Prepared, sign: int) -> int:
    space = prepared.experiment.space
    best = space.default()
    most = _count(prepared, best)
    for parameter in (p for p in space.parameters if p.path.partition(".")[0] == "model"):
        for option in _ends(parameter):
            values = space.walk(partial(_as_before, {**best, parameter.path: option}))
            if space.admits(values) and sign * ((count := _count(prepared, values)) - most) > 0:
                best, most = values, count
    return most


def _as_before(values: Values, parameter: Parameter) -> Value:
    return values.get(parameter.path, parameter.domain.nearest(parameter.default))


def _ends(parameter: Parameter) -> tuple[Value, ...]:
    domain = parameter.domain
    if isinstance(domain, Choice):
        return domain.options
    return domain.nearest(domain.low), domain.nearest(domain.high)


def _count(prepared: Prepared, values: Values) -> int:
    recipe = recipe_of(prepared.experiment.space.configuration(values), prepared.work)
    model = recipe.build(shapes_of(prepared.dataset), Outline())
    return sum(parameter.numel() for parameter in model.parameters())
