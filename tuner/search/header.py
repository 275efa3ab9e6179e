"""The header that a study stores of its experiment, and the comparison of a header with an experiment."""

from __future__ import annotations

import hashlib
import statistics
from pathlib import Path
from typing import Any

import numpy as np

from tuner.data.cuts import kind_of
from tuner.data.dataset import Dataset
from tuner.data.resampling import ChainPlan
from tuner.data.scored import is_mean_over_rows
from tuner.data.unseen import unseen
from tuner.errors import ExperimentError, UsageError
from tuner.escapes import line
from tuner.experiment.experiment import Experiment
from tuner.experiment.header import ChainHeader, DatasetHeader, SearchedRange, StudyHeader
from tuner.experiment.packing import as_small, pack
from tuner.experiment.space import Range
from tuner.search.dummy import dummy
from tuner.search.prepare import Prepared, hints, prepare
from tuner.store import FORMAT, StoredStudy, is_ours, version3


def header(prepared: Prepared, name: str) -> StudyHeader:
    """The header of a study: enough to continue it, to refuse another experiment, and to report without torch."""
    experiment, dataset, metric = prepared.experiment, prepared.dataset, prepared.metric
    files = {f"the file of {own.code.name}": own.code.digest[:12] for own in prepared.own.values()}
    files |= {f"the file {path}": digest[:12] for path, digest in prepared.weights.items()}
    return StudyHeader(
        schema=FORMAT,
        name=name,
        text=experiment.document.text,
        sha256=hashlib.sha256(experiment.document.text.encode()).hexdigest(),
        file=str(experiment.document.path.absolute()),
        reads=tuple(str(path.absolute()) for path in prepared.reads),
        identity={**experiment.identity(), "metric": metric.name, **files},
        trials=prepared.trials(),
        sampler=experiment.search.sampler,
        default=prepared.default,
        select=experiment.search.select,
        cut=kind_of(experiment.resampling, dataset),
        hints=hints(experiment, dataset),
        repeats=prepared.plan.repeats,
        repeatable=prepared.plan.repeatable,
        units=prepared.plan.units,
        notes=(*prepared.notes, *(warning.text for warning in prepared.checked.warnings)),
        task=dataset.task,
        metric=metric.name,
        maximize=metric.maximize,
        bounds=metric.bounds,
        by_row=is_mean_over_rows(dataset, metric),
        weighted=dataset.score_weights is not None,
        dataset=DatasetHeader(
            dataset.name, len(dataset), dataset.features.shape[1:], dataset.classes, dataset.target.names,
            dataset.fingerprint(), dataset.targets_digest(),
        ),
        splits=prepared.plan.digest(),
        parameters=tuple(p.path for p in experiment.space.parameters),
        ranges=_ranges(experiment),
        chains=tuple(_chain_header(prepared, chain) for chain in prepared.plan.chains),
    )  # fmt: skip


def _chain_header(prepared: Prepared, chain: ChainPlan) -> ChainHeader:
    dataset, weights, dummies = prepared.dataset, prepared.dataset.score_weights, prepared.dummies
    return ChainHeader(
        name=chain.name,
        rows=len(chain.rows),
        test=len(chain.test),
        folds=len(chain.folds),
        trained=statistics.fmean(len(fold.train) for fold in chain.folds),
        digest=chain.digest(),
        share=chain.share,
        dummy=dummies[chain.name] if dummies else dummy(dataset, prepared.metric, chain.rows, chain.test),
        unseen=unseen(dataset, chain.rows, chain.test),
        tested=pack(chain.test.astype(np.int32)) if len(chain.test) else None,
        weights=None if weights is None else pack(weights[chain.test]),
        truth=pack(_truth(dataset, chain)) if len(chain.test) and not dataset.positions else None,
        validated=pack(_units(prepared, chain)) if chain.alone else None,
    )


def _ranges(experiment: Experiment) -> dict[str, SearchedRange]:
    """Every range that is searched."""
    ranges = ((p.path, p.domain) for p in experiment.space.parameters if isinstance(p.domain, Range))
    return {path: SearchedRange(domain.low, domain.high, domain.log) for path, domain in ranges}


def _truth(dataset: Dataset, chain: ChainPlan) -> np.ndarray:
    """The targets of the outer-test rows."""
    targets = dataset.targets[chain.test]
    return as_small(targets) if targets.dtype.kind == "i" else targets


def _units(prepared: Prepared, chain: ChainPlan) -> np.ndarray:
    """The bootstrap unit of each validation row, fold after fold: its row number, or its group."""
    rows = np.concatenate([fold.validation for fold in chain.folds])
    kind, groups = kind_of(prepared.experiment.resampling, prepared.dataset), prepared.dataset.roles.groups
    return (groups[rows] if kind == "groups" and groups is not None else rows).astype(np.int32)


def changes(stored: StudyHeader, now: StudyHeader, experiment: Experiment) -> list[str]:
    """The differences, in words, between a study and the experiment `now` that is to continue it.

    A setting that the study does not know, as it was added later, and that the file does not name, is no difference:
    the default of a new setting is what was done before."""
    old, new = stored.identity, now.identity
    added = {key for key in experiment.defaults() if key not in old}
    keys = sorted(key for key in {*old, *new} - added if old.get(key) != new.get(key))
    found = [f"{key}: {_short(old.get(key))} → {_short(new.get(key))}" for key in keys]
    if not found and stored.dataset.fingerprint != now.dataset.fingerprint:
        found = ["the data itself: its content is not what the study was started with"]
    if not found and stored.splits != now.splits:
        found = ["the splits: the same rows are cut differently (another scikit-learn?)"]
    return found


def as_stored(study: StoredStudy, *, trusted: bool = False) -> Prepared:
    """The experiment as the study stores it, with its present data. Raises `UsageError` if the data has changed.

    User code runs if this user has made the study, or if it is `trusted`."""
    if study.header.schema != FORMAT:
        raise UsageError(f"the study '{study.name}' {version3.SENTENCE}", version3.HINT)
    trusted = trusted or is_ours(study.header)
    try:
        prepared = prepare(Path(study.header.file), study.header.text, trusted=trusted)
    except ExperimentError as error:
        message = line(f"error: the experiment of '{study.name}' cannot be read any more:")
        raise ExperimentError(f"{message}\n{error.message}") from error
    if changed := changes(study.header, header(prepared, study.name), prepared.experiment):
        text = f"trials of '{study.name}' cannot be trained again, as these have changed: {'; '.join(changed)}"
        raise UsageError(text, "restore them as they were")
    return prepared


def _short(value: Any) -> str:
    text = "(absent)" if value is None else str(value)
    return text if len(text) <= 40 else text[:39] + "…"
