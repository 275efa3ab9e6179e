"""Runs the user's own models and loader in a separate process; the driver only receives descriptions of them."""

from __future__ import annotations

import io
import os
import pickle
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

from tuner.data.dataset import Dataset
from tuner.errors import DataError, LimitReached, NotTrusted, TimeIsOver, TunerError, UsageError, first_line, lacking
from tuner.escapes import visible
from tuner.experiment.own_arguments import described
from tuner.experiment.own_code import Code, UserCodeInfo, check_name
from tuner.experiment.settings import Settings
from tuner.search.budget import Budget
from tuner.search.child import KILLED, LAST, NO_ROOM, UNKNOWN, Child
from tuner.search.own_kinds import KINDS
from tuner.search.shared import Memory, Opened, SharedDataset, from_shared_memory, to_shared_memory
from tuner.sources.custom import loader as loaders

T = TypeVar("T")
PLAIN = "use plain numbers and texts"
ENDED = "it may call os._exit, crash in compiled code, or replace a part of Python"
IMPORTED = 300.0  # seconds to import, to build or to try a model on a few rows
LOADED = 3600.0  # seconds to load data
LONGEST_LINE = 2**16  # characters
PYTHON = ("builtins", "functools", "_operator", "types")
GENERIC = ("getitem", "or_")  # these make Literal["a"] and int | None
EXPECTED = ("annotated_types", "builtins", "functools", "numpy", "_operator", "pathlib", "pydantic", "pydantic_core",
            "tuner", "types", "typing")  # fmt: skip


class UserCode:
    """A process that imports and runs the user's code for this one, started when it is first needed.

    Output of the code goes to standard error, or is discarded if `quiet`. Calls have a timeout, and end with the time
    `budget`. Unless `trusted`, every call raises `NotTrusted`."""

    def __init__(
        self, folder: Path, budget: Budget | None = None, *, quiet: bool = False, trusted: bool = True
    ) -> None:
        self.budget = budget
        self._folder, self._quiet, self._trusted = folder.absolute(), quiet, trusted
        self._child: Child | None = None
        self._printing: threading.Thread | None = None
        self.known: dict[tuple[str, str], UserCodeInfo] = {}  # what was requested, by section and name
        self._loaded, self._given = Memory(), Memory()  # data from the process, and for it
        self._data: SharedDataset | None = None

    def __enter__(self) -> UserCode:
        return self

    def __exit__(self, *_: object) -> None:
        self.restart()

    def info(self, section: str, name: str) -> UserCodeInfo:
        """The description of the code `name` of a kind of `KINDS`. Raises `UsageError`."""
        if (section, name) not in self.known:
            kind = KINDS[section]
            check_name(name, kind.kind)
            code = self._call(name, IMPORTED, _describe, section, name, self._folder)
            self.known[section, name] = described(code, kind.base)
        return self.known[section, name]

    def load(self, name: str, settings: Settings) -> Dataset:
        """The data that the loader returns. Raises `DataError`."""
        try:
            there = self._call(name, LOADED, _load, name, self._folder, settings.model_dump())
        except UsageError as error:
            raise DataError(error.message, error.hint) from error
        return from_shared_memory(there, self._loaded)

    def with_data(self, what: str, dataset: Dataset, function: Callable[..., T], *arguments: Any) -> T:
        """Call `function(dataset, *arguments)` in the process.

        Args:
            what: name of the user's code, for errors.
            dataset: copied to the process on the first call; the same in all calls.
            function: importable function.
            arguments: passed to the function.

        Returns:
            Its result.

        Raises:
            UsageError: the code fails, ends the process, or runs longer than `IMPORTED` seconds.
            LimitReached: the process was killed, for example for lack of memory.
            TimeIsOver: the time limit of the run was reached.
            NotTrusted: the study is not trusted.
        """
        if self._data is None:
            self._data = to_shared_memory(dataset, self._given)
        found: T = self._call(what, IMPORTED, _with_data, self._data, function, *arguments)
        return found

    def restart(self) -> None:
        """End the process; the next call begins another, with the same data."""
        if self._child is not None:
            self._end(self._child)

    def _call(self, what: str, limit: float, function: Callable[..., T], *arguments: Any, repeated: bool = False) -> T:
        """Call the function in the process. Raises its errors, `UsageError` if it ends the process or takes too long,
        and `TimeIsOver`."""
        if not self._trusted:
            text = f"the study was not made by you on this machine, and names code that would run: {what}"
            raise NotTrusted(text, f"use --trust if you trust the study and the code in {self._folder}")
        left = self.budget.left if self.budget else None
        child = self._child = self._child or self._start()
        try:
            child.pipe.send((function, arguments))
            packed = child.answer(limit if left is None else min(limit, left))
            value: Any
            value, error, details = _read(packed)
        except TimeoutError as late:
            self._end(child)
            if left is not None and left < limit:
                raise TimeIsOver(f"the time limit was reached while {what} ran") from late
            raise UsageError(f"{what} did not finish within {limit:g} s, and was stopped", "fix it") from late
        except (EOFError, OSError) as died:
            if (how := self._end(child, LAST)) == UNKNOWN and not repeated:
                return self._call(what, limit, function, *arguments, repeated=True)
            if how == "SIGKILL":
                raise LimitReached(f"the process that runs {what} was killed ({how}): {NO_ROOM}") from died
            if how == KILLED:
                raise UsageError(f"{what} {how}, and was stopped", ENDED) from died
            raise UsageError(f"{what} ended its process ({how})", ENDED) from died
        if error is not None:
            raise error from _RemoteTraceback(details)
        found: T = value
        return found

    def _start(self) -> Child:
        reading, writing = os.pipe()
        self._printing = threading.Thread(target=_forward, args=(reading, self._quiet), daemon=True)
        self._printing.start()
        child = Child.start(_serve, Opened(writing), self._loaded, self._given)
        try:
            child.answer()
        except (EOFError, OSError):
            raise child.died("was to run the user's code") from None
        return child

    def _end(self, child: Child, patience: float = 0.0) -> str:
        """End the process; returns how it ended."""
        how, self._child = child.ended(patience), None
        child.pipe.close()
        if self._printing is not None:
            self._printing.join(1.0)  # a process that the code has started may hold the other end
        return how


