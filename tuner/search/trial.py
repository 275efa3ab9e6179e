"""The pure function that runs a job: `TrialJob` → `TrialRecord`, `RefitJob` → `RefitRecord`.

This is what a worker imports. It knows no study, no sampler and no clock but the trial's own time limit.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from tuner.data import scored
from tuner.data.dataset import disjoint
from tuner.data.inputs import Rows
from tuner.errors import LimitReached, TunerError, first_line, lacking
from tuner.experiment.diagnosis import FoldTraining, diagnose
from tuner.experiment.packing import as_small, pack
from tuner.experiment.records import FoldCurves, RefitRecord, TrialRecord
from tuner.experiment.selection import refit_epochs
from tuner.metrics.parts.metric import OfSums
from tuner.metrics.parts.sums import Array, Floats
from tuner.metrics.parts.threshold import decided
from tuner.metrics.parts.threshold import tuned as threshold_of
from tuner.process import use_one_thread
from tuner.search.answers import confusion_matrix, examples
from tuner.search.jobs import ChainView, Job, Outcome, RefitJob, TrialJob, Work
from tuner.search.machine import share_wanted
from tuner.search.recipe import check_own, metric_of_work, recipe_of
from tuner.training.fitting import ENDLESS, DoesNotFit, MemoryBudget
from tuner.training.lane_data import DatasetTensors
from tuner.training.loop import Curves, Diverged, Outputs, RefitResult, TrainingResult, train, train_fixed_epochs
from tuner.training.recipe import Recipe

OnEpoch = Callable[[int], object]
LINE, PAGE = 1_000, 10_000  # characters of a traceback that are kept: per entry, and in total
KEPT_NUMBERS = 2**24  # of outputs that a trial may keep in memory for refits


class TooLong(Exception):
    """The trial took longer than `limits.trial_time`."""


class OutOfMemory(Exception):
    """The job ran out of memory.

    `outcome` is the result if a retry fails, too; `share` is the share of all memory that the process needed, infinite
    if unknown."""

    def __init__(self, outcome: Outcome, share: float) -> None:
        super().__init__("out of memory")
        self.outcome, self.share = outcome, share


class Runner:
    """Runs jobs on one device, which holds the data as one table for all jobs."""

    def __init__(self, work: Work, device: str) -> None:
        use_one_thread()
        check_own(work)
        self._work, self._metric = work, metric_of_work(work)
        self._by_row = scored.is_mean_over_rows(work.dataset, self._metric)
        self._tensors = DatasetTensors(work.dataset, torch.device(device))

    def run(self, job: Job, on_epoch: OnEpoch = lambda epoch: None, memory_budget: MemoryBudget = ENDLESS) -> Outcome:
        """Run one job.

        Args:
            job: the job.
            on_epoch: called with each finished epoch, from 1.
            memory_budget: memory budget.

        Returns:
            One record per chain; an error inside the trial becomes a record with its reason.

        Raises:
            DoesNotFit: the job needs more memory than `memory_budget`.
            OutOfMemory: an allocation failed; a retry with more memory may succeed.
            LimitReached: the machine lacks another resource (processes, files, disk).
        """
        start, reached = time.perf_counter(), 0

        def note(epoch: int) -> None:
            nonlocal reached
            reached = epoch
            on_epoch(epoch)
            if job.time_limit is not None and time.perf_counter() - start > job.time_limit:
                raise TooLong(f"took longer than limits.trial_time ({job.time_limit:g} s), in epoch {epoch}")

        try:
            recipe = recipe_of(job.configuration, self._work)
            if isinstance(job, RefitJob):
                return self._refit(recipe, job, note, memory_budget, start)
            return self._trial(recipe, job, note, memory_budget, start)
        except DoesNotFit:
            raise
        except (Exception, SystemExit) as error:  # a model may call sys.exit
            failed = failure(job, explain(error), time.perf_counter() - start, _details(error), reached)
            if _out_of_memory(error):
                raise OutOfMemory(failed, share_wanted(error)) from error
            if lack := lacking(error):
                raise LimitReached(
                    f"trial {job.number} of {', '.join(job.serves)} cannot be trained: {lack}"
                ) from error
            return failed
        finally:
            if self._tensors.device.type == "cuda":
                torch.cuda.empty_cache()

    def _trial(
        self, recipe: Recipe, job: TrialJob, on_epoch: OnEpoch, memory_budget: MemoryBudget, start: float
    ) -> Outcome:
        _check_held_out(job)
        watches = [_Watch(view, job.epochs, self._metric.maximize) for view in job.chains]

        def judge(epoch: int, curves: Curves) -> NDArray[np.bool_]:
            on_epoch(epoch)
            wanted = np.zeros(len(curves.lanes), dtype=bool)
            for watch in watches:
                if watch.wants(epoch, curves):
                    wanted[list(watch.chain.views)] = True
            return wanted

        decide = {view for chain in job.chains for view in chain.views} if self._work.tune_threshold else set()
        trained = train(recipe, job.lanes, self._tensors, judge, memory_budget, self._kept(job), decide)
        seconds = time.perf_counter() - start
        folds = sum(len(watch.chain.views) for watch in watches)  # each chain gets its share of the time
        return {
            watch.chain.chain: self._finished(job, watch, trained, seconds * len(watch.chain.views) / folds)
            for watch in watches
        }

    def _kept(self, job: TrialJob) -> set[int]:
        """The views whose outputs are kept, because they are a chain's refit or are needed row by row; none if they
        take too much memory."""
        wanted = {view.refit for view in job.chains if view.refit is not None}
        if isinstance(self._metric.compute, OfSums):
            wanted |= {view for chain in job.chains if chain.by_row for view in chain.views}
        views = job.views
        numbers = sum(len(views[view][1]) for view in wanted) * self._tensors.answers * job.epochs
        return wanted if numbers <= KEPT_NUMBERS else set()

    def _finished(self, job: TrialJob, watch: _Watch, trained: TrainingResult, seconds: float) -> TrialRecord:
        """The record for one chain, with its row scores or the refit of another chain, if their outputs were kept."""
        record, chain, views = watch.record(job, trained, seconds), watch.chain, job.views
        if record.state != "complete":
            return record
        if self._work.tune_threshold:
            record = self._at_threshold(record, chain, job, trained)
        if chain.by_row and all(view in trained.outputs for view in chain.views):
            at_best = zip(chain.views, record.best_epochs, strict=True)
            folds = [(*views[view], trained.outputs[view][best - 1]) for view, best in at_best]
            return replace(record, row_scores=self._packed_row_scores(folds, record.threshold))
        shared = _shared_refit(chain.refit, refit_epochs(record), trained)
        refit = self._refitted(job.number, shared, chain.held_out, record.threshold) if shared else None
        return replace(record, refit=refit)

    def _at_threshold(
        self, record: TrialRecord, chain: ChainView, job: TrialJob, trained: TrainingResult
    ) -> TrialRecord:
        """The record with the decision threshold that is best on its folds, and its scores there."""
        folds = [(trained.counting_outputs[view], *self._truth(job.views[view][1])) for view in chain.views]
        threshold, scores = threshold_of(folds, self._metric)
        return replace(record, threshold=threshold, fold_scores=tuple(scores), score=float(np.mean(scores)))

    def _truth(self, rows: Rows) -> tuple[Array, Floats]:
        """Targets (V, …) of rows, and their weights in scores (V,)."""
        dataset = self._tensors.dataset
        return dataset.targets[rows], dataset.counts(rows)

    def _refit(
        self, recipe: Recipe, job: RefitJob, on_epoch: OnEpoch, memory_budget: MemoryBudget, start: float
    ) -> Outcome:
        found = train_fixed_epochs(recipe, job.lane, self._tensors, job.epochs, on_epoch, memory_budget)
        record = self._refitted(job.number, found, job.lane.evaluations[0], job.threshold)
        return {job.chain: replace(record, seconds=time.perf_counter() - start)}

    def _refitted(self, number: int, found: RefitResult, test: Rows, threshold: float | None) -> RefitRecord:
        """The record of a refit, scored at the decision threshold."""
        score = found.score
        if threshold is not None:
            score = self._metric.score(decided(found.outputs, threshold), *self._truth(test))
        read, dataset = found.reading, self._tensors.dataset
        norms = [tuple(_short(norm) for norm in layer) for layer in read.norms.T]
        return RefitRecord(
            number,
            len(found.train_loss),
            0.0,
            score,
            tuple(plain(loss) for loss in found.train_loss),
            predictions=None if dataset.positions else pack(found.outputs),
            confusion=confusion_matrix(found.outputs, dataset, test),
            examples=examples(found.outputs, dataset, test),
            threshold=threshold,
            row_scores=self._packed_row_scores([(test[:0], test, found.outputs)], threshold) if self._by_row else None,
            gradients=dict(zip(read.layers, norms, strict=True)),
            dead={relu: plain(share) for relu, share in zip(read.relus, read.dead, strict=True)},
        )

    def _packed_row_scores(self, folds: Sequence[tuple[Rows, Rows, Outputs]], threshold: float | None) -> str | None:
        """The scores (V,) of the rows of all folds, each (training rows, rows, outputs); or, if their mean is not the
        score, their totals (V, S). None if these are too many numbers."""
        rows, outputs = (np.concatenate([fold[index] for fold in folds]) for index in (1, 2))
        found = [scored.needed(self._tensors.dataset, self._metric, train, on) for train, on, _ in folds]
        known = [each for each in found if each is not None]
        needed = np.concatenate(known) if known else None
        totals = self._metric.row_totals(decided(outputs, threshold), *self._truth(rows), needed)
        if totals is None or totals.size > KEPT_NUMBERS:
            return None
        return pack(totals[:, 1] if self._by_row else as_small(totals))


def _shared_refit(view: int | None, epochs: int, trained: TrainingResult) -> RefitResult | None:
    """A chain's refit of that many epochs, from the view of another chain that is the same training."""
    outputs = [] if view is None else trained.outputs.get(view, [])
    if view is None or len(outputs) < epochs:  # stopped before, or diverged
        return None
    curves, lane = trained.curves, int(trained.curves.lanes[view])
    losses, score = curves.train_loss[lane, :epochs], float(curves.score[view, epochs - 1])
    if not np.isfinite([*losses, score]).all():
        return None
    return RefitResult(losses, score, trained.layer_statistics.of(lane, view, epochs), outputs[epochs - 1])


