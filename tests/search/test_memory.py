"""A stack that does not fit is cut: the same curves, and a peak that stays within what was allowed."""

import json
import math
import os
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import SUPPORT, changed, inside, search, tables, write_space
from toys import SMALL, assert_same_view, classes, go_on, lanes_of, recipe

from tuner.experiment.sections import Limits
from tuner.memory import memory as of_the_machine
from tuner.models import mlp, rnn
from tuner.search.executors import Inline, Processes
from tuner.search.jobs import Work
from tuner.search.machine import share_wanted
from tuner.search.prepare import prepare
from tuner.search.timing import first_job
from tuner.search.trial import Runner
from tuner.store import read
from tuner.training.fitting import DoesNotFit, MemoryBudget, _parts, build_stacks, weight_bytes
from tuner.training.loop import train
from tuner.training.settings import EarlyStopping

GRU = rnn.Settings(cell="gru", hidden_size=5, num_layers=2, dropout=0.3)


LSTM = rnn.Settings(cell="lstm", hidden_size=5, num_layers=2, dropout=0.3)
WIDE = mlp.Settings(hidden_size=130, num_layers=2, activation="swish")
WIDE_GRU = rnn.Settings(cell="gru", hidden_size=72)


def needed(how, lanes, tensors):
    """Bytes that a stack of all lanes holds, and of a step of one."""
    (stack,) = build_stacks(how, lanes, tensors)
    held = weight_bytes(how, tensors) * (len(lanes) + len(lanes) % 2) + stack.index_bytes + stack.gather_bytes
    return held, stack.step_bytes


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "shape"),
    [(SMALL, (5,)), (GRU, (3, 4)), (LSTM, (3, 4)), pytest.param(WIDE, (40,), marks=pytest.mark.slow),
     pytest.param(WIDE_GRU, (8, 8), marks=pytest.mark.slow)],
    ids=["mlp", "gru", "lstm", "wide mlp", "wide gru"],
)  # fmt: skip
@pytest.mark.parametrize("at_once", [5, 3, 1])
def test_a_cut_stack_changes_no_curve(model, shape, at_once):
    tensors = classes(40, shape)
    how = recipe(model, "log_loss", epochs=6, batch_size=8, early_stopping=EarlyStopping(patience=2))
    lanes = lanes_of(tensors, [24] * 7)
    held, step = needed(how, lanes, tensors)
    whole = train(how, lanes, tensors, go_on)
    memory_budget = MemoryBudget(held + at_once * step)
    cut = train(how, lanes, tensors, go_on, memory_budget)
    sizes = [len(set(stack.positions)) for stack in build_stacks(how, lanes, tensors, memory_budget)]
    assert sizes == {5: [4, 3], 3: [3, 2, 2], 1: [2, 2, 2, 1]}[at_once]
    for view in range(len(lanes)):
        assert_same_view(cut.curves, view, whole.curves, view, rtol=0, atol=0)


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_a_longer_sequence_is_known_to_need_more(cell):
    model = rnn.Settings(cell=cell, hidden_size=16)
    steps = []
    for length in (4, 40):
        tensors = classes(40, (length, 3))
        steps.append(needed(recipe(model, "log_loss"), lanes_of(tensors, [24] * 3), tensors)[1])
    assert 5 < steps[1] / steps[0] < 15


def test_probing_draws_nothing_from_the_lanes_streams():
    tensors = classes(40, (5,))
    how = recipe(SMALL.model_copy(update={"dropout": 0.5}), "log_loss", epochs=2)
    (stack,) = build_stacks(how, lanes_of(tensors, [24] * 3), tensors)
    before = stack._probe(8)
    first = stack.train_epoch()
    (other,) = build_stacks(how, lanes_of(tensors, [24] * 3), tensors)
    np.testing.assert_array_equal(other.train_epoch(), first)
    assert before == other._probe(8)


@pytest.mark.parametrize(("text", "bytes_"), [("6GB", 6e9), ("512 MB", 512e6), ("1.5GiB", 1.5 * 2**30)])
def test_sizes(text, bytes_):
    from tuner.experiment.sections import size

    assert size(Limits(memory=text).memory) == bytes_


@pytest.mark.parametrize("text", ["6", "0GB", "GB", "-1GB", "6 apples"])
def test_what_is_no_size(text):
    with pytest.raises(ValueError, match="an amount such as 6GB"):
        Limits(memory=text)


def need(on, job):
    """Bytes that the smallest stacks of a job take."""
    needed = 0
    while True:
        try:
            Runner(Work(*on), "cpu").run(job, memory_budget=MemoryBudget(needed, limit=needed))
        except DoesNotFit as error:  # first for its weights alone, then for all
            needed = error.needed
        else:
            return needed


def outcome_of(executor, jobs):
    for job in jobs:
        executor.submit(job)
    done = []
    while len(done) < len(jobs):
        done += executor.wait(0.2)
    return [replace(record, seconds=0) for _, outcome in done for record in outcome.values()]


