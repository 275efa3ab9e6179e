"""The user's own code through the command line: it never runs in the driver, and leaves nothing behind."""

import json
import os
import subprocess
import sys
import time

import pytest
from helpers import inside, report_json, search, slow, tables, write_space
from survival import real, survived

pytestmark = pytest.mark.torture

NET = """
import ctypes, os, random, signal, sys, threading, time
import numpy as np
import torch
from torch import nn
{top}
class Net(nn.Module):
    def __init__(self, in_features, num_classes, hidden: int = 4):
        super().__init__()
        {init}
        self.one, self.two = nn.Linear(in_features, hidden), nn.Linear(hidden, num_classes)
    def forward(self, x):
        {forward}
        return self.two(torch.relu(self.one(x)))
"""
LOADER = """
import os, sys, time
import numpy as np
{top}
def load():
    {body}
    random = np.random.default_rng(0)
    return random.normal(size=(40, 3)), np.arange(40) % 2
"""
MODEL = {"name": "nets.py:Net", "hidden_size": None, "activation": None, "hidden": [2, 4]}


def with_net(folder, top="", init="pass", forward="pass", **changes):
    """An experiment with a model of one's own, in which these statements run."""
    (folder / "nets.py").write_text(NET.format(top=top, init=init, forward=forward))
    changes = {"training": {"epochs": 2}, "search": {"sampler": "random", "trials": 3}} | changes
    return write_space(folder, model=MODEL, **changes)


def with_loader(folder, top="", body="pass"):
    (folder / "data.py").write_text(LOADER.format(top=top, body=body))
    return write_space(folder, dataset="data.py:load", training={"epochs": 2}, search={"trials": 2})


ENDS = {
    "leaves": ("os._exit(0)", "nets.py:Net ended its process (exit code 0)"),
    "crashes": ("ctypes.string_at(0)", "nets.py:Net ended its process (SIGSEGV)"),
    "interrupts": ("raise KeyboardInterrupt", "nets.py:Net fails on 2 rows of 4: KeyboardInterrupt"),
    "raises at the bottom": ("raise BaseException('odd')", "nets.py:Net fails on 2 rows of 4: BaseException: odd"),
    "raises without words": (
        "raise type('Mute', (Exception,), {'__str__': lambda self: 1 / 0})",
        "nets.py:Net fails on 2 rows of 4: Mute: (it has no text)",
    ),
    "raises many": ("raise ValueError('x' * 5_000_000)", "nets.py:Net fails on 2 rows of 4: ValueError: xxxx"),
    "exits": ("sys.exit(0)", "nets.py:Net fails on 2 rows of 4: SystemExit: 0"),
}


@pytest.mark.parametrize("what", [slow(what) if what not in ("leaves", "crashes") else what for what in ENDS])
def test_a_model_that_ends_its_process_is_an_error_of_the_file(tmp_path, what):
    statement, said = ENDS[what]
    path = with_net(tmp_path, forward=statement)
    for verb in (("check", path), ("search", path, "--study", tmp_path / "study.db", "--workers", 0)):
        err = survived(*inside(*verb), expected=2)
        assert said in err and "space.yaml:1:" in err and len(err) < 2000
    assert not (tmp_path / "study.db").exists()


@pytest.mark.parametrize("place", ["top", "init"])
def test_so_is_one_that_does_while_it_is_imported_or_built(tmp_path, place):
    err = survived(*inside("check", with_net(tmp_path, **{place: "os._exit(0)"})), expected=2)
    assert "nets.py:Net ended its process (exit code 0)" in err


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("os._exit(0)", "data.py:load ended its process (exit code 0)"),
        ("raise KeyboardInterrupt", "data.py:load fails: KeyboardInterrupt"),
        ("sys.exit(3)", "data.py:load fails: SystemExit: 3"),
        ("return object(), np.arange(3)", "data.py:load: its features are"),
    ],
)
def test_so_is_a_loader(tmp_path, statement, said):
    path = with_loader(tmp_path, body=statement)
    for verb in ("check", "data"):
        assert said in survived(*inside(verb, path), expected=2)