class _Watch:
    """Follows a trial for one chain: its means per epoch, and whether it should continue for this chain."""

    def __init__(self, chain: ChainView, epochs: int, maximize: bool) -> None:
        self.chain, self._epochs, self._maximize = chain, epochs, maximize
        self._means: list[float] = []
        self._pruned = False
        self._reason: str | None = None

    def wants(self, epoch: int, curves: Curves) -> bool:
        """Record the epoch's mean; returns False once a fold has diverged or the mean is behind the threshold."""
        views = list(self.chain.views)
        broken = [curves.broken[view] for view in views if view in curves.broken]
        if broken and not self._pruned and self._reason is None:
            self._reason = broken[0][1]
        if self._pruned or self._reason is not None:
            return False
        last = np.count_nonzero(~np.isnan(curves.score[views]).all(axis=0))
        if last > len(self._means):
            self._means.append(plain(float(curves.counting[views].mean())))
            limits = self.chain.thresholds
            if limits is not None and epoch < self._epochs:  # pruning at the last epoch would save nothing
                self._pruned = limits.prunes(self._means, self._maximize)
        return not self._pruned

    def record(self, job: TrialJob, trained: TrainingResult, seconds: float) -> TrialRecord:
        """The record of the trial for the chain."""
        curves, views, epochs = trained.curves, list(self.chain.views), len(self._means)
        failed = TrialRecord(
            job.number,
            "failed",
            job.values,
            job.configuration,
            seconds,
            means=tuple(self._means),
            parameters=trained.parameters,
            reason=self._reason,
        )
        score, loss = curves.score[views, :epochs], curves.loss[views, :epochs]
        train_loss = np.where(np.isnan(score), np.nan, curves.train_loss[curves.lanes[views], :epochs])
        shown = FoldCurves(_rows(train_loss), _rows(loss), _rows(score))
        signs = self._diagnosis(job, trained, shown)
        if self._reason is not None:
            return replace(failed, diagnosis=signs)
        kept = replace(failed, curves=shown, diagnosis=signs)
        if self._pruned:
            return replace(kept, state="pruned")
        scores = tuple(float(v) for v in curves.counting[views])
        best = tuple(int(e) for e in curves.best[views])
        return replace(kept, state="complete", score=float(np.mean(scores)), fold_scores=scores, best_epochs=best)

    def _diagnosis(self, job: TrialJob, trained: TrainingResult, shown: FoldCurves) -> tuple[str, ...]:
        """The diagnosis of the trial's folds."""
        curves, constant, folds = trained.curves, trained.constant_baseline, []
        for fold, view in enumerate(self.chain.views):
            lane = curves.lanes[view]
            read = trained.layer_statistics.of(lane, view, self._last(curves, view))
            levels = float(constant.train[lane]), float(constant.held_out[view])
            losses = shown.train_loss[fold], shown.loss[fold]
            folds.append(FoldTraining(*losses, int(curves.best[view]), levels, read.norms, read.dead))
        return diagnose(folds, job.epochs, job.patience, broken=self._reason is not None)

    def _last(self, curves: Curves, view: int) -> int:
        """The last epoch of a view, also if it diverged there."""
        if view in curves.broken:
            return curves.broken[view][0]
        return max(1, int(np.count_nonzero(~np.isnan(curves.score[view, : len(self._means)]))))


