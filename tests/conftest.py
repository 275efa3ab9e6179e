"""What many tests begin with: one finished study that they only read, and a folder with somebody's own models."""

import os

import pytest
import torch
from helpers import search, write_space
from hypothesis import settings
from own_nets import NETS

from tuner.models import _own

settings.register_profile("repeatable", derandomize=True)  # to look for more: --hypothesis-profile default
settings.load_profile("repeatable")
torch.set_num_threads(1)  # as a worker does: more threads on so little work only wait for each other
for _name in ("COLUMNS", "NO_COLOR", "FORCE_COLOR", "PYTHONIOENCODING"):  # the same terminal wherever tests run
    os.environ.pop(_name, None)


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A finished TPE search over three outer folds; nobody may write to it."""
    folder = tmp_path_factory.mktemp("finished")
    study = folder / "study.db"
    search(write_space(folder), study)
    return study


@pytest.fixture
def folder(tmp_path):
    """Somebody's own models."""
    (tmp_path / "my_nets.py").write_text(NETS)
    (tmp_path / "helper_of_nets.py").write_text("WIDTH = 8\n")
    _own._load.cache_clear()
    return tmp_path
