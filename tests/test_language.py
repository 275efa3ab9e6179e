"""The source speaks the field's language: words of its former private dialect do not come back."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import tuner
from tuner import errors
from tuner.errors import TunerError

FILES = sorted(Path(tuner.__file__).parent.rglob("*.py"))
FORMER = {  # a word, and what to write
    r"\bmend(s|ed)?\b": "fix, repair",
    r"\bmisfits?\b": "unused settings",
    r"\btwinned\b": "padded to a pair",
    r"\bby_heart\b": "score_training_rows",
    r"\bsurprise\b": "negative log-likelihood",
    r"\b_?Diary\b": "CurveRecorder",
    r"\bGauges?\b": "LayerMonitor",
    r"\bWishes\b": "SearchOptions",
    r"\bOutline\b": "MetaLanes",
    r"\bPace\b": "LearningRateSchedule",
    r"\bJudge\b": "StoppingRule",
    r"\bAudience\b": "Reporters",
    r"\bthe search itself saw\b": "inner cross-validation score",
    r"\bwhich is no\b": "which is not a",
    r"\bis no (loss|folder|number|image|shape|sequence|file|function|class)\b": "is not a",
    r"\bnobody knows\b": "is not known",
    r"\bcall it otherwise\b": "rename it",
    r"\b_?(cure|CURE)S?\b": "hint",
    r"\b_?doubts\b": "warnings",
    r"\b(HoldsLanes|Outlook|Rival|Misuse|Trouble)\b": "HasLaneState, Extrapolation, ComparedStudy, …",
    r"\bwish(ed|es)?\b": "requested",
    r"\b_?patiently\b": "wait while the file is locked",
    r"\bsurety\b": "confidence",
    r"\broom_of\b": "memory_budget_of",
}


@pytest.mark.parametrize("word", FORMER)
def test_former_words_are_gone(word):
    found = [f"{path.name}: {hit[0]}" for path in FILES for hit in re.finditer(word, path.read_text("utf-8"))]
    assert not found, f"write {FORMER[word]}: {found}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(Path(tuner.__file__).parent)))
def test_documented_arguments_exist(path):
    for function in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(function, ast.FunctionDef):
            arguments = {each.arg for each in ast.walk(function.args) if isinstance(each, ast.arg)}
            documented = set(_documented(ast.get_docstring(function) or ""))
            assert documented <= arguments, f"{function.name} documents {sorted(documented - arguments)}"


def _documented(docstring: str) -> Iterator[str]:
    """The names in the section Args of a docstring, one entry a line; continuation lines are indented further."""
    section = re.search(r"^Args:\n((?: +.*\n?)+)", inspect.cleandoc(docstring), re.MULTILINE)
    for names in re.findall(r"^    (\w[\w, ]*):", section[1] if section else "", re.MULTILINE):
        yield from names.split(", ")


DOCUMENTED = [path for path in FILES if path.parent.name != "cli"]  # whose docstrings are help texts
ERRORS = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, TunerError)}


@pytest.mark.parametrize("path", DOCUMENTED, ids=lambda path: str(path.relative_to(Path(tuner.__file__).parent)))
def test_public_functions_are_documented_and_say_what_they_raise(path):
    for name, function in _public(ast.parse(path.read_text("utf-8"))):
        text = ast.get_docstring(function)
        assert text or _is_stub(function), f"{name} has no docstring"
        raised = {
            each.exc.func.id
            for each in ast.walk(function)
            if isinstance(each, ast.Raise) and isinstance(each.exc, ast.Call) and isinstance(each.exc.func, ast.Name)
        }
        if raised & ERRORS:
            assert re.search("[Rr]aise|[Rr]efuse|into a `DataError`", text or ""), f"{name} raises {raised & ERRORS}"


def _public(tree: ast.Module | ast.ClassDef) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from _public(node)
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and node.name != "forward":
            yield node.name, node


def _is_stub(function: ast.FunctionDef) -> bool:
    """Whether it is a method of a protocol, whose body is `...`."""
    body = function.body[0]
    return isinstance(body, ast.Expr) and isinstance(body.value, ast.Constant) and body.value.value is ...
