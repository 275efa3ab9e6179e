"""Diagnoses trainings from their curves: signs, each with its rule, its threshold and its remedies.

Losses are compared with that of the best constant prediction on the same rows, which ignores the features. It is 1 for
the squared error of scaled targets and the entropy of the classes for cross-entropy, so it gives every loss a scale.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tuner.experiment.configuration import Configuration
from tuner.experiment.records import FoldCurve

Floats = NDArray[np.float64]

# Losses in units of a constant prediction's; "gain" is how far validation loss ever fell below it.
DIVERGED_LOSS = 1.5  # diverged: median training loss of the second half
UNSTABLE_RISES = 0.03  # unstable: root mean square of the rises of both losses from epoch to epoch, in the second half
LAST_WINDOW = 0.1  # still improving: between the last two windows of this share of the epochs …
STILL_IMPROVING = 0.03  # … mean validation loss fell by this share of the gain
SMALLEST_GAIN = 0.2  # lower limit of the gain in these comparisons
OVERFITTING_RISE = (
    0.1  # overfitting: validation loss at the epoch that counts, above its lowest, as a share of the gain
)
LEARNED_FALL = 0.04  # nothing to learn: validation loss never fell so far below that of a constant prediction …
TRAINED_FALL = 0.02  # … though training loss fell by this much, to at most this much above it
UNDERFITTING_LOSS = 0.8  # underfitting: both losses still above this …
UNDERFITTING_GAP = 0.15  # … and that of validation at most this much above that of training
FEWEST_EPOCHS = 3  # epochs that a diagnosis by the losses needs
VANISHING_RATIO = 1e-3  # vanishing: the smallest of the layers' gradients as a share of the largest
EXPLODING_NORM = 100.0  # exploding: the norm of a whole gradient; losses are of the order of 1, targets being scaled
DEAD_SHARE = 0.5  # dead ReLUs: the share of a layer's units that are 0 for every row


@dataclass(frozen=True)
class Remedy:
    """What to try, and the settings that show that a configuration already has it.

    Attributes:
        text: the advice.
        settings: path → values; no values means any value but null and none.
    """

    text: str
    settings: Mapping[str, Collection[Any]] = field(default_factory=dict)

    def applied(self, configuration: Configuration) -> bool:
        """Whether a configuration has it already."""
        found = ((configuration.get(path), values) for path, values in self.settings.items())
        return any(each in values if values else each not in (None, "none") for each, values in found)


@dataclass(frozen=True)
class Finding:
    """The rule behind a sign, and what to try."""

    rule: str
    remedies: tuple[Remedy, ...]


@dataclass(frozen=True, eq=False)
class FoldTraining:
    """The training of one fold.

    Attributes:
        train_loss, loss: (E,), training and validation loss.
        best: the epoch whose score is used, from 1.
        constant: losses of the best constant prediction on training and validation rows.
        norms: (E, layers), gradient norms.
        dead: (ReLUs,), share of dead units, 0 … 1.
    """

    train_loss: FoldCurve
    loss: FoldCurve
    best: int
    constant: tuple[float, float]
    norms: Floats
    dead: Floats


SLOWER, FASTER = Remedy("a smaller learning rate"), Remedy("a larger learning rate")
CLIPPING = Remedy("gradient clipping", {"training.clip_grad_norm": (), "training.clip_grad_value": ()})
HE = Remedy("he initialization", {"model.initialization.name": ("he",)})
UNBOUNDED = ("relu", "leaky_relu", "elu", "selu", "gelu", "swish", "mish")  # activations: sigmoid and tanh are flat
FINDINGS = {
    "diverged": Finding(
        f"the training loss was no number, or stayed above {DIVERGED_LOSS:g} times the loss of a constant prediction "
        "without falling steadily",
        (SLOWER, CLIPPING),
    ),
    "unstable": Finding(
        "in the second half, both losses kept rising from one epoch to the next (root mean square above "
        f"{UNSTABLE_RISES:.0%} of the loss of a constant prediction)",
        (SLOWER, Remedy("a larger batch")),
    ),
    "still improving": Finding(
        f"the validation loss was still falling after the last epoch: the last {LAST_WINDOW:.0%} of the epochs gave "
        f"more than {STILL_IMPROVING:.0%} of the whole gain",
        (Remedy("more epochs"), FASTER),
    ),
    "stopped too early": Finding(
        "early stopping ended the training while the validation loss was still falling: the last "
        f"{LAST_WINDOW:.0%} of the epochs gave more than {STILL_IMPROVING:.0%} of the whole gain",
        (Remedy("more patience"), FASTER),
    ),
    "overfitting": Finding(
        "at the epoch that counts, the validation loss lies above its lowest point by more than "
        f"{OVERFITTING_RISE:.0%} of its whole gain, while the training loss went on falling",
        (
            Remedy("early stopping", {"training.early_stopping": ()}),
            Remedy("more dropout or weight decay"),
            Remedy("a smaller model"),
            Remedy("more data"),
        ),
    ),
    "nothing to learn": Finding(
        f"the validation loss never fell {LEARNED_FALL:.0%} below that of a constant prediction, although the training "
        "loss fell",
        (
            Remedy("checking that the targets belong to their rows"),
            Remedy("other features"),
            Remedy("more data"),
            Remedy("another model"),
        ),
    ),
    "underfitting": Finding(
        f"both losses stayed above {UNDERFITTING_LOSS:.0%} of that of a constant prediction, and are about as high",
        (FASTER, Remedy("a larger model"), Remedy("less regularization"), Remedy("better features")),
    ),
    "vanishing gradients": Finding(
        f"in the median epoch, the norm of some layer's gradient was below {VANISHING_RATIO:g} of the largest layer's",
        (
            Remedy("relu as activation", {"model.activation": UNBOUNDED}),
            HE,
            Remedy("normalization", {"model.normalization": ()}),
            Remedy("residual blocks", {"model.residual": (True,), "model.block": ("residual",)}),
            Remedy("fewer layers"),
        ),
    ),
    "exploding gradients": Finding(
        f"the norm of the gradient exceeded {EXPLODING_NORM:g} at the end of an epoch, or was no number",
        (CLIPPING, SLOWER, Remedy("another initialization")),
    ),
    "dead ReLUs": Finding(
        f"in some layer, more than {DEAD_SHARE:.0%} of the units were 0 for every row that scored it after the last "
        "epoch",
        (SLOWER, Remedy("leaky_relu or elu as activation"), HE),
    ),
}

CONSEQUENCES = {"exploding gradients", "dead ReLUs"}  # other signs that are reported if a training diverged


def advice(sign: str, configurations: Sequence[Configuration]) -> str:
    """The remedies of a sign in words, without those that all of these configurations already have."""
    wanted = [each.text for each in FINDINGS[sign].remedies if not all(map(each.applied, configurations))]
    return ", ".join(wanted[:-1]) + (" or " if wanted[1:] else "") + wanted[-1]


def diagnose(
    folds: Sequence[FoldTraining], epochs: int, patience: int | None, *, broken: bool = False
) -> tuple[str, ...]:
    """The signs that more than half of the folds show, in the order of `FINDINGS`.

    Args:
        folds: the training of each fold.
        epochs: planned epochs.
        patience: patience of early stopping; None without early stopping.
        broken: whether a loss or score was not a number.
    """
    curves = [_Curves.of(fold) for fold in folds]
    lowest = [each.held.min() for each in curves if len(each.held)]
    learned = 1 - float(np.mean(lowest)) if lowest else 0.0
    found = [_signs(fold, each, epochs, patience, learned) for fold, each in zip(folds, curves, strict=True)]
    most = {sign for sign in FINDINGS if 2 * sum(sign in each for each in found) > len(found)}
    if broken or "diverged" in most:
        most = {"diverged"} | most & CONSEQUENCES
    return tuple(sign for sign in FINDINGS if sign in most)


def inside(norms: Floats, dead: Floats) -> set[str]:
    """The signs of a training's gradients (E, layers) and of its dead units (ReLUs,)."""
    found = set()
    with np.errstate(invalid="ignore", over="ignore"):
        if not (np.linalg.norm(norms, axis=1) <= EXPLODING_NORM).all():  # also where it is not a number
            found.add("exploding gradients")
        least, most = norms.min(axis=1), norms.max(axis=1)
    if np.median(least < VANISHING_RATIO * most) == 1:
        found.add("vanishing gradients")
    if (dead > DEAD_SHARE).any():
        found.add("dead ReLUs")
    return found


