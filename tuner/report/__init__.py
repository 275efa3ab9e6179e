"""The results of a study as pandas DataFrames; reads the file only, and never imports torch.

>>> import tuner.report
>>> tuner.report.trials("study.db")         # one row per trial and chain
>>> tuner.report.outer_folds("study.db")    # one row per outer fold
>>> tuner.report.curves("study.db")         # one row per chain, trial, fold and epoch
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tuner.experiment.selection import refit_epochs
from tuner.report import tables
from tuner.report.results import Results
from tuner.report.results import load as _load

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Results", "curves", "load", "outer_folds", "trials"]


def load(path: str | Path, name: str | None = None) -> Results:
    """The study `name` of a file; every number of the report is a property of it."""
    return _load(Path(path), name, curves=True)


def trials(path: str | Path, name: str | None = None) -> pd.DataFrame:
    """One row per trial of every chain, failed ones too: state, score, effort, and each parameter by its path.

    `epochs` is the length of a training on all rows, for complete trials; `trained` is the length on the inner
    folds."""
    import pandas as pd

    rows = [
        {"chain": chain, "trial": t.number, "state": t.state, "score": t.score, "spread": tables.spread(t),
         "parameters": t.parameters, "epochs": refit_epochs(t) if t.state == "complete" else None,
         "trained": t.epochs, "seconds": t.seconds, "reason": t.reason, **tables.decided(t)}
        for chain, stored in _load(Path(path), name).chains.items()
        for t in stored.trials
    ]  # fmt: skip
    return pd.DataFrame(rows)


def outer_folds(path: str | Path, name: str | None = None) -> pd.DataFrame:
    """One row per outer fold: the winning trial, its inner and outer score, those of default and dummy, the epochs of
    its refit, and each parameter by its path; `chain` and `trial` are those of `trials`."""
    import pandas as pd

    rows = [
        {"chain": fold.name, "trial": fold.winner and fold.winner.number, "inner": fold.winner and fold.winner.score,
         "outer_test": fold.score, "default": fold.default and fold.default.score, "dummy": fold.dummy.score,
         "epochs": fold.refit and fold.refit.epochs, **(tables.decided(fold.winner) if fold.winner else {})}
        for fold in _load(Path(path), name).folds
    ]  # fmt: skip
    return pd.DataFrame(rows)


def curves(path: str | Path, name: str | None = None) -> pd.DataFrame:
    """One row per chain, trial, inner fold and epoch: training loss, validation loss, validation score."""
    import pandas as pd

    rows = [
        (chain, t.number, fold, epoch, *values)
        for chain, stored in load(path, name).chains.items()
        for t in stored.trials
        for fold, series in enumerate(zip(t.curves.train_loss, t.curves.loss, t.curves.score, strict=True), 1)
        for epoch, values in enumerate(zip(*series, strict=True), 1)
        if values[2] is not None
    ]
    columns = ["chain", "trial", "fold", "epoch", "train_loss", "validation_loss", "validation_score"]
    return pd.DataFrame(rows, columns=columns)
