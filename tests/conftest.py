"""One finished study that many tests only read."""

import pytest
from helpers import search, write_space


@pytest.fixture(autouse=True)
def plain_surroundings(monkeypatch):
    """A test sees the same terminal wherever it runs."""
    for name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "PYTHONIOENCODING"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A finished TPE search over three outer folds; nobody may write to it."""
    folder = tmp_path_factory.mktemp("finished")
    study = folder / "study.db"
    search(write_space(folder), study)
    return study