class _RemoteTraceback(Exception):
    """The traceback of an error in the other process, for --debug."""


class _Unpickler(pickle.Unpickler):
    """Reads plain values: an object of the user's own would import their code here. A guard against accidents only."""

    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] not in EXPECTED:
            raise UsageError(f"the user's code returned an object of type {module}.{name}", PLAIN)
        found = super().find_class(module, name)
        if module in PYTHON and not isinstance(found, type) and name not in GENERIC:  # as exec
            raise UsageError(f"the user's code returned {module}.{name}", PLAIN)
        return found


def _read(packed: bytes) -> tuple[Any, TunerError | None, str]:
    """The value, error and traceback that were sent. Raises `EOFError` if they cannot be read."""
    answer: tuple[Any, TunerError | None, str]
    try:
        answer = _Unpickler(io.BytesIO(packed)).load()
        if len(answer) == 3:
            return answer
    except TunerError:
        raise
    except Exception as error:
        raise EOFError from error
    raise EOFError


def _forward(descriptor: int, quiet: bool) -> None:
    """Copy the output of the process to standard error."""
    with open(descriptor, errors="replace") as lines:
        for line in iter(partial(lines.readline, LONGEST_LINE), ""):  # output may have no line break
            if not quiet:
                with suppress(OSError):
                    print(visible(line), end="", file=sys.stderr, flush=True)


class _Data:
    """In the child: the data that it loads, and the data that it receives."""

    def __init__(self, loaded: Memory, given: Memory) -> None:
        self._loaded, self._given = loaded, given
        self._read: Dataset | None = None

    def keep(self, dataset: Dataset) -> SharedDataset:
        """Copy loaded data into the memory that the driver reads."""
        return to_shared_memory(dataset, self._loaded)

    def given(self, where: SharedDataset) -> Dataset:
        """The data that the driver has shared."""
        if self._read is None:
            self._read = from_shared_memory(where, self._given)
        return self._read


def _serve(pipe: Connection, output: Opened, loaded: Memory, given: Memory) -> None:
    """In the child: functions in, values or errors out, until the driver is gone."""
    for stream in (1, 2):
        os.dup2(output.descriptor, stream)
    sys.stdout, sys.stderr = (
        os.fdopen(stream, "w", buffering=1, errors="backslashreplace", closefd=False) for stream in (1, 2)
    )
    process, data = os.getpid(), _Data(loaded, given)
    pipe.send(None)  # it has begun
    while True:
        try:
            function, arguments = pipe.recv()
        except EOFError:
            return
        answer: tuple[Any, TunerError | None, str]
        try:
            answer = (function(data, *arguments), None, "")
        except TunerError as error:
            answer = (None, error, traceback.format_exc())
        except BaseException as error:
            lack = lacking(error)
            fault = UsageError(f"it raised {first_line(error)}", "fix the error in your code")
            answer = (None, LimitReached(lack) if lack else fault, traceback.format_exc())
        if os.getpid() != process:
            os._exit(0)  # the user's code forked: exit in the copy, the original sends the answer
        pipe.send(_packed(answer))


def _packed(answer: tuple[Any, TunerError | None, str]) -> bytes:
    try:
        return pickle.dumps(answer)
    except Exception as error:
        fault = UsageError(f"it returned a value that cannot be sent between processes: {first_line(error)}", PLAIN)
        return pickle.dumps((None, fault, ""))


def _describe(data: _Data, section: str, name: str, folder: Path) -> Code:
    return KINDS[section].load(name, folder).code


def _load(data: _Data, name: str, folder: Path, values: dict[str, Any]) -> SharedDataset:
    loader = loaders.load(name, folder)
    return data.keep(loader.load(loader.Settings.model_validate(values), folder))


def _with_data(data: _Data, where: SharedDataset, function: Callable[..., T], *arguments: Any) -> T:
    found: T = function(data.given(where), *arguments)
    return found
