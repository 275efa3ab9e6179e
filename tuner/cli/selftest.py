"""`tuner selftest`: checks the whole search on data whose true score is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    import numpy as np

FAILED = 1
ROWS, FEATURES, COPIES = 240, 6, 3
NOISES = 5  # data sets of noise: with one alone, a search that is too optimistic by 0.1 would pass
FLIPPED = 0.1  # share of the planted labels that are flipped: no model can predict these
NEAR = 0.05
SPACE = """
dataset: {{name: arrays, path: data.npz{groups}}}
model: {{name: mlp, hidden_size: [32, 64]}}
training: {{epochs: 25, batch_size: 32, optimizer: {{name: adam, learning_rate: {{low: 3e-3, high: 3e-2, log: true}}}}}}
metric: accuracy
resampling: {{outer: 5}}
search: {{sampler: random, trials: 4}}
"""


@dataclass(frozen=True)
class Check:
    """Data with a known truth, how many sets of it, and where the mean outer accuracy of an honest search must lie."""

    name: str
    data: Callable[[np.random.Generator], dict[str, np.ndarray]]
    low: float
    high: float
    sets: int = 1


def command() -> None:
    """Search on noise, a leak, duplicated rows and a planted truth, and say whether each score is what it must be.

    \b
      tuner selftest        (half a minute)
    """
    import statistics

    from tuner.cli.console import console

    to, failed = console(), 0
    for check in checks():
        found = [_searched(check, seed) for seed in range(check.sets)]
        outer, inner = (statistics.fmean(values) for values in zip(*found, strict=True))
        passed = check.low <= outer <= check.high
        failed += not passed
        line = (
            f"{'pass' if passed else 'FAIL'}  {check.name}: outer accuracy {outer:.3f}, must lie within "
            f"{check.low:.2f} … {check.high:.2f}; inner best {inner:.3f}"
        )
        to.print(line, markup=False, soft_wrap=True)
    if failed:
        raise typer.Exit(FAILED)


def checks() -> list[Check]:
    """The checks, each with its expected range; the accuracy of guessing lies within four standard errors of a half."""

    def guesses(rows: int) -> tuple[float, float]:
        error = 4 * (0.25 / rows) ** 0.5
        return 0.5 - error, 0.5 + error

    once = ROWS // COPIES
    return [
        Check(f"noise labels, {NOISES} data sets", noise, *guesses(NOISES * ROWS), sets=NOISES),
        Check("a leaking feature", leak, 0.95, 1.0),
        Check("rows three times, at random", lambda rng: copies(rng, grouped=False), 0.7, 1.0),
        Check("rows three times, as groups", lambda rng: copies(rng, grouped=True), *guesses(once)),
        Check("a planted truth", planted, 1 - FLIPPED - NEAR, 1 - FLIPPED + NEAR),
    ]


def noise(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Labels that are independent of the features."""
    import numpy as np

    return {"X": rng.normal(size=(ROWS, FEATURES)), "y": rng.permutation(np.arange(ROWS) % 2)}


def leak(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Noise with one feature that is the label."""
    import numpy as np

    data = noise(rng)
    return {**data, "X": np.column_stack([data["X"], data["y"]])}


def copies(rng: np.random.Generator, *, grouped: bool) -> dict[str, np.ndarray]:
    """Every row of noise several times: a model that was trained on one copy can predict the others."""
    import numpy as np

    data = noise(rng)
    few = {key: np.tile(values[: ROWS // COPIES], (COPIES, *[1] * (values.ndim - 1))) for key, values in data.items()}
    few["y"] = few["y"].ravel()
    return {**few, "group": np.tile(np.arange(ROWS // COPIES), COPIES)} if grouped else few


def planted(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Linearly separable classes with a tenth of the labels flipped."""
    import numpy as np

    x = rng.normal(size=(5 * ROWS, FEATURES))
    y = (x @ np.arange(1, FEATURES + 1) > 0) ^ (rng.random(len(x)) < FLIPPED)
    return {"X": x, "y": y.astype(int)}


def _searched(check: Check, seed: int) -> tuple[float, float]:
    """Outer mean and inner best of one data set."""
    import tempfile

    import numpy as np

    from tuner.report.results import load
    from tuner.search.driver import search
    from tuner.search.options import SearchOptions
    from tuner.search.prepare import prepare

    data = check.data(np.random.default_rng(seed))
    with tempfile.TemporaryDirectory(prefix="tuner-") as name:
        folder = Path(name)
        np.savez(folder / "data.npz", **data)  # type: ignore[arg-type]  # its stub takes them for allow_pickle
        groups = ", groups: group" if "group" in data else ""
        (folder / "selftest.yaml").write_text(SPACE.format(groups=groups), encoding="utf-8")
        search(prepare(folder / "selftest.yaml"), SearchOptions(folder / "study.db", workers=0), lambda event: None)
        results = load(folder / "study.db")
    assert results.score is not None and results.inner_best is not None
    return results.score.mean, results.inner_best
