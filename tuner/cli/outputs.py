"""Writes the files that `--output` names. Files that the study uses are never overwritten."""

from __future__ import annotations

from pathlib import Path

from tuner.errors import StorageError
from tuner.experiment.header import StudyHeader
from tuner.files import check_output, write_atomically
from tuner.lock import files_of


def write(output: Path, text: str, study: Path, header: StudyHeader) -> None:
    """Write the text: atomically to a file, directly to a pipe or a device."""
    check_output(output, "--output", *files_of(study), *map(Path, header.reads))
    try:
        if output.exists() and not output.is_file() and not output.is_dir():
            output.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")
        else:
            write_atomically(output, lambda new: new.write_text(f"{text}\n", "utf-8", "backslashreplace"))
    except OSError as error:
        raise StorageError(f"{output} cannot be written: {error.strerror}", "name another --output") from error