@pytest.mark.slow
@pytest.mark.parametrize("make", [with_net, slow(with_loader)])
def test_a_time_limit_holds_for_what_does_not_end(tmp_path, make):
    begun, statement = time.monotonic(), "while True: time.sleep(1)"
    path = make(tmp_path, **{"forward" if make is with_net else "body": statement})
    _, err = real("search", path, "--study", "study.db", "--timeout", "4s", cwd=tmp_path, expected=3)
    assert time.monotonic() - begun < 20 and "stopped: the time limit was reached while " in err


POOL = """
    import multiprocessing
    with multiprocessing.Pool(2) as pool:
        assert pool.map(abs, [-1, 2]) == [1, 2]
"""
PROGRAM = """
    import subprocess
    sleeping = subprocess.Popen(["sleep", "100"])
    sleeping.terminate()
    assert sleeping.wait(10) == -15
"""


@pytest.mark.parametrize("body", [POOL, PROGRAM], ids=["pool", "program"])
def test_a_loader_may_start_processes_and_end_them(tmp_path, body):
    code, _, err = inside("check", with_loader(tmp_path, body=body.strip()))
    assert code == 0, err


@pytest.mark.slow
@pytest.mark.parametrize("place", ["top", "init"])
def test_a_fork_while_it_is_imported_or_built_trains_on(tmp_path, place):
    path = with_net(tmp_path, **{place: "os.fork()"})
    search(path, tmp_path / "study.db", workers=1)


@pytest.mark.slow
def test_what_draws_while_it_is_imported_draws_the_same(tmp_path):
    path = with_net(tmp_path, top="scale = random.random() + float(torch.rand(1)) + np.random.rand()",
                    forward="x = x * scale")  # fmt: skip
    studies = [tmp_path / "one.db", tmp_path / "two.db"]
    for study in studies:
        search(path, study, workers=2)
    assert tables(studies[0]) == tables(studies[1])


def test_a_model_that_remembers_its_last_call_is_no_proxy(tmp_path):
    path = with_net(tmp_path, init="self.last = 0", forward="x = x + 0.1 * self.last; self.last = x.detach().mean()")
    code, _, err = inside("check", path)
    assert code == 0, err


@pytest.mark.slow
def test_with_closed_output_it_is_tried_and_trained_all_the_same(tmp_path):
    real("search", with_net(tmp_path), cwd=tmp_path, before=lambda: os.close(1), stdout=None)


def test_what_closes_all_descriptors_is_a_fault_of_the_code(tmp_path):
    code, _, err = inside("check", with_net(tmp_path, init="os.closerange(0, 4096)"))
    assert code == 2 and ("nets.py:Net ended its process (" in err or "closed or wrote to the pipe" in err)


@pytest.mark.slow
@pytest.mark.parametrize("statement", ["os.close(n)", "os.write(n, b'!' * 9)"])
def test_what_closes_or_writes_into_low_descriptors_does_not_meet_those_of_tuner(tmp_path, statement):
    ours = f"[{statement} for n in range(3, 99) if 'socket' in os.path.realpath(f'/proc/self/fd/{{n}}')]"
    assert inside("check", with_net(tmp_path, init=ours))[0] == 0


DEFAULTS = (
    "rate: float = np.float32(0.5), huge: int = 10**5000, call: int = (lambda: 4), pair: tuple = (1, 2), copy: int = 3"
)


@pytest.mark.slow
def test_odd_defaults_are_settings_or_stay_with_the_code(tmp_path):
    net = NET.format(top="", init="pass", forward="pass").replace("hidden: int = 4", f"hidden: int = 4, {DEFAULTS}")
    (tmp_path / "nets.py").write_text(net)
    model = {**MODEL, "rate": 1, "copy": 2}
    path = write_space(tmp_path, model=model, training={"epochs": 2}, search={"sampler": "random", "trials": 2})
    code, out, err = inside("search", path, "--study", tmp_path / "study.db", "--workers", 2)
    assert code == 0 and "pydantic" not in out + err
    model["pair"] = 1
    code, _, err = inside("check", write_space(tmp_path, model=model, training={"epochs": 2}))
    assert code == 2 and "pair" in err


