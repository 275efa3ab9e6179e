"""Shares trainings between folds: within a trial, folds with the same training rows use one training.

In a nested plan that shares its partition, the model trained without the parts {i, j} serves outer fold i (validated
on j) and outer fold j (validated on i); the model trained without {i} is fold i of the final chain and the refit of
outer fold i. So K(K−1)/2 + K trainings score a configuration in every chain, instead of K(K−1) + K and the refits.
This module does not know the parts: it compares rows, so any plan shares as much as possible.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tuner.data.inputs import Rows
from tuner.data.resampling import ChainPlan
from tuner.search.samplers import LEARNING


@dataclass(frozen=True, eq=False)
class LaneRows:
    """One training: its rows, and the row sets that it is evaluated on."""

    train: Rows
    evaluations: tuple[Rows, ...]


@dataclass(frozen=True, eq=False)
class Layout:
    """The trainings of a trial.

    Attributes:
        lanes: the trainings.
        views: for each chain, the view of each of its folds; views number the row sets of all lanes in order.
        refits: for each chain, the view of another chain that is its refit, if there is one.
    """

    lanes: tuple[LaneRows, ...]
    views: dict[str, tuple[int, ...]]
    refits: dict[str, int | None]


def layout(chains: Sequence[ChainPlan]) -> Layout:
    """The smallest set of trainings that covers every fold of these chains."""
    rows: dict[bytes, Rows] = {}
    sets: dict[bytes, dict[bytes, Rows]] = {}
    for chain in chains:
        for fold in chain.folds:
            key = fold.train.tobytes()
            rows[key] = fold.train
            sets.setdefault(key, {})[fold.validation.tobytes()] = fold.validation
    lanes = tuple(LaneRows(rows[key], tuple(sets[key].values())) for key in rows)
    order = [(key, evaluation) for key in rows for evaluation in sets[key]]
    position = {view: index for index, view in enumerate(order)}
    views = {
        chain.name: tuple(position[fold.train.tobytes(), fold.validation.tobytes()] for fold in chain.folds)
        for chain in chains
    }
    refits = {chain.name: position.get((chain.rows.tobytes(), chain.test.tobytes())) for chain in chains}
    return Layout(lanes, views, refits)


def sharing(chains: Sequence[ChainPlan]) -> list[list[ChainPlan]]:
    """The chains in groups that share trainings or refits; a chain that shares none is a group by itself."""
    found: list[tuple[set[bytes], list[ChainPlan]]] = []
    for chain in chains:
        keys = {fold.train.tobytes() for fold in chain.folds} | ({chain.rows.tobytes()} if len(chain.test) else set())
        joined, members = keys, [chain]
        for other in [entry for entry in found if entry[0] & keys]:
            found.remove(other)
            joined, members = joined | other[0], other[1] + members
        found.append((joined, members))
    return [members for _, members in found]


def chain_groups(chains: Sequence[ChainPlan], sampler: str) -> list[list[ChainPlan]]:
    """The chains that use the same trials: each by itself for samplers that learn, else those that share trainings."""
    return [[chain] for chain in chains] if sampler in LEARNING else sharing(chains)
