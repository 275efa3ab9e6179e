"""Which hyperparameters mattered in a chain, by Optuna's evaluators on a copy of the study."""

from __future__ import annotations

from dataclasses import dataclass

from tuner.errors import UsageError
from tuner.report.results import Results
from tuner.store import as_optuna

ENOUGH = 20  # complete trials: below, importances are mostly chance


@dataclass(frozen=True)
class Importance:
    """The importance of a parameter, from 0 to 1, by each evaluator; None if it cannot be computed.

    Attributes:
        ped_anova: conditional PED-ANOVA (Watanabe, Bansal & Hutter 2023): how well the parameter distinguishes the
            better half of the trials from the others.
        fanova: the share of the score's variance (Hutter, Hoos & Leyton-Brown 2014), for parameters that every trial
            has.
    """

    parameter: str
    ped_anova: float | None
    fanova: float | None


def importances(results: Results, chain: str) -> list[Importance]:
    """The importance of every searched parameter of a chain, highest first. Raises `UsageError` with too few trials."""
    from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator

    if len(results.ranking(chain)) < 2:
        raise UsageError(f"{chain} has {len(results.ranking(chain))} complete trials, too few", "let the search go on")
    with as_optuna(results.path, results.name, chain) as study:
        found = {
            name: _evaluated(study, evaluator)
            for name, evaluator in (
                ("ped_anova", PedAnovaImportanceEvaluator()),
                ("fanova", FanovaImportanceEvaluator(seed=0)),
            )
        }
    names = dict.fromkeys([*found["ped_anova"], *found["fanova"]])
    rows = [Importance(name, found["ped_anova"].get(name), found["fanova"].get(name)) for name in names]
    return sorted(rows, key=lambda row: -(row.ped_anova or 0.0))


def _evaluated(study: object, evaluator: object) -> dict[str, float]:
    from optuna.importance import get_param_importances

    try:
        return dict(get_param_importances(study, evaluator=evaluator))  # type: ignore[arg-type]
    except (ValueError, RuntimeError):  # all scores alike, or no parameter that every trial has
        return {}