def test_what_is_too_large_for_a_share_goes_to_fewer_workers(tmp_path):
    prepared = prepare(write_space(tmp_path))
    job, on = first_job(prepared), (prepared.dataset, "accuracy")
    needed = need(on, job)
    (expected,) = outcome_of(Inline(Work(*on), "cpu", MemoryBudget(needed, limit=needed)), [job])
    assert expected.state == "complete"

    small = replace(job, configuration=changed(job.configuration, hidden_size=2))
    (expected_small,) = outcome_of(Inline(Work(*on), "cpu"), [small])
    for share in (1.0, 0.3):  # of what is needed, for each of three workers
        executor = Processes(Work(*on), ["cpu"], 3, MemoryBudget(3 * share * needed))
        try:
            done = outcome_of(executor, [replace(job), small, replace(job)])
            assert sorted(done, key=str) == sorted([expected, expected_small, expected], key=str)
            assert executor.free == 3
        finally:
            executor.close()


def test_what_fits_nowhere_fails_beside_others_that_go_on(tmp_path):
    prepared = prepare(write_space(tmp_path))
    job, on = first_job(prepared), (prepared.dataset, "accuracy")
    huge = replace(job, configuration=changed(job.configuration, hidden_size=900))
    limit = 1.5 * need(on, job)
    executor = Processes(Work(*on), ["cpu"], 2, MemoryBudget(limit, limit=limit))
    try:
        done = outcome_of(executor, [huge, job])
        assert sorted(record.state for record in done) == ["complete", "failed"]
        assert executor.free == 2
    finally:
        executor.close()


def test_a_model_too_large_to_be_built_is_refused_before_it_takes_anything():
    tensors = classes(40, (64,))
    how = recipe(mlp.Settings(hidden_size=65536, num_layers=8), "log_loss")  # 30 billion weights
    with pytest.raises(DoesNotFit) as caught:
        build_stacks(how, lanes_of(tensors, [24] * 3), tensors, MemoryBudget(1e9, limit=1e9))
    weights = 64 * 65536 + 7 * 65536**2 + 65536 * 3 + 8 * 65536 + 3
    five = 5  # the weights, adam's two histories, the gradient that is kept and the one that is just being made
    assert caught.value.needed == 4 * five * 4 * weights  # lanes, copies, bytes


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_what_other_programs_hold_fails_no_trial(tmp_path, monkeypatch, workers):
    path, study = write_space(tmp_path), tmp_path / "study.db"
    monkeypatch.setattr("tuner.search.machine.memory", lambda: (7000.0, 1e9))
    code, _, err = inside("search", path, "--study", study, "--workers", workers)
    assert code == 3 and "7.0 kB, as other programs hold the rest: end them, or" in err
    assert not study.exists() or not [trial for c in read(study)["tiny"].chains.values() for trial in c.trials
                                      if trial.state == "failed"]  # fmt: skip
    monkeypatch.undo()
    search(path, study, workers=workers)
    search(path, tmp_path / "whole.db")
    assert tables(study) == tables(tmp_path / "whole.db")


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_without_a_limit_what_is_free_is_the_limit(tmp_path, monkeypatch, workers):
    monkeypatch.setattr("tuner.search.machine.memory", lambda: (2000.0, 2000.0))
    code, _, err = inside("search", write_space(tmp_path), "--study", tmp_path / "study.db", "--workers", workers)
    assert code == 5
    assert "and it may take 2.0 kB" in err and "limits.memory" in err


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_what_fits_nowhere_is_a_failed_trial_that_says_so(tmp_path, workers):
    path = write_space(tmp_path, limits={"memory": "1kB"}, search={"trials": 2})
    code, _, err = inside("search", path, "--study", tmp_path / "study.db", "--workers", workers)
    assert code == 5
    assert re.search(r"failed: out of memory: it takes at least \d\.\d kB, and it may take 1\.0 kB", err)


@pytest.mark.slow
def test_a_search_in_little_memory_has_the_same_results(tmp_path, monkeypatch):
    cut = []
    monkeypatch.setattr("tuner.training.fitting._parts", lambda *given: cut.append(given) or _parts(*given))
    studies = []
    for memory, workers in ((None, 2), ("120kB", 2), ("110kB", 0)):
        path = write_space(tmp_path, limits={"memory": memory} if memory else {}, search={"trials": 3})
        studies.append(tmp_path / f"{memory}-{workers}.db")
        search(path, studies[-1], workers=workers)
    assert any(len(group) > at_once for group, at_once in cut)
    assert tables(studies[0]) == tables(studies[1]) == tables(studies[2])


