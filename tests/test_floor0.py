"""Errors, registry and seeds: what every other part stands on."""

import errno
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner import errors, registry
from tuner.cli.console import error_text
from tuner.seeds import seed_of

EXIT_CODES = {
    "TunerError": 1, "UsageError": 2, "ExperimentError": 2, "DataError": 2, "ColumnError": 2, "NotTrusted": 2,
    "ManyTextsError": 2,
    "LimitReached": 3, "TimeIsOver": 3, "StorageError": 4, "NoStudyYet": 4, "NoResultError": 5, "StudyBusy": 75,
}  # fmt: skip
PURPOSES = st.lists(st.integers(-(2**63), 2**63) | st.text(max_size=5), max_size=4).map(tuple)


def test_each_error_has_its_exit_code():
    kinds = {k: v for k, v in vars(errors).items() if isinstance(v, type) and issubclass(v, errors.TunerError)}
    assert {name: kind.exit_code for name, kind in kinds.items()} == EXIT_CODES


def test_errors_of_several_checks_are_raised_and_printed_together():
    found = errors.DataErrors()
    for text in ("first", "second"):
        with found.collect():
            raise errors.DataError(text, f"cure of the {text}")
    with found.collect(), pytest.raises(errors.DataError) as several:
        found.raise_all()
    assert error_text(several.value) == ("error: first\n  = cure of the first\nerror: second\n  = cure of the second")
    errors.DataErrors().raise_all()


@pytest.mark.parametrize(
    ("word", "options", "hint"),
    [
        ("hiden_size", ["hidden_size", "num_layers"], "did you mean 'hidden_size'?"),
        ("zebra", ["adam", "sgd"], "one of: adam, sgd"),
        ("zebra", [f"o{i}" for i in range(12)], "one of: " + ", ".join(f"o{i}" for i in range(12))),
        ("zebra", [f"o{i}" for i in range(13)], "one of: " + ", ".join(f"o{i}" for i in range(12)) + ", …"),
    ],
)
def test_a_hint_names_the_nearest_or_the_options(word, options, hint):
    assert errors.did_you_mean(word, iter(options)) == hint


def test_a_hint_forgives_upper_case():
    assert errors.did_you_mean("LSTM", ["rnn", "gru", "lstm"]) == "did you mean 'lstm'?"


def test_closest_is_none_where_nothing_is_near():
    assert errors.closest("abc", []) is None
    assert errors.closest("adm", ["sgd", "adam"]) == "adam"


def test_members_are_the_public_modules_of_a_folder(tmp_path, monkeypatch):
    folder = tmp_path / "zoo"
    (folder / "shared").mkdir(parents=True)
    for file in ("__init__.py", "_hidden.py", "shared/__init__.py"):
        (folder / file).write_text("")
    (folder / "yak.py").write_text('"""A yak.\n\nMore."""\nraise RuntimeError("summary() must not import")')
    (folder / "ant.py").write_text("LEGS = 6")
    monkeypatch.syspath_prepend(tmp_path)
    assert registry.names("zoo") == ("ant", "yak")
    assert registry.summary("zoo", "yak") == "A yak."
    assert registry.summary("zoo", "ant") == ""
    assert registry.load("zoo", "ant").LEGS == 6


@settings(deadline=None)
@given(PURPOSES, PURPOSES)
def test_seeds_differ_exactly_where_purposes_differ(one, other):
    assert 0 <= seed_of(*one) < 2**63
    assert (seed_of(*one) == seed_of(*other)) == (one == other)


def test_parts_of_a_purpose_do_not_run_together():
    rows = [np.array(list(part), dtype=np.int64) for part in ([1, 2], [3], [1], [2, 3])]
    purposes = [("ab", "c"), ("a", "bc"), ("1",), (1,), tuple(rows[:2]), tuple(rows[2:]), (), ("",)]
    assert len({seed_of(*purpose) for purpose in purposes}) == len(purposes)


def test_an_array_counts_by_its_content():
    rows = np.arange(10, dtype=np.int64)
    assert seed_of(rows[::2]) == seed_of(np.array([0, 2, 4, 6, 8])) == seed_of(rows[::2].astype(np.int32))
    assert seed_of(rows[::2]) != seed_of(rows[::2][::-1])


def test_a_seed_is_the_same_in_every_process():
    code = "import numpy; from tuner.seeds import seed_of; print(seed_of('trial', 7, numpy.arange(3)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                         env={"PYTHONHASHSEED": "123"})  # fmt: skip
    assert int(run.stdout) == seed_of("trial", 7, np.arange(3))


def test_a_seed_is_the_same_on_every_day():
    # a study that was started with another hash could not be gone on with
    assert seed_of("trial", 7, np.arange(3)) == 6189214117662637998


@pytest.mark.parametrize(
    ("error", "lack"),
    [
        (OSError(errno.EMFILE, "Too many open files", "data.csv"), "no more files may be open (ulimit -n): data.csv"),
        (OSError("Too many open files"), "no more files may be open (ulimit -n)"),
        (ImportError("libgomp.so.1: cannot open shared object file: Too many open files"), "no more files may be open"),
        (RuntimeError("can't start new thread"), "the machine allows no more processes or threads"),
        (
            RuntimeError("unable to allocate shared memory(shm) for file </torch_1>"),
            "there is no room in shared memory",
        ),
        (MemoryError(), "the machine has no more memory"),
        (ValueError("column 'notes': No space left on device"), None),
        (OSError(errno.ENOENT, "No such file or directory", "data.csv"), None),
    ],
)
def test_what_the_machine_lacks_is_told_from_a_fault_of_the_trial(error, lack):
    found = errors.lacking(error)
    assert found is lack if lack is None else found.startswith(lack)
