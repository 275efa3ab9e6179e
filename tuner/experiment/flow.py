"""A value as YAML in one line, as a hint or `tuner data` prints it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML


def flow(value: Any) -> str:
    """A value as YAML in one line: a mapping in braces, a list in brackets, a text in quotes where it needs them."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    return value if isinstance(value, str) and _is_plain(value) else json.dumps(value, ensure_ascii=False)


def _is_plain(text: str) -> bool:
    """Whether a text needs no quotes: it has no sign of YAML's, and is not read as a number, a date, true or null."""
    return bool(re.fullmatch(r"[\w./…][\w./ :…-]*", text)) and YAML(typ="safe").load(text) == text