PEAK = """
import json, sys
sys.path.insert(0, sys.argv[1])
from toys import classes, go_on, lanes_of, peak, recipe
from tuner.models import mlp, rnn
from tuner.training.fitting import MemoryBudget, build_stacks
from tuner.training.loop import train
from tuner.search.jobs import Work
CASES = {  # rows, their shape, classes, training rows, batch size, model
    "mlp": (8192, (8,), 3, 6144, "full", mlp.Settings(hidden_size=1024, num_layers=1)),
    "gru": (2500, (30, 4), 3, 400, 32, rnn.Settings(cell="gru", hidden_size=64, num_layers=2, dropout=0.3)),
    "many classes": (60000, (4,), 100, 400, 32, mlp.Settings(hidden_size=16)),
}
rows, shape, count, trained, batch, model = CASES[sys.argv[3]]
how, room = recipe(model, "log_loss", epochs=1, batch_size=batch), MemoryBudget(float(sys.argv[2]))
small = classes(40, shape)
train(how, lanes_of(small, [24] * 2), small, go_on)  # loads what every training needs
table = classes(rows, shape, count)
lanes = lanes_of(table, [trained] * 12)
before = peak()
score = train(how, lanes, table, go_on, room).curves.score
grown = peak() - before
print(json.dumps({"grown": grown, "stacks": len(build_stacks(how, lanes, table, room)), "score": score.tolist()}))
"""


def told(script, *arguments, **environment):
    """What a process prints that has no memory of other tests; two threads on two busy cores would wait forever."""
    command = [sys.executable, "-c", script, SUPPORT, *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"} | environment
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["mlp", "gru", "many classes"])
def test_the_peak_of_a_stack_that_must_be_cut(model):
    free = told(PEAK, "1e12", model)
    allowed = free["grown"] / 2  # how much a free stack takes differs from machine to machine, by a half
    cut = told(PEAK, str(allowed), model)
    assert (free["stacks"], cut["score"]) == (1, free["score"])
    assert cut["stacks"] > 1
    assert cut["grown"] < allowed


WEIGHTS = """
import json, sys
sys.path.insert(0, sys.argv[1])
from torch import nn
from toys import classes, go_on, lanes_of, peak, recipe
from dataclasses import replace
from tuner.models import mlp
from tuner.models.layers import Copies
from tuner.training.fitting import DoesNotFit, MemoryBudget, build_stacks
from tuner.training.loop import train
from tuner.training.optimizers import RMSprop
from tuner.training.schedules import ReduceOnPlateau
HARD = {"optimizer": RMSprop(momentum=0.9, centered=True), "schedule": ReduceOnPlateau(), "l1": 1e-4}
def case(width):
    how = recipe(mlp.Settings(hidden_size=width, num_layers=2), "log_loss", epochs=2, batch_size=8,
                 **(HARD if "rmsprop" in sys.argv[2] else {}))
    def own():
        return nn.Sequential(nn.Linear(8, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 3))
    return replace(how, build=lambda shapes, lanes: Copies(own, lanes)) if "own" in sys.argv[2] else how
table = classes(60, (8,))
lanes = lanes_of(table, [24] * 6)
train(case(8), lanes, table, go_on)  # loads what every training needs
try:
    build_stacks(case(2000), lanes, table, MemoryBudget(1.0, limit=1.0))
except DoesNotFit as error:
    needed = error.needed
before = peak()
train(case(2000), lanes, table, go_on)
print(json.dumps({"grown": peak() - before, "needed": needed}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("what", ["adam", "rmsprop", "own adam", "own rmsprop"])
def test_weights_take_no_more_than_is_said_before(what):
    found = told(WEIGHTS, what, MALLOC_MMAP_THRESHOLD_="1000000")  # else glibc keeps freed blocks of up to 32 MB
    assert found["needed"] < found["grown"] < 1.05 * found["needed"]


def test_a_container_may_have_less_than_its_machine(tmp_path):
    whole, _ = of_the_machine(tmp_path)
    for name, text in (("memory.max", "3000000\n"), ("memory.current", "1000000\n"),
                       ("memory.stat", "anon 5\ninactive_file 200000\n")):  # fmt: skip
        (tmp_path / name).write_text(text)
    assert of_the_machine(tmp_path)[0] == 2_200_000
    (tmp_path / "memory.max").write_text("max\n")
    assert of_the_machine(tmp_path)[0] == pytest.approx(whole, rel=0.5)


GPU_MESSAGE = (
    "CUDA out of memory. Tried to allocate {asked}. GPU 0 has a total capacity of 79.10 GiB of which 6.62 MiB is free. "
    "Process 4711 has 77.09 GiB memory in use. Including non-PyTorch memory, this process has 2.00 GiB memory in use. "
    "Of the allocated memory {held} is allocated by PyTorch, and {kept} is reserved by PyTorch but unallocated. If "
    "reserved but unallocated memory is large try setting PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True."
)


@pytest.mark.parametrize(
    ("asked", "held", "kept", "share"),
    [("20.00 MiB", "1.50 GiB", "512 bytes", 1.51953 / 79.10), ("60.00 GiB", "18.00 GiB", "1.10 GiB", 1.0)],
)
def test_a_full_gpu_tells_whose_memory_it_is(asked, held, kept, share):
    error = torch.OutOfMemoryError(GPU_MESSAGE.format(asked=asked, held=held, kept=kept))
    assert share_wanted(error) == pytest.approx(share, rel=1e-3)


def test_of_other_errors_nobody_knows():
    assert share_wanted(torch.OutOfMemoryError("CUDA error: out of memory")) == math.inf
