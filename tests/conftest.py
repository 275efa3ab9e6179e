"""One finished study that many tests only read."""

import os

import pytest
from helpers import search, write_space

for _name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "PYTHONIOENCODING"):  # the same terminal wherever tests run
    os.environ.pop(_name, None)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A finished TPE search over three outer folds; nobody may write to it."""
    folder = tmp_path_factory.mktemp("finished")
    study = folder / "study.db"
    search(write_space(folder), study)
    return study
