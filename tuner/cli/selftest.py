"""`tuner selftest`: does the whole pipe tell the truth, on data whose truth is known?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    import numpy as np

    from tuner.report.results import Results

FAILED = 1
ROWS, FEATURES, COPIES = 240, 6, 3
FLIPPED = 0.1  # share of the planted labels that are wrong: nobody can be right more often than in the others
NEAR = 0.05
SPACE = """
dataset: {{name: npz, path: data.npz{groups}}}
model: {{name: mlp, hidden_size: [32, 64]}}
training: {{epochs: 25, batch_size: 32, optimizer: {{name: adam, learning_rate: {{low: 3e-3, high: 3e-2, log: true}}}}}}
metric: accuracy
resampling: {{outer: 5}}
search: {{sampler: random, trials: 4}}
"""


@dataclass(frozen=True)
class Check:
    """Data with a known truth, and what an honest score of it must say."""

    name: str
    data: Callable[[np.random.Generator], dict[str, np.ndarray]]
    expected: str
    honest: Callable[[Results], bool]


def command() -> None:
    """Search on noise, a leak, duplicated rows and a planted truth, and say whether each score is what it must be.

    \b
      tuner selftest        (about a minute)
    """
    import tempfile

    from tuner.cli.console import console

    to, failed = console(), 0
    for check in checks():
        with tempfile.TemporaryDirectory(prefix="tuner-") as folder:
            results = _searched(check, Path(folder))
        score = results.score
        assert score is not None
        passed = check.honest(results)
        failed += not passed
        found = f"accuracy {score.mean:.3f} ({score.low:.3f} … {score.high:.3f}), inner best {results.inner_best:.3f}"
        to.print(
            f"{'pass' if passed else 'FAIL'}  {check.name}: {found}; {check.expected}", markup=False, soft_wrap=True
        )
    if failed:
        raise typer.Exit(FAILED)


def checks() -> list[Check]:
    """The checks, each with its own truth."""

    def covers_half(results: Results) -> bool:
        score = results.score
        return score is not None and score.low is not None and score.high is not None and score.low <= 0.5 <= score.high

    def above(least: float) -> Callable[[Results], bool]:
        return lambda results: results.score is not None and results.score.mean > least

    def near(truth: float) -> Callable[[Results], bool]:
        return lambda results: results.score is not None and abs(results.score.mean - truth) < NEAR

    return [
        Check("noise labels", noise, "must cover 0.5", covers_half),
        Check("a leaking feature", leak, "must be above 0.95", above(0.95)),
        Check("rows three times, at random", lambda rng: copies(rng, grouped=False), "must be above 0.7", above(0.7)),
        Check("rows three times, as groups", lambda rng: copies(rng, grouped=True), "must cover 0.5", covers_half),
        Check("a planted truth", planted, f"must be within {NEAR} of {1 - FLIPPED}", near(1 - FLIPPED)),
    ]


def noise(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Labels that have nothing to do with the features."""
    import numpy as np

    return {"X": rng.normal(size=(ROWS, FEATURES)), "y": rng.permutation(np.arange(ROWS) % 2)}


def leak(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The same, and one feature that is the label."""
    import numpy as np

    data = noise(rng)
    return {**data, "X": np.column_stack([data["X"], data["y"]])}


def copies(rng: np.random.Generator, *, grouped: bool) -> dict[str, np.ndarray]:
    """Every row of noise several times: whoever has seen one copy knows the others."""
    import numpy as np

    data = noise(rng)
    few = {key: np.tile(values[: ROWS // COPIES], (COPIES, *[1] * (values.ndim - 1))) for key, values in data.items()}
    few["y"] = few["y"].ravel()
    return {**few, "group": np.tile(np.arange(ROWS // COPIES), COPIES)} if grouped else few


def planted(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """A plane tells the classes, and a tenth of the labels is wrong."""
    import numpy as np

    x = rng.normal(size=(5 * ROWS, FEATURES))
    y = (x @ np.arange(1, FEATURES + 1) > 0) ^ (rng.random(len(x)) < FLIPPED)
    return {"X": x, "y": y.astype(int)}


def _searched(check: Check, folder: Path) -> Results:
    import numpy as np

    from tuner.report.results import load
    from tuner.search.driver import search
    from tuner.search.plan import prepare
    from tuner.search.wishes import Wishes

    data = check.data(np.random.default_rng(0))
    np.savez(folder / "data.npz", **data)  # type: ignore[arg-type]  # its stub takes them for allow_pickle
    groups = ", groups: group" if "group" in data else ""
    (folder / "selftest.yaml").write_text(SPACE.format(groups=groups), encoding="utf-8")
    study = folder / "study.db"
    search(prepare(folder / "selftest.yaml"), Wishes(study), lambda event: None)
    return load(study)
