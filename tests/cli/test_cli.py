"""The command line: help of every verb, plans that write nothing, files that are never overwritten, exit codes."""

import contextlib
import os
import pty
import signal
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from helpers import inside, search, tuner, write_space

import tuner as package
from tuner import errors
from tuner.cli import app
from tuner.cli.console import error_text
from tuner.cli.signals import Interrupted, exit_code, handle_signals
from tuner.cli.spaces import shipped
from tuner.errors import StorageError

VERBS = [verb.__name__.rpartition(".")[2] for verb in app.VERBS]
SPACES = sorted(Path(package.__file__).parents[1].glob("search_spaces/*.yaml"))


def test_help_names_every_verb_and_its_own_example():
    code, out, _ = inside("--help")
    assert code == 0
    assert all(verb in out for verb in VERBS)
    assert "tuner report study.db" in out


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_help_with_an_example(verb):
    code, out, err = inside(verb, "--help")
    assert (code, err) == (0, "")
    assert f"tuner {verb}" in out.partition("Usage")[2].partition("\n")[2]


def test_the_real_command_starts_and_help_needs_no_torch(tmp_path):
    done = tuner("--help", cwd=tmp_path, PYTHONPROFILEIMPORTTIME="1")
    assert done.returncode == 0
    assert "Usage" in done.stdout
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "typer" in loaded and not loaded & {"torch", "optuna", "pandas", "numpy"}


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["search", "x.yaml", "--wrokers", "2"], "--wrokers"),
        (["serch", "x.yaml"], "search"),
        (["search"], "Missing argument"),
        (["search", "x.yaml", "--trials", "0"], "--trials"),
        (["search", "x.yaml", "--workers", "-1"], "--workers"),
        (["list", "modles"], "modles"),
        (["report", "--format", "pdf"], "pdf"),
        (["search", "no-such-space"], "no-such-space"),
    ],
)
def test_a_bad_command_line_exits_2_with_one_error(arguments, part, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = inside(*arguments)
    assert code == 2
    assert part in err and err.count("error:") == 1
    assert out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", SPACES, ids=lambda path: path.stem)
def test_every_shipped_space_passes_check(path):
    code, out, err = inside("check", path)
    assert (code, err) == (0, "")
    assert "warning" not in out
    assert path.read_text("utf-8").startswith(f"# tuner search {path.stem}")


def test_the_shipped_spaces_are_found():
    assert len(SPACES) >= 4
    assert set(shipped()) == {path.stem for path in SPACES}


def test_check_prints_the_plan_and_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write_space(tmp_path)
    code, out, _ = inside("check", path)
    assert code == 0
    for part in ("150 rows", "accuracy", "tpe, 6 trials", "model.activation: relu | tanh", "outer-1, outer-2, outer-3"):
        assert part in out
    assert "6 trials × 9 folds = 54 trainings" in out  # 3 chains of 2 inner folds, and one of 3
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.slow
def test_check_can_time_a_trial(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = inside("check", write_space(tmp_path), "--time")
    assert code == 0
    assert "one trial of one chain took" in out
    assert len(list(tmp_path.iterdir())) == 1


def test_check_tells_every_mistake_at_once(tmp_path):
    path = write_space(tmp_path, model={"hidden_sise": 3}, training={"epochs": 0}, search={"sampler": "tpee"})
    code, out, err = inside("check", path)
    assert (code, out) == (2, "")
    assert err.count(": error: ") == 3
    assert all(part in err for part in ("hidden_size", "epochs", "tpe", f"{path.name}:1:"))


def test_a_shipped_space_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = inside("check", "quick")
    assert code == 0
    assert "iris" in out


def test_a_file_goes_before_a_shipped_space_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_space(tmp_path, "quick", dataset={"name": "wine"})
    assert "wine" in inside("check", "quick")[1]


def test_a_folder_does_not_hide_a_shipped_space_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quick").mkdir()
    assert "iris" in inside("check", "quick")[1]


def test_the_first_line_on_a_terminal_says_what_is_read(tmp_path):
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-m", "tuner", "check", "quick"])
    first = os.read(terminal, 200).decode()
    with contextlib.suppress(OSError):  # the end of a terminal
        while os.read(terminal, 1000):
            pass
    assert os.waitpid(pid, 0)[1] == 0
    assert first.startswith("reading ") and "quick.yaml" in first


def test_init_writes_what_is_shipped_and_never_overwrites(tmp_path):
    folder = tmp_path / "my" / "spaces"
    assert inside("init", folder)[0] == 0
    assert sorted(p.name for p in folder.iterdir()) == [p.name for p in SPACES]
    assert f"tuner search {folder / 'rnn.yaml'}" in (folder / "rnn.yaml").read_text()
    (folder / "rnn.yaml").write_text("mine")
    (folder / "mlp.yaml").unlink()
    code, out, _ = inside("init", folder)
    assert code == 0
    assert "rnn.yaml: kept" in out
    assert (folder / "rnn.yaml").read_text() == "mine"
    assert inside("check", folder / "mlp.yaml")[0] == 0


def test_init_where_a_file_stands_in_the_way(tmp_path):
    (tmp_path / "spaces").write_text("mine")
    code, _, err = inside("init", tmp_path / "spaces")
    assert code == 2
    assert err.startswith("error: ")
    assert (tmp_path / "spaces").read_text() == "mine"


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("models", ("mlp", "rnn", "hidden_size", "dropout")),
        ("datasets", ("iris", "digits", "table", "path")),
        ("settings", ("epochs", "learning_rate", "patience", "optimizer.adam", "optimizer.sgd")),
        ("samplers", ("grid", "random", "tpe", "gp")),
        ("metrics", ("accuracy", "rmse", "higher is better", "lower is better")),
        ("spaces", tuple(path.stem for path in SPACES)),
    ],
)
def test_list_names_everything(what, words):
    code, out, err = inside("list", what)
    assert (code, err) == (0, "")
    assert all(word in out for word in words)


