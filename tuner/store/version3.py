"""Reads studies of version 0.1.0 (format 3), only for reports; scores, data and splits are computed differently now."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from tuner.experiment.header import ChainHeader, DatasetHeader, Dummy, Run, Runs, SizeCurve, StudyHeader
from tuner.experiment.records import CURVES, DAMAGED, FoldCurves, RefitRecord, TrialRecord

FORMAT = 3
SEAL = ',"seal":"'
CUT = CURVES.replace(" ", "")  # separates a trial from its curves
SENTENCE = "was written by tuner 0.1.0: it can be reported, and neither continued nor replayed"
HINT = "search anew with --study OTHER.db"
NEW = {"notes": (), "reads": (), "units": 0, "weighted": False}  # fields that its headers do not have


def header(text: str) -> StudyHeader:
    """The header of a study."""
    raw = json.loads(text)
    forecast, rows = raw.pop("naive", False), raw["dataset"]["rows"]
    chains = [_chain(chain, forecast=forecast) for chain in raw.pop("chains")]
    data = DatasetHeader(**{"truth": "", **_frozen(raw.pop("dataset"))})
    known = {**NEW, "units": rows, **_frozen(raw)}
    return TypeAdapter(StudyHeader).validate_python({**known, "dataset": data, "chains": tuple(chains)})


def _chain(raw: Mapping[str, Any], *, forecast: bool) -> ChainHeader:
    """A chain. Its dummy had a score without a description, and the size of its inner folds followed from `share`."""
    score, rest = raw["dummy"], {key: value for key, value in raw.items() if key != "dummy"}
    what = "the naive forecast" if forecast else "the training mean, median or commonest class"
    dummy = None if score is None else Dummy(what, score, not forecast)
    trained = raw["rows"] / (1 + raw["share"])
    return ChainHeader(**{"weights": None, "trained": trained, **_frozen(rest), "dummy": dummy})


def trial(text: str) -> TrialRecord:
    """A trial; one that was cut before its curves has none."""
    head, _, tail = text.partition(CUT)
    raw = _unsealed(head if head.endswith("}") else head + "}")
    curves = TypeAdapter(FoldCurves).validate_python(json.loads(tail[:-1])) if tail else FoldCurves()
    return TypeAdapter(TrialRecord).validate_python({**_frozen(raw), "curves": curves})


def refit(text: str) -> RefitRecord:
    """A refit."""
    return TypeAdapter(RefitRecord).validate_python(_frozen(_unsealed(text)))


def runs(text: str) -> Runs:
    """The runs of a study."""
    return Runs(tuple(TypeAdapter(Run).validate_python(_frozen(run)) for run in json.loads(text)))


def curve(text: str) -> SizeCurve:
    """The curve over training size."""
    return TypeAdapter(SizeCurve).validate_python(_frozen(json.loads(text)))


def _unsealed(text: str) -> dict[str, Any]:
    """The object without its last entry, the hash of the others. Raises `ValueError` if the hash is wrong."""
    body, _, seal = text.rpartition(SEAL)
    if hashlib.blake2b((body + "}").encode(), digest_size=8).hexdigest() != seal.rstrip('"}'):
        raise ValueError(DAMAGED)
    found: dict[str, Any] = json.loads(body + "}")
    return found


def _frozen(value: Any) -> Any:
    """JSON with tuples instead of lists."""
    if isinstance(value, list):
        return tuple(_frozen(each) for each in value)
    return {key: _frozen(each) for key, each in value.items()} if isinstance(value, dict) else value