def test_no_predicate_of_its_arguments_runs_in_the_driver(tmp_path):
    net = NET.format(top="import annotated_types; from typing import Annotated", init="pass", forward="pass")
    text = "word: Annotated[str, annotated_types.Predicate(exec)] = 'x'"
    (tmp_path / "nets.py").write_text(net.replace("hidden: int = 4", f"hidden: int = 4, {text}"))
    wish = {**MODEL, "word": "open('ran', 'w')"}
    code, _, err = inside("check", write_space(tmp_path, model=wish, training={"epochs": 2}))
    assert code == 2 and "word" in err and not (tmp_path / "ran").exists()


def test_a_mask_is_not_lost(tmp_path):
    (tmp_path / "data.py").write_text(
        "import numpy as np\ndef load():\n    x = np.random.default_rng(0).normal(size=(40, 3))\n"
        "    return np.ma.masked_less(x, 0), np.arange(40) % 2\n"
    )
    code, _, err = inside("check", write_space(tmp_path, dataset="data.py:load", training={"epochs": 2}))
    assert code == 2 and "its features are a masked array" in err


@pytest.mark.slow
def test_the_end_of_the_server_that_forks_is_no_fault_of_the_model(tmp_path):
    mark = tmp_path / "killed"
    end = f"if not os.path.exists({str(mark)!r}): open({str(mark)!r}, 'x'), os.kill(os.getppid(), 9), time.sleep(2)"
    real("search", with_net(tmp_path, top=end), cwd=tmp_path)
    assert mark.exists()


@pytest.mark.slow
def test_importing_is_no_time_of_a_trial(tmp_path, monkeypatch):
    """Of which there is one in every worker; a limit of a trial is for its training."""
    monkeypatch.setattr("tuner.search.executors.GRACE", 0.2)
    path = with_net(tmp_path, top="time.sleep(2)", limits={"trial_time": "1s"}, search={"trials": 1})
    code, _, err = inside("search", path, "--study", tmp_path / "study.db", "--workers", 2)
    assert code == 0, err


@pytest.mark.slow
def test_what_does_not_end_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr("tuner.search.user_code.IMPORTED", 3.0)
    err = survived(*inside("check", with_net(tmp_path, forward="while True: pass")), expected=2)
    assert "nets.py:Net did not finish within 3 s, and was stopped" in err


PRINTS = (
    'print("printed"); os.write(1, b"written\\n"); os.system("echo echoed"); print("\\x1b[2J", file=sys.__stderr__)'
)


@pytest.mark.slow
def test_what_it_prints_is_apart_from_the_output(tmp_path):
    (tmp_path / "data.py").write_text(LOADER.format(top=PRINTS, body=PRINTS))
    path = with_net(tmp_path, top=PRINTS, init=PRINTS, forward=PRINTS, dataset="data.py:load")
    out, err = real("search", path, "--study", "study.db", "--workers", 0, "--json", cwd=tmp_path)
    assert {json.loads(line)["event"] for line in out.splitlines()} >= {"started", "trial"}
    assert {"printed", "written", "echoed", "\\u001b[2J"} <= {*err.splitlines()} and "\x1b" not in err
    out, err = real("search", path, "--study", "quiet.db", "--quiet", cwd=tmp_path)
    assert (out, err) == ("", "")


@pytest.mark.slow
def test_none_of_it_runs_in_the_process_of_the_command(tmp_path):
    """Nor does it learn from it: the folders where it was and what it set are those of other processes."""
    note = 'open({!r}, "a").write(f"{{os.getpid()}} {{os.environ.get(\'HARMED\')}} {{os.getcwd()}}\\n")'.format(
        str(tmp_path / "seen")
    )
    harm = f'{note}; os.environ["HARMED"] = "yes"; os.chdir("/"); signal.signal(signal.SIGTERM, signal.SIG_IGN)'
    (tmp_path / "data.py").write_text(LOADER.format(top=f"import signal\n{harm}", body=harm))
    path = with_net(tmp_path, top=harm, init=harm, forward=harm, dataset="data.py:load")
    verbs = (("check", "space.yaml"), ("check", "space.yaml", "--time"), ("data", "space.yaml"),
             ("search", "space.yaml", "--workers", 0), ("replay", "--trial", 0), ("curve",))  # fmt: skip
    for verb in verbs:
        (tmp_path / "seen").unlink(missing_ok=True)
        arguments = [*map(str, verb)]
        process = subprocess.Popen([sys.executable, "-m", "tuner", *arguments], cwd=tmp_path)
        assert process.wait(120) == 0, verb
        seen = [line.split() for line in (tmp_path / "seen").read_text().splitlines()]
        assert seen and str(process.pid) not in {pid for pid, *_ in seen}
    assert path.exists()