@pytest.mark.parametrize("device", ["cuda:99", "gpu", "cpu:0", *([] if torch.cuda.is_available() else ["cuda"])])
def test_a_device_that_is_not_there_is_told_never_silently_replaced(tmp_path, device):
    path = write_space(tmp_path)
    code, _, err = inside("search", path, "--study", tmp_path / "s.db", "--workers", 0, "--device", device)
    assert code == 2
    assert err.startswith("error: ") and device in err


def test_a_device_that_is_not_there_leaves_no_study(tmp_path):
    path, study = write_space(tmp_path), tmp_path / "s.db"
    inside("search", path, "--study", study, "--workers", 0, "--device", "cuda:99")
    assert not study.exists()


def test_a_search_says_what_to_type_next_and_it_works(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = search(write_space(tmp_path, search={"trials": 1}), "my study.db")
    last = out.splitlines()[-1]
    assert last.endswith("; tuner report 'my study.db'")
    assert inside("report", "my study.db")[0] == 0


@pytest.mark.parametrize("several", [False, True])
def test_debug_shows_the_traceback_of_own_code(tmp_path, several):
    (tmp_path / "own.py").write_text("def load():\n    raise RuntimeError('oops')\n")
    metric = "\nmetric: acuracy" * several
    (tmp_path / "e.yaml").write_text(f"dataset: {{name: own.py:load}}\nmodel: mlp{metric}\n")
    code, _, err = inside("--debug", "check", tmp_path / "e.yaml")
    assert code == 2
    assert f'{tmp_path}/own.py", line 2, in load' in err
    assert err.count("error: own.py:load fails: RuntimeError: oops") >= 1


def test_debug_shows_the_traceback_and_without_it_there_is_none(tmp_path):
    path = tmp_path / "absent.yaml"
    assert "Traceback" not in inside("check", path)[2]
    code, _, err = inside("--debug", "check", path)
    assert code == 2
    assert "Traceback" in err


def test_a_signal_inside_an_import_waits_until_that_is_done(tmp_path, monkeypatch):
    """Python drops an exception in some of its own callbacks there, and modules may catch everything."""
    (tmp_path / "swallows.py").write_text(
        "import os, signal\ntry:\n    os.kill(os.getpid(), signal.SIGTERM)\n"
        "except BaseException:\n    pass\ndone = True\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Interrupted) as caught, handle_signals():
        import swallows

        assert swallows.done
        while True:
            time.sleep(0.01)
    assert exit_code(caught.value) == 143


def test_a_signal_whose_exception_is_dropped_is_told_at_the_end():
    with pytest.raises(Interrupted), handle_signals(), contextlib.suppress(BaseException):
        signal.raise_signal(signal.SIGTERM)


def test_what_a_library_makes_of_an_interruption_is_one():
    """Imports that are interrupted half way may raise anything."""
    with pytest.raises(Interrupted) as caught, handle_signals():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except BaseException:
            raise RecursionError("half imported") from None
    assert exit_code(caught.value) == 143
    with pytest.raises(StorageError), handle_signals():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except BaseException:
            raise StorageError("the disk is full") from None


def test_it_says_its_version():
    assert inside("--version") == (0, f"tuner {version('tuner')}\n", "")


def test_an_error_is_printed_in_one_line_with_its_hint_below():
    assert error_text(errors.UsageError("no such thing", "try another")) == "error: no such thing\n  = try another"
    assert error_text(errors.DataError("no rows\nerror: x")) == "error: no rows\\nerror: x"
    assert error_text(errors.ExperimentError("e.yaml:1:1: error: bad")) == "e.yaml:1:1: error: bad"
    assert str(errors.StorageError("full")) == "full"
