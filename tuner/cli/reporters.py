"""Reports the progress of a search: a live view, lines, JSON or nothing on standard output; and a log file."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path
from shlex import quote
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from tuner.cli.console import Output, console, error_text, not_written
from tuner.cli.json_lines import JsonLines
from tuner.cli.lines import Lines
from tuner.cli.signals import exit_code
from tuner.errors import LimitReached, StorageError, TunerError
from tuner.escapes import visible
from tuner.files import check_output

if TYPE_CHECKING:
    from tuner.report.results import Results
    from tuner.search.events import Event
    from tuner.search.options import SearchOptions
    from tuner.search.prepare import Prepared

LOG_BYTES, LOG_FILES = 5_000_000, 4  # a log is rotated at this size, and as many old ones are kept


@dataclass(frozen=True)
class SearchStart:
    """A search is about to begin."""

    prepared: Prepared
    options: SearchOptions

    @property
    def name(self) -> str:
        """The name of the study."""
        return self.options.name or self.prepared.experiment.name


@dataclass(frozen=True)
class SearchEnd:
    """A search has ended, for any reason; `line` is its result in one line."""

    code: int
    reason: str | None
    line: str
    results: Results | None


class Reporter(Protocol):
    """Reports the events of a search somewhere."""

    def begin(self, begun: SearchStart) -> None: ...
    def handle(self, event: Event) -> None: ...
    def end(self, ended: SearchEnd) -> None: ...


class Reporters:
    """All reporters of one search. They also report its end, for any reason."""

    def __init__(self, *, quiet: bool, json: bool, log: Path | None, kept: Sequence[Path] = ()) -> None:
        """`kept`: files that the log must not overwrite."""
        if log:
            _check_log(log, kept)
        self._path = log
        self._file, self._output = _log_file(log) if log else None, Output()
        self._log = logging.Logger("tuner") if log else None
        if self._log and self._file:
            self._log.addHandler(self._file)
        self._listening = self._listeners(quiet, json)
        prints = io.StringIO() if quiet else sys.stderr if json else sys.stdout
        self._aside = redirect_stdout(prints)  # output of a model must not mix with JSON lines, or appear with --quiet
        self._begun: SearchStart | None = None

    def _listeners(self, quiet: bool, json: bool) -> list[Reporter]:
        found: list[Reporter] = [Lines(self._log.info)] if self._log else []
        if json:
            found.append(JsonLines(self._output.say))
        elif not quiet:
            to = console()
            if to.is_terminal:
                from tuner.cli.live import Live

                found.append(Live(to))
            else:
                found.append(Lines(self._output.say))
        return found

    def __enter__(self) -> Reporters:
        self._aside.__enter__()
        return self

    def begin(self, prepared: Prepared, options: SearchOptions) -> None:
        """Report that the search begins."""
        if self._path:
            self._check_log(self._path, prepared)
        self._begun = SearchStart(prepared, options)
        for each in self._listening:
            each.begin(self._begun)

    def _check_log(self, log: Path, prepared: Prepared) -> None:
        """Refuse a log that the experiment reads, before anything is written into it."""
        try:
            _check_log(log, prepared.reads)
        except StorageError:
            self._log = None
            raise

    def handle(self, event: Event) -> None:
        """Report an event."""
        for each in self._listening:
            each.handle(event)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._aside.__exit__(kind, error, trace)
        if self._log and error is not None:
            if isinstance(error, LimitReached):  # which the user has set
                self._log.info("stopped: %s", error.message)
            else:
                self._log.error(error_text(error) if isinstance(error, TunerError) else str(error) or repr(error))
        if self._begun:
            ended = _ended(self._begun, error)
            for each in self._listening:
                with suppress(OSError):  # a closed terminal must not change how the search ends
                    each.end(ended)
        if self._file:
            with suppress(OSError):
                self._file.close()
            if error is None and isinstance(self._file.trouble, OSError):
                reason = self._file.trouble.strerror
                raise StorageError(
                    f"{self._file.baseFilename} cannot be written: {reason}", "free disk space, or name another --log"
                )
        if error is None and self._output.trouble:
            raise not_written(self._output.trouble)


def _ended(begun: SearchStart, error: BaseException | None) -> SearchEnd:
    from tuner.report.results import load
    from tuner.report.words import summary

    try:
        results: Results | None = load(begun.options.study, begun.name)
    except TunerError:
        results = None
    result = summary(results) if results else f"{begun.name}: nothing is saved"
    if error is None:
        which = f" --name {quote(begun.name)}" if results and results.others else ""
        return SearchEnd(0, None, f"{result}; tuner report {quote(str(begun.options.study))}{which}", results)
    reason = error.message if isinstance(error, TunerError) else str(error)
    return SearchEnd(exit_code(error), reason, f"{result} ({reason})", results)


class _LogFile(RotatingFileHandler):
    """The log file. If it can no longer be written, as on a full disk, the search goes on and says so at its end."""

    trouble: BaseException | None = None

    def format(self, record: logging.LogRecord) -> str:
        return visible(super().format(record))

    def handleError(self, record: logging.LogRecord) -> None:
        self.trouble = sys.exc_info()[1]


def _check_log(log: Path, kept: Sequence[Path]) -> None:
    """Refuse a log that is one of the files `kept`, or would be moved over one when it is full."""
    if not log.name:
        raise StorageError(f"'{log}' is not the name of a file", "name another --log")
    for path in (log, *(log.with_name(f"{log.name}.{number}") for number in range(1, LOG_FILES + 1))):
        check_output(path, "--log", *kept)


def _log_file(path: Path) -> _LogFile:
    try:
        handler = _LogFile(path, maxBytes=LOG_BYTES, backupCount=LOG_FILES, encoding="utf-8",
                           errors="backslashreplace")  # fmt: skip
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}", "name another --log") from error
    handler.setFormatter(logging.Formatter("%(asctime)s [%(process)d] %(levelname)s %(message)s"))
    return handler
