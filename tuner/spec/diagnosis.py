"""What a trial's curves say of its training: signs, each with its rule, its threshold and what to try."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tuner.spec.records import FoldCurve

Floats = NDArray[np.float64]

RISEN = 0.1  # overfitting: validation loss above its lowest point, as a share of how far it had fallen
FALLEN = 0.5  # underfitting: training loss still above this share of where it began
ALIKE = 0.1  # underfitting: validation loss within this share of the training loss
LATE = 0.1  # still improving: in this last share of the epochs …
IMPROVED = 0.01  # … validation loss fell by this share of its whole fall
SHAKEN = 0.25  # unstable: all rises of training loss in the second half, as a share of how far it had fallen
SHORTEST = 4  # epochs that allow a diagnosis by the losses
VANISHED = 1e-3  # vanishing: the smallest of the layers' gradients as a share of the largest
EXPLODED = 100.0  # exploding: the norm of a whole gradient; losses are of the order of 1, targets being scaled
DEAD = 0.5  # dead ReLUs: the share of a layer's units that are 0 for every row


@dataclass(frozen=True)
class Sign:
    """A word, the rule behind it, and what to try."""

    rule: str
    cure: str


SIGNS = {
    "diverged": Sign(
        "the training loss ended above where it began, or was no number",
        "a smaller learning rate",
    ),
    "unstable": Sign(
        f"the training loss rose, summed over the second half, by more than {SHAKEN:.0%} of its whole fall",
        "a smaller learning rate, a larger batch",
    ),
    "still improving": Sign(
        f"the validation loss was lowest at the end, and the last {LATE:.0%} of the epochs gave more than "
        f"{IMPROVED:.0%} of its whole fall",
        "more epochs, or a larger learning rate",
    ),
    "overfitting": Sign(
        f"the validation loss ended above its lowest point by more than {RISEN:.0%} of its whole fall, while the "
        "training loss went on falling",
        "early stopping, more dropout or weight decay, a smaller model, more data",
    ),
    "underfitting": Sign(
        f"the training loss kept more than {FALLEN:.0%} of where it began, and the validation loss lies within "
        f"{ALIKE:.0%} of it",
        "a larger model or learning rate, less regularisation, better features; or there is nothing to learn",
    ),
    "vanishing gradients": Sign(
        f"in the median epoch, the norm of some layer's gradient was below {VANISHED:g} of the largest layer's",
        "another activation (relu) with its initialisation (he), normalisation, residual blocks, fewer layers",
    ),
    "exploding gradients": Sign(
        f"the norm of the gradient exceeded {EXPLODED:g} at the end of an epoch, or was no number",
        "gradient clipping, a smaller learning rate, another initialisation",
    ),
    "dead ReLUs": Sign(
        f"in some layer, more than {DEAD:.0%} of the units were 0 for every row that scored it after the last epoch",
        "a smaller learning rate, leaky_relu or elu, he initialisation",
    ),
}


def diagnose(
    train_loss: Sequence[FoldCurve], loss: Sequence[FoldCurve], norms: Sequence[Floats], dead: Sequence[Floats]
) -> tuple[str, ...]:
    """The signs that more than half of the folds show, in the order of `SIGNS`.

    Of every fold: both losses (E,), the norms of its layers' gradients (E, layers), and the shares of dead units of its
    ReLUs (ReLUs,)."""
    by_fold = zip(train_loss, loss, norms, dead, strict=True)
    folds = [_signs(*_known(train, held)) | inside(layers, relus) for train, held, layers, relus in by_fold]
    return tuple(sign for sign in SIGNS if 2 * sum(sign in fold for fold in folds) > len(folds))


def inside(norms: Floats, dead: Floats) -> set[str]:
    """The signs of a training's gradients (E, layers) and of its dead units (ReLUs,)."""
    found = set()
    with np.errstate(invalid="ignore", over="ignore"):
        if not (np.linalg.norm(norms, axis=1) <= EXPLODED).all():  # also where it is no number
            found.add("exploding gradients")
        least, most = norms.min(axis=1), norms.max(axis=1)
    if np.median(least < VANISHED * most) == 1:
        found.add("vanishing gradients")
    if (dead > DEAD).any():
        found.add("dead ReLUs")
    return found


def _known(train: FoldCurve, validation: FoldCurve) -> tuple[list[float], list[float]]:
    """Both curves up to where the fold stopped."""
    pairs = [(t, v) for t, v in zip(train, validation, strict=True) if t is not None and v is not None]
    return [t for t, _ in pairs], [v for _, v in pairs]


def _signs(train: list[float], validation: list[float]) -> set[str]:
    epochs = len(train)
    if epochs < SHORTEST:
        return set()
    found = set()
    fall, lowest = train[0] - min(train), min(validation)
    gain = validation[0] - lowest
    if train[-1] > train[0]:
        found.add("diverged")
    rises = sum(max(0.0, after - before) for before, after in pairwise(train[epochs // 2 :]))
    if rises > SHAKEN * fall:
        found.add("unstable")
    before = validation[epochs - 1 - max(1, round(LATE * epochs))]
    if validation[-1] == lowest and before - lowest > IMPROVED * gain:
        found.add("still improving")
    best = validation.index(lowest)
    if validation[-1] - lowest > RISEN * gain and train[-1] < train[best]:
        found.add("overfitting")
    if train[-1] > FALLEN * train[0] > 0 and abs(validation[-1] - train[-1]) <= ALIKE * train[-1] and not found:
        found.add("underfitting")
    return found
