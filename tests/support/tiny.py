"""A tiny file of every source that reads files: `TINY[source](folder)` writes it and gives the rest of its settings."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

TINY: dict[str, Callable[[Path], dict[str, Any]]] = {}


def tiny(write: Callable[[Path], dict[str, Any]]) -> Callable[[Path], dict[str, Any]]:
    """Registers a function that is called like its source."""
    TINY[write.__name__] = write
    return write


@tiny
def arrays(folder: Path) -> dict[str, Any]:
    random = np.random.default_rng(0)
    x = random.normal(size=(40, 4, 2))
    np.savez(folder / "a.npz", X=x, y=(x[:, :2].sum(axis=(1, 2)) > 0), n=random.integers(2, 5, 40))
    return {"path": "a.npz", "lengths": "n"}


@tiny
def table(folder: Path) -> dict[str, Any]:
    random = np.random.default_rng(0)
    lines = [f"{x:.3f},{'red' if x > 0 else 'blue'},{1 + i % 3},{i % 2}" for i, x in enumerate(random.normal(size=40))]
    (folder / "t.csv").write_text("\n".join(["x,colour,w,y", *lines]))
    return {"path": "t.csv", "target": "y", "weights": "w"}


@tiny
def texts(folder: Path) -> dict[str, Any]:
    random = np.random.default_rng(1)
    words = ("good", "bad", "film", "plot", "a", "the", "not")
    lines = [f"{' '.join(random.choice(words, random.integers(2, 7)))}\t{i % 2}" for i in range(40)]
    (folder / "texts.tsv").write_text("\n".join(lines))
    return {"path": "texts.tsv"}


@tiny
def corpus(folder: Path) -> dict[str, Any]:
    random = np.random.default_rng(2)
    (folder / "book.txt").write_text("".join(random.choice(list("abcde "), 700)))
    return {"path": "book.txt", "length": 10}


@tiny
def pairs(folder: Path) -> dict[str, Any]:
    random = np.random.default_rng(3)
    rows = [random.choice(list("abcdef"), random.integers(1, 5)) for _ in range(40)]
    (folder / "pairs.tsv").write_text("\n".join(f"{' '.join(row)}\t{' '.join(row[::-1]).upper()}" for row in rows))
    return {"path": "pairs.tsv"}


@tiny
def images(folder: Path) -> dict[str, Any]:
    random = np.random.default_rng(0)
    for row in range(36):
        place = folder / "images" / ("dark", "light")[row % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 160 + 90 * (row % 2), (6, 6), dtype=np.uint8)).save(place / f"{row}.png")
    return {"path": "images"}


@tiny
def sequences(folder: Path) -> dict[str, Any]:
    random = np.random.default_rng(1)
    lines = []
    for row in range(36):
        steps = random.normal(loc=row % 2, size=(2, random.integers(1, 6)))
        lines.append(":".join([*(",".join(f"{x:.3f}" for x in channel) for channel in steps), "ab"[row % 2]]))
    (folder / "s.ts").write_text("\n".join(["@classLabel true a b", "@data", *lines]))
    return {"path": "s.ts"}


@tiny
def forecast(folder: Path) -> dict[str, Any]:
    lines = [f"{1990 + i // 12}-{1 + i % 12:02},{i % 12 + i / 10:.1f}" for i in range(60)]
    (folder / "f.csv").write_text("\n".join(["month,sales", *lines]))
    return {"path": "f.csv", "target": "sales", "time": "month", "horizon": 2}


@tiny
def ratings(folder: Path) -> dict[str, Any]:
    random = np.random.default_rng(2)
    lines = [f"{random.integers(1, 9)}\t{random.integers(1, 7)}\t{random.integers(1, 6)}\t{i}" for i in range(60)]
    users = ["user,age,town", *(f"{i},{20 + i},{'xyz'[i % 3]}" for i in range(1, 9))]
    (folder / "u.data").write_text("\n".join(lines))
    (folder / "users.csv").write_text("\n".join(users))
    return {"path": "u.data", "users": "users.csv"}


def months(count, start=1949):
    return [f"{start + i // 12}-{1 + i % 12:02}" for i in range(count)]


def written(folder, rows, header="when,sales,rain", name="f.csv"):
    (folder / name).write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")