def _signs(fold: FoldTraining, curves: _Curves, epochs: int, patience: int | None, learned: float) -> set[str]:
    """The signs of one fold; `learned` is how far validation loss fell below the constant prediction's, on average."""
    found = inside(fold.norms, fold.dead)
    if len(curves.train) < FEWEST_EPOCHS:
        return found
    if curves.diverged:
        return found | {"diverged"}
    if curves.unstable(curves.half):
        found.add("unstable")
    explained = bool(found) or curves.unstable()  # these signs already explain high losses
    if ended := _ended(curves, epochs, patience) if curves.falling else None:
        found.add(ended)
    if not explained and not ended and learned < LEARNED_FALL and curves.trained:
        found.add("nothing to learn")
    elif curves.overfits:
        found.add("overfitting")
    elif not explained and not ended and curves.underfits:
        found.add("underfitting")
    return found


def _ended(curves: _Curves, epochs: int, patience: int | None) -> str | None:
    """The sign of a loss that was still falling, by what ended the training; None if a pruner did."""
    if patience is not None and len(curves.train) - curves.best >= patience:
        return "stopped too early"
    return "still improving" if len(curves.train) == epochs else None


@dataclass(frozen=True, eq=False)
class _Curves:
    """Both losses (E,) of a fold in units of a constant prediction's, and the epoch whose score is used, from 1."""

    train: Floats
    held: Floats
    best: int

    @classmethod
    def of(cls, fold: FoldTraining) -> _Curves:
        """The curves up to the epoch where the fold stopped; empty if the constant prediction has a loss of 0."""
        pairs = [(t, v) for t, v in zip(fold.train_loss, fold.loss, strict=True) if t is not None and v is not None]
        if not pairs or not min(fold.constant) > 0:
            return cls(np.empty(0), np.empty(0), fold.best)
        train, held = (np.array(pairs) / fold.constant).T
        return cls(train, held, min(fold.best, len(train)))  # one fold may end before another breaks

    @property
    def half(self) -> int:
        """The first epoch of the second half, from 0."""
        return (len(self.train) - 1) // 2

    @property
    def window(self) -> int:
        """Epochs over which validation loss is averaged."""
        return max(1, round(LAST_WINDOW * len(self.held)))

    @property
    def gain(self) -> float:
        """How far validation loss ever fell below a constant prediction's."""
        return max(1 - float(self.held.min()), SMALLEST_GAIN)

    def unstable(self, begin: int = 0) -> bool:
        """Whether both losses jump from that epoch on. The training loss alone may jump by dropout; a validation loss
        that rises alone is overfitting."""
        return min(_rises(self.train[begin:]), _rises(self.held[begin:])) > UNSTABLE_RISES

    @property
    def diverged(self) -> bool:
        """Whether the training loss is large and does not fall steadily: a network that learns slowly falls
        steadily."""
        steady = self.train[-1] < self.train[0] and _rises(self.train[self.half :]) <= UNSTABLE_RISES
        return bool(np.median(self.train[self.half :]) > DIVERGED_LOSS) and not steady

    @property
    def falling(self) -> bool:
        """Whether validation loss was falling when the training ended: its mean over the last window is lower than
        over the one before by more than a share of its gain, and exceeds its lowest value by less than that."""
        window = self.window
        before, last = self.held[-2 * window : -window].mean(), self.held[-window:].mean()
        return bool(before - last > STILL_IMPROVING * self.gain and last - self.held.min() < before - last)

    @property
    def overfits(self) -> bool:
        """Whether the epoch whose score is used lies after the lowest validation loss, and its loss far above that."""
        counts, lowest = self.best - 1, int(self.held.argmin())
        around = self.held[max(0, counts - self.window + 1) : counts + 1].mean()
        risen = around - self.held[lowest] > OVERFITTING_RISE * self.gain
        return bool(risen and lowest < counts and self.train[lowest] - self.train[counts] > TRAINED_FALL)

    @property
    def trained(self) -> bool:
        """Whether training loss fell, to about a constant prediction's loss or below."""
        return bool(self.train[-1] < 1 + TRAINED_FALL and self.train.max() - self.train[-1] > TRAINED_FALL)

    @property
    def underfits(self) -> bool:
        """Whether both losses are high and nearly equal: dropout can make the training loss alone high."""
        return bool(
            min(self.train[-1], self.held[-1]) > UNDERFITTING_LOSS
            and self.held[-1] - self.train[-1] <= UNDERFITTING_GAP
        )


def _rises(loss: Floats) -> float:
    """Root mean square of the rises of a loss from epoch to epoch."""
    return float(np.sqrt(np.mean(np.maximum(np.diff(loss), 0) ** 2)))