@pytest.mark.parametrize("mode", ["set_grad_enabled(False)", "set_default_dtype(torch.float64)"])
def test_a_model_that_changes_the_modes_of_torch_is_refused(tmp_path, mode):
    """In the middle of a training, they would be another for some lanes."""
    survived(*inside("check", with_net(tmp_path, forward=f"torch.{mode}")), expected=2)


LEAKS = (
    "global COUNT; COUNT += 1; x = x + COUNT / 100",
    "x = x + float(os.environ.get('COUNT', 0)); os.environ['COUNT'] = '1'",
    "x = x + len(os.getcwd()); os.chdir('/')",
    "torch.manual_seed(0); random.seed(0); np.random.seed(0)",
    "x = x + list({'a', 'b', 'c'}).index('a')",
)


@pytest.mark.slow
def test_nothing_leaks_from_trial_to_trial(tmp_path):
    """In 0, 1 and 2 workers, and in two steps, the tables are the same: whatever a trial leaves is gone with it."""
    path = with_net(tmp_path, top="COUNT = 0", forward="; ".join(LEAKS), search={"sampler": "random", "trials": 2})
    found = []
    for workers in (0, 1, 2):
        study = tmp_path / f"{workers}.db"
        code, _, err = inside("search", path, "--study", study, "--workers", workers)
        assert code == 0, err
        found.append(tables(study))
    steps = tmp_path / "steps.db"
    for total in (1, 2):
        inside("search", path, "--study", steps, "--workers", 1, "--trials", total)
    assert found[0] == found[1] == found[2]
    raised = [{k: v for k, v in json.loads(table).items() if k != "raised"} for table in tables(steps)]
    assert raised == [{k: v for k, v in json.loads(table).items() if k != "raised"} for table in found[0]]


@pytest.mark.slow
def test_the_order_of_a_set_is_the_same_in_every_run(tmp_path):
    """Python draws it anew in every process, and a study goes on in another."""
    order = "x = x + list({'a', 'b', 'c', 'd'}).index('a') + list({'e', 'f', 'g'}).index('e')"
    path = with_net(tmp_path, forward=order, search={"sampler": "random", "trials": 2})
    for name in ("one", "other"):
        real("search", path, "--study", f"{name}.db", "--workers", 1, cwd=tmp_path)
    assert tables(tmp_path / "one.db") == tables(tmp_path / "other.db")


@pytest.mark.slow
def test_what_cannot_be_repeated_is_told(tmp_path):
    path = with_net(tmp_path, forward="x = x + int.from_bytes(os.urandom(1), 'big') / 1000")
    code, out, _ = inside("check", path)
    said = "warning: nets.py:Net is not reproducible: trained twice for one epoch from the same seed, its training"
    assert code == 0 and said in out
    assert "nets.py:Net is not reproducible" in inside("search", path, "--study", tmp_path / "s.db")[1]
    report = inside("report", tmp_path / "s.db")[1]
    assert "nets.py:Net is not reproducible" in " ".join(report.split())
    assert "not reproducible" not in inside("check", with_net(tmp_path, forward="x = x + random.random()"))[1]


def test_what_differs_from_process_to_process_is_told(tmp_path):
    path = with_net(tmp_path, top="BEGUN = os.getpid() / 100_000", forward="x = x + BEGUN")
    assert "nets.py:Net is not reproducible" in inside("check", path)[1]


@pytest.mark.slow
def test_a_copy_that_leaves_while_it_is_imported_is_not_the_process(tmp_path):
    path = with_net(tmp_path, top="os.fork() or sys.exit(0)")
    code, _, err = inside("search", path, "--study", tmp_path / "study.db", "--workers", 1)
    assert code == 0, err