def _check_held_out(job: TrialJob) -> None:
    """Train ∩ validation ∩ test = ∅, before every training."""
    views = job.views
    for chain in job.chains:
        for view in chain.views:
            disjoint(*views[view], chain.held_out)


def failure(job: Job, reason: str, seconds: float, details: str | None = None, epoch: int = 0) -> Outcome:
    """The records of a job that failed; `epoch` is the last one that it finished."""
    if isinstance(job, RefitJob):
        return {job.chain: RefitRecord(job.number, job.epochs, seconds, reason=reason, details=details)}
    record = TrialRecord(
        job.number, "failed", job.values, job.configuration, seconds, reason=reason, details=details, last_epoch=epoch
    )
    return {view.chain: record for view in job.chains}


def explain(error: BaseException) -> str:
    """The reason why a trial failed, in a few words."""
    if isinstance(error, TunerError) and error.hint:
        return f"{error.message} ({error.hint})"
    if isinstance(error, Diverged | TooLong | TunerError):
        return str(error)
    if _out_of_memory(error):
        return "out of memory"
    return first_line(error)


def _details(error: BaseException) -> str:
    """The traceback of an error, cut to a limited length: a message may have megabytes."""
    return "".join(line[:LINE] for line in traceback.format_exception(error))[-PAGE:]


def _out_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in first_line(error)


def plain(value: float) -> float:
    """A point of a curve, rounded to nine digits: losses are float32, and a study holds many of them."""
    return float(f"{value:.9g}")


def _short(norm: float) -> float | None:
    """A norm rounded to four digits; None if it is not finite, which JSON cannot store."""
    return float(f"{norm:.4g}") if np.isfinite(norm) else None


def _rows(curves: NDArray[np.float64]) -> tuple[tuple[float | None, ...], ...]:
    return tuple(tuple(None if np.isnan(v) else plain(v) for v in row) for row in curves)
