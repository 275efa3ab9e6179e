"""The small language of `constraints` and `when`: arithmetic and comparisons over settings, read with `ast`."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.Not: operator.not_,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_WORDS = {"true": True, "false": False, "null": None}  # as YAML spells them


class ExpressionError(ValueError):
    """The text is not an expression of this language, or its operands do not fit."""


class Absent(Exception):
    """A setting that the expression names does not exist in this configuration."""


@dataclass(frozen=True)
class Expression:
    """A parsed expression; `names` are the settings that it reads, as paths."""

    text: str
    tree: ast.expr
    names: tuple[str, ...]

    def value(self, scope: Mapping[str, Any]) -> Any:
        """The value under `scope` (path → value). Raises `Absent` for a missing setting, `ExpressionError` for operands
        that do not fit."""
        try:
            return _evaluate(self.tree, scope)
        except (TypeError, ZeroDivisionError, OverflowError) as error:
            raise ExpressionError(f"'{self.text}' cannot be evaluated: {error}") from error

    def holds(self, scope: Mapping[str, Any], *, absent: bool) -> bool:
        """Whether it is true; `absent` is the result if it names a missing setting.

        An expression that cannot be evaluated (a division by zero) is false."""
        try:
            return bool(self.value(scope))
        except Absent:
            return absent
        except ExpressionError:
            return False


def parse(text: str) -> Expression:
    """Parse, refusing everything that is not a comparison, arithmetic, and/or/not, a name or a constant."""
    if len(text) > 1000:
        raise ExpressionError("an expression has at most 1,000 characters")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ExpressionError(f"'{text}' is not an expression: {getattr(error, 'msg', error)}") from error
    names: dict[str, None] = {}
    try:
        _check(tree, names)
        ast.unparse(tree)  # an expression too deep for this is too deep to evaluate
    except RecursionError as error:
        raise ExpressionError("an expression this deep cannot be read") from error
    return Expression(text, tree, tuple(names))


def _check(node: ast.expr, names: dict[str, None]) -> None:
    match node:
        case ast.Name(id=word) if word in _WORDS:
            pass
        case ast.Name() | ast.Attribute():
            names[_path(node)] = None
        case ast.Constant(value=bool() | int() | float() | str() | None):
            pass
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.BoolOp(values=parts):
            for part in parts:
                _check(part, names)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            _check(left, names)
            _check(right, names)
        case ast.UnaryOp(op=unary, operand=operand) if type(unary) in _UNARY:
            _check(operand, names)
        case ast.Compare(left=left, ops=ops, comparators=rest) if all(type(o) in _COMPARE for o in ops):
            for part in (left, *rest):
                _check(part, names)
        case _:
            raise ExpressionError(f"'{ast.unparse(node)}' is not allowed: only names, numbers, text, arithmetic, "
                                  "comparisons, in, and, or, not")  # fmt: skip


def _path(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_path(node.value)}.{node.attr}"
    raise ExpressionError(f"'{ast.unparse(node)}' is not the name of a setting")


def _evaluate(node: ast.expr, scope: Mapping[str, Any]) -> Any:
    match node:
        case ast.Name(id=word) if word in _WORDS:
            return _WORDS[word]
        case ast.Name() | ast.Attribute():
            path = _path(node)
            if path not in scope:
                raise Absent(path)
            return scope[path]
        case ast.Constant(value=value):
            return value
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            return [_evaluate(part, scope) for part in parts]
        case ast.BoolOp(op=ast.And(), values=parts):
            return all(_evaluate(part, scope) for part in parts)
        case ast.BoolOp(values=parts):
            return any(_evaluate(part, scope) for part in parts)
        case ast.BinOp(left=left, op=op, right=right):
            operands = _evaluate(left, scope), _evaluate(right, scope)
            if not all(isinstance(o, int | float) for o in operands):
                raise TypeError(f"arithmetic needs numbers, not {operands[0]!r} and {operands[1]!r}")
            return _BINARY[type(op)](*operands)
        case ast.UnaryOp(op=unary, operand=operand):
            return _UNARY[type(unary)](_evaluate(operand, scope))
        case ast.Compare(left=left, ops=ops, comparators=rest):
            before = _evaluate(left, scope)
            for comparison, part in zip(ops, rest, strict=True):  # stops early, as Python does
                after = _evaluate(part, scope)
                if not _compared(comparison, before, after):
                    return False
                before = after
            return True
    raise AssertionError(f"parse() lets no {type(node).__name__} through")


def _compared(comparison: ast.cmpop, left: Any, right: Any) -> bool:
    try:
        return _COMPARE[type(comparison)](left, right)
    except TypeError as error:
        raise TypeError(f"{left!r} cannot be compared with {right!r}") from error
