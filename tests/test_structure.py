"""The shape of the source: imports only point down, files and functions stay small, members keep their contract."""

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

import tuner
from tuner import registry
from tuner.data.inputs import Layout
from tuner.data.settings import DatasetSettings
from tuner.data.target import Task
from tuner.experiment.settings import Settings, complaint, name_of
from tuner.search.contract import MODELS, SOURCES

ROOT = Path(tuner.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
FLOORS = {
    "errors": -1,  # every file may raise them
    "escapes": 0, "process": 0, "registry": 0, "seeds": 0,
    "metrics": 1, "files": 1, "memory": 1,
    "experiment": 2,
    "data": 3, "store": 3, "lock": 3,
    "models": 4, "sources": 4,
    "training": 5,
    "search": 6, "report": 6,
    "cli": 7, "__main__": 7, "__init__": 1,
}  # fmt: skip


def module_name(path):
    """tuner/experiment/space.py → tuner.experiment.space."""
    parts = ["tuner", *path.relative_to(ROOT).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 2 else parts)


NAMES = {module_name(path) for path in FILES}


def imported(path):
    """The tuner modules that a file imports anywhere: at its top, inside functions, for types only."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "tuner")
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import hides its floor"
            if node.module.split(".")[0] == "tuner":
                for alias in node.names:
                    inner = f"{node.module}.{alias.name}"
                    yield inner if inner in NAMES else node.module


def unit(name):
    """The folder or top-level file that a module belongs to."""
    return name.split(".")[1] if "." in name else "__init__"


def test_every_folder_has_a_floor():
    assert {unit(name) for name in NAMES} == set(FLOORS)


def test_imports_only_point_down():
    for path in FILES:
        here = unit(module_name(path))
        for name in imported(path):
            there = unit(name)
            fine = there == here or FLOORS[there] < FLOORS[here] or (here, there) == ("__main__", "cli")
            assert fine, f"{path}: {here} (floor {FLOORS[here]}) imports {name} (floor {FLOORS[there]})"


def test_the_reading_of_imports_sees_every_kind(tmp_path):
    file = tmp_path / "x.py"
    file.write_text(
        "import tuner.cli.app\nfrom tuner import store\nfrom tuner.report.tables import x\nimport os\n"
        "if TYPE_CHECKING:\n    from tuner.search import prepare\ndef f():\n    from tuner.models import mlp as m\n"
    )
    found = {"tuner.cli.app", "tuner.store", "tuner.report.tables", "tuner.search.prepare", "tuner.models.mlp"}
    assert set(imported(file)) == found


SET = (
    r"os\.environ\[[^]]+\] =|environ\.(?:setdefault|update)|field_size_limit|set_num_threads\(|set_verbosity\(|gc\.set_"
)
ELSEWHERE = {"tuner/process.py", "tuner/search/child.py"}  # a child takes over the driver's environment


def test_the_state_of_the_process_is_set_in_one_file():
    setting = {str(path.relative_to(ROOT.parent)) for path in FILES if re.search(SET, path.read_text("utf-8"))}
    assert setting == ELSEWHERE


def test_files_and_functions_stay_small():
    for path in FILES:
        text = path.read_text("utf-8")
        assert len(text.splitlines()) <= 350, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno - node.lineno + 1 <= 60, f"{path}: {node.name} is too long"


def parameters(function):
    """How many a function has, without self."""
    own = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
    return len(own) - (own[:1] in (["self"], ["cls"]))


def test_more_than_five_parameters_have_a_reason():
    for path in FILES:
        text = path.read_text("utf-8")
        lines = text.splitlines()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and parameters(node) > 5 and node.name != "command":  # Typer's options
                assert lines[node.lineno - 2].lstrip().startswith("# parameters: "), f"{path}:{node.lineno} {node.name}"


def test_every_public_module_says_what_it_is_for():
    for path in (each for each in FILES if not each.stem.startswith("_") or each.stem == "__init__"):
        doc = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
        assert doc.partition("\n")[0].strip(), path


@pytest.mark.parametrize("name", registry.names(MODELS))
def test_a_model_keeps_its_contract(name):
    module = registry.load(MODELS, name)
    assert registry.summary(MODELS, name).endswith((".", ")")) or ":" in registry.summary(MODELS, name)
    assert name_of(module.Settings) == name
    assert callable(module.build)
    assert module.LAYOUTS
    assert set(module.LAYOUTS) <= set(get_args(Layout))
    assert module.TASKS
    assert set(module.TASKS) <= set(get_args(Task))


@pytest.mark.parametrize("name", registry.names(SOURCES))
def test_a_source_keeps_its_contract(name):
    module = registry.load(SOURCES, name)
    assert registry.summary(SOURCES, name)
    assert issubclass(module.Settings, DatasetSettings)
    assert name_of(module.Settings) == name
    assert callable(module.load)


def all_settings(cls=Settings):
    """Every settings class of the package."""
    for sub in cls.__subclasses__():
        if sub.__module__.startswith("tuner."):
            yield sub
        yield from all_settings(sub)


for info in pkgutil.walk_packages(tuner.__path__, "tuner."):
    if info.name != "tuner.__main__":
        importlib.import_module(info.name)
FIELDS = sorted(
    {(c, n) for c in all_settings() for n in c.model_fields if n != "name"},
    key=lambda f: (f[0].__module__, f[0].__name__, f[1]),
)


def test_every_setting_is_described_and_its_default_is_allowed():
    for cls, name in FIELDS:
        field, what = cls.model_fields[name], f"{cls.__module__}.{cls.__name__}.{name}"
        assert field.description, what
        assert field.description == field.description.strip(), what
        if not field.is_required() and not isinstance(field.default, Settings):
            assert complaint(cls, name, field.default) is None, what


def test_alternatives_are_told_apart_by_their_names():
    for cls in all_settings():
        if "name" in cls.model_fields and name_of(cls):
            assert cls.model_fields["name"].default == get_args(cls.model_fields["name"].annotation)[0]


def loaded(*arguments, folder):
    """What a command loads: the modules, and how it ended."""
    command = [sys.executable, "-X", "importtime", "-m", "tuner", *arguments]
    run = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    modules = {line.rpartition("|")[2].strip() for line in run.stderr.splitlines() if line.startswith("import time:")}
    return modules, run


@pytest.mark.parametrize("arguments", [["--help"], ["search", "--help"], ["report", "--help"], ["check", "--help"]])
def test_help_loads_nothing_heavy(arguments, tmp_path):
    modules, run = loaded(*arguments, folder=tmp_path)
    assert run.returncode == 0
    assert "tuner.cli.app" in modules
    assert not modules & {"torch", "optuna", "sklearn", "scipy", "pandas", "numpy"}


def test_report_never_loads_torch(finished, tmp_path):
    modules, run = loaded("report", str(finished), folder=tmp_path)
    assert run.returncode == 0
    assert "tuner.report.results" in modules
    assert not modules & {"torch", "optuna", "sklearn", "pandas"}


def test_a_wrong_study_is_told_without_torch(tmp_path):
    modules, run = loaded("report", "nothing.db", folder=tmp_path)
    assert run.returncode != 0
    assert "torch" not in modules
    assert list(tmp_path.iterdir()) == []
