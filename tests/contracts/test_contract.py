"""What a file in `tuner/models` or `tuner/sources` must define, and what is said of one that does not."""

import sys

import pytest

from tuner import registry
from tuner.errors import UsageError
from tuner.search.contract import CONTRACTS, MODELS, SOURCES, member

GOOD = {
    MODELS: '''"""Radial basis functions."""
from typing import Literal
from pydantic import Field
from tuner.experiment.settings import Settings as BaseSettings, used_when
LAYOUTS = ("flat",)
TASKS = ("regression",)
class Settings(BaseSettings):
    name: Literal["rbf"] = "rbf"
    centres: int = Field(3, description="how many")
def build(settings, shapes, lanes): ...
''',
    SOURCES: '''"""Files of LIBSVM."""
from typing import Literal
from tuner.data.settings import NumberSettings
class Settings(NumberSettings):
    name: Literal["svmlight"] = "svmlight"
def load(settings, folder): ...
''',
}
NAMES = {MODELS: "rbf", SOURCES: "svmlight"}
WRONG = [
    (MODELS, '"""Radial basis functions."""', "", "it has no docstring that says what it is"),
    (MODELS, 'TASKS = ("regression",)', "", "it does not define TASKS"),
    (MODELS, '("regression",)', '("regresion",)', "TASKS has 'regresion', which is not one of classification, multi"),
    (MODELS, '("flat",)', '"flat"', "LAYOUTS is not a tuple of words"),
    (MODELS, '("flat",)', "()", "LAYOUTS is not a tuple of words"),
    (
        MODELS,
        "build(settings, shapes, lanes)",
        "build(settings, shapes)",
        "build does not take (settings, shapes",
    ),
    (MODELS, "class Settings(BaseSettings)", "class Settings", "its Settings does not inherit from tuner.experiment"),
    (MODELS, 'Literal["rbf"] = "rbf"', 'str = "rb"', 'does not have the field name: Literal["rbf"] = "rbf"'),
    (MODELS, ', description="how many"', "", "the setting centres has no description"),
    (
        MODELS,
        '"how many"',
        '"how many", json_schema_extra=used_when(centers=(3,))',
        "used_when of centres names cent",
    ),
    (MODELS, "from typing", "import maths; from typing", "tuner.models.rbf cannot be imported: ModuleNotFoundError"),
    (SOURCES, "load(settings, folder)", "load(settings)", "load does not take (settings, folder)"),
    (SOURCES, '["svmlight"] = "svmlight"', '["svm"] = "svm"', 'the field name: Literal["svmlight"] = "svmlight"'),
]


def written(folder, monkeypatch, package, text):
    """Write the file into a new package, and load it as a model or source."""
    scratch = package.replace(".", "_")
    (folder / scratch).mkdir()
    (folder / scratch / "__init__.py").touch()
    (folder / scratch / f"{NAMES[package]}.py").write_text(text, "utf-8")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setitem(CONTRACTS, scratch, CONTRACTS[package])
    for module in (scratch, f"{scratch}.{NAMES[package]}"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    return member(scratch, NAMES[package])


@pytest.mark.parametrize("package", GOOD)
def test_a_good_file_keeps_the_contract(tmp_path, monkeypatch, package):
    assert written(tmp_path, monkeypatch, package, GOOD[package]).__doc__


@pytest.mark.parametrize(("package", "old", "new", "fault"), WRONG)
def test_a_file_that_breaks_the_contract_is_told_where(tmp_path, monkeypatch, package, old, new, fault):
    assert old in GOOD[package]
    with pytest.raises(UsageError) as caught:
        written(tmp_path, monkeypatch, package, GOOD[package].replace(old, new))
    assert fault.replace(f"{package}.", f"{package.replace('.', '_')}.") in caught.value.message


def test_all_faults_of_a_file_are_told_together(tmp_path, monkeypatch):
    text = GOOD[MODELS].replace('("flat",)', '("flatt",)').replace("settings, shapes, lanes", "settings")
    with pytest.raises(UsageError, match=r"LAYOUTS has 'flatt'.*; build does not take") as caught:
        written(tmp_path, monkeypatch, MODELS, text)
    assert caught.value.hint == "docs/extending.md says what such a file defines"


@pytest.mark.parametrize("package", CONTRACTS)
def test_every_member_keeps_the_contract(package):
    for name in registry.names(package):
        assert member(package, name)