@pytest.mark.slow
def test_an_exit_code_like_that_of_a_lost_server_is_the_fault_of_the_model(tmp_path):
    few = {"outer": 2, "inner": 2}
    late = "x.sum().item() < 1e9 and globals().update(CALLS=CALLS + 1); CALLS > 100 and os._exit(255)"  # not when tried
    training = {"epochs": 40, "batch_size": 16, "early_stopping": None}
    path = with_net(tmp_path, top="CALLS = 0", forward=late, training=training, search={"trials": 1}, resampling=few)
    code, _, err = inside("search", path, "--study", tmp_path / "study.db", "--workers", 1)
    assert code == 5 and "exit code 255" in err


@pytest.mark.parametrize(
    "top", ["import builtins; builtins.len = lambda x: 3", "import builtins; builtins.isinstance = lambda a, b: True"]
)
def test_replaced_parts_of_python_print_no_traceback(tmp_path, top):
    code, out, err = inside("check", with_net(tmp_path, top=top))
    assert code in (0, 2) and "Traceback" not in out + err


FORKS = {
    "a copy that goes on": "os.fork()",
    "a copy that ends": "os.fork() or os._exit(0)",
    "a copy that stays": "os.fork() or time.sleep(30)",
}


@pytest.mark.slow
@pytest.mark.parametrize("forks", [slow(forks) if forks != "a copy that goes on" else forks for forks in FORKS])
def test_a_model_that_forks_gives_one_answer(tmp_path, forks):
    once = f"global COUNT; COUNT += 1; COUNT == 1 and [{FORKS[forks]}]"
    training = {
        "training": {"epochs": 1},
        "search": {"sampler": "random", "trials": 2},
        "resampling": {"outer": 2, "inner": 2},
    }
    path = with_net(tmp_path, top="COUNT = 0", forward=once, **training)
    search(path, tmp_path / "forks.db", workers=2)
    plain = with_net(tmp_path, top="COUNT = 0", forward="global COUNT; COUNT += 1; COUNT == 1 and [0]", **training)
    search(plain, tmp_path / "plain.db", workers=2)
    found = [json.loads(report_json(tmp_path / f"{name}.db")) for name in ("forks", "plain")]
    assert found[0]["ranking"] and found[0] == found[1]


@pytest.mark.slow
def test_a_model_that_forks_at_every_call_does_not_fill_the_machine(tmp_path):
    """A copy ends when the call that made it returns: else there would be twice as many at every step."""
    path = with_net(tmp_path, forward="os.fork()", training={"epochs": 8, "batch_size": 16})
    begun = time.monotonic()
    code, _, err = inside("search", path, "--study", tmp_path / "study.db", "--workers", 1)
    assert code == 0, err
    assert time.monotonic() - begun < 60


@pytest.mark.slow
def test_a_failing_trial_keeps_no_more_than_a_page_of_its_words(tmp_path):
    """Five megabytes in an exception are not kept for every chain."""
    message = "global COUNT; COUNT += 1\n        if COUNT > 40: raise ValueError('x' * 5_000_000)"
    path = with_net(tmp_path, top="COUNT = 0", forward=message, search={"sampler": "random", "trials": 2})
    code, _, err = inside("search", path, "--study", tmp_path / "study.db", "--workers", 1)
    assert code in (0, 5), err
    assert (tmp_path / "study.db").stat().st_size < 2_000_000


def test_a_linked_file_beside_the_experiment_is_found(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    path = with_net(tmp_path)
    (tmp_path / "nets.py").rename(tmp_path / "elsewhere" / "nets.py")
    (tmp_path / "nets.py").symlink_to("elsewhere/nets.py")
    assert inside("check", path)[0] == 0


FORK_AND_END = """
import os, signal, time
from tuner.search import child

child.leave_signals_to_the_driver()
for _ in range(200):
    if not (forked := os.fork()):
        time.sleep(20)
        os._exit(0)
    os.kill(forked, signal.SIGTERM)
    assert os.WTERMSIG(os.waitpid(forked, 0)[1]) == signal.SIGTERM
"""


def test_a_process_that_is_ended_as_soon_as_it_is_forked_ends():
    """Python forgets a signal that reaches a process before its handlers are the usual ones."""
    subprocess.run([sys.executable, "-c", FORK_AND_END], check=True, timeout=60)
