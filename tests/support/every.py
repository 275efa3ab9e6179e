"""A small data set for every kind of row and every task, so that the contract of models finds examples by itself."""

import numpy as np
from toy_data import toy_dataset

from tuner.data.dataset import Dataset
from tuner.metrics.parts.sums import IGNORED
from tuner.metrics.texts import END

ROWS, STEPS, CLASSES = 40, 6, ("a", "b", "c")
WORDS = ("<padding>", "<unknown>", "u", "v", "w", "x", "y")
OF_ROWS = ("classification", "multilabel", "regression")
POSSIBLE = {
    "flat": OF_ROWS,
    "sequence": (*OF_ROWS, "tagging"),
    "image": (*OF_ROWS, "segmentation"),
    "tokens": (*OF_ROWS, "tagging", "language", "translation"),
    "ids": OF_ROWS,
}


def every(layout: str, task: str) -> Dataset:
    """Random rows of this kind; classes, labels and amounts depend on them, other targets are random."""
    random = np.random.default_rng(5)
    shape = {"flat": (5,), "sequence": (STEPS, 3), "image": (2, 9, 8), "tokens": (STEPS,), "ids": (2,)}[layout]
    coded = layout in ("tokens", "ids")
    lengths = random.integers(2, STEPS + 1, ROWS) if layout in ("sequence", "tokens") and task != "language" else None
    x = random.integers(2, len(WORDS), (ROWS, *shape)) if coded else random.normal(size=(ROWS, *shape))
    if lengths is not None:
        x[np.arange(STEPS) >= lengths[:, None]] = 0
    first = x.reshape(ROWS, -1)[:, :2].astype(float) * (1 if not coded else 0.3)
    codes = {"tagging": (STEPS,), "segmentation": (9, 8), "language": (STEPS,), "translation": (4,)}.get(task, ())
    targets: np.ndarray
    if task == "regression":
        targets = first + random.normal(0, 0.1, first.shape)
    elif task == "multilabel":
        targets = (first + random.normal(0, 0.1, first.shape) > np.median(first, axis=0)).astype(float)
    elif task == "classification":
        targets = np.argsort(np.argsort(first[:, 0])) * 3 // ROWS
    else:
        targets = random.integers(1 if task == "translation" else 0, 3, (ROWS, *codes))
    if task == "translation":
        targets[:, -1] = END
    if task == "tagging" and lengths is not None:
        targets[np.arange(STEPS) >= lengths[:, None]] = IGNORED
    words = {"tokens": (WORDS,), "ids": (WORDS, WORDS)}.get(layout, ())
    names = ("one", "two", "side") if layout == "ids" else ()
    side = random.normal(size=(ROWS, 1)).astype(np.float32) if layout == "ids" else None
    about = {"regression": ("p", "q"), "multilabel": ("p", "q")}.get(task, ("y",))
    classes = () if task in ("regression", "multilabel") else WORDS if task == "language" else CLASSES
    return toy_dataset(
        f"{layout}, {task}", task, x if coded else x.astype(np.float32), targets, names, about, classes,
        vocabularies=words, side=side, lengths=lengths,
    )  # fmt: skip
