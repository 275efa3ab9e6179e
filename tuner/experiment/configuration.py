"""One configuration: every setting of a model and of its training with one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ConfigDict


@dataclass(frozen=True)
class Configuration:
    """Settings as plain values, as JSON has them; a nested section is a mapping."""

    __pydantic_config__ = ConfigDict(extra="forbid")
    model: Mapping[str, Any]
    training: Mapping[str, Any]

    @property
    def epochs(self) -> int:
        """The largest number of epochs to train."""
        return int(self.training["epochs"])

    @property
    def patience(self) -> int | None:
        """The patience of early stopping; None without early stopping."""
        stopping = self.training.get("early_stopping")
        return stopping and int(stopping["patience"])

    def get(self, path: str) -> Any:
        """The value at a path such as model.initialization.name, or None if there is none."""
        section, *keys = path.split(".")
        found: Any = getattr(self, section)
        for key in keys:
            found = found.get(key) if isinstance(found, Mapping) else None
        return found
