"""The place of a setting in an experiment, and its declaration in a class."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from tuner.experiment.settings import Settings
from tuner.experiment.space import Condition, Value

EVERYWHERE = Condition()


@dataclass(frozen=True)
class Place:
    """A setting's path in the file, its path in the settings tree (without the names of branches), and the condition
    under which it exists."""

    path: str
    target: str
    condition: Condition = EVERYWHERE

    @classmethod
    def of(cls, section: str) -> Place:
        """The place of a section."""
        return cls(section, section)

    def __truediv__(self, name: str) -> Place:
        """The place of a setting inside."""
        return replace(self, path=joined(self.path, name), target=joined(self.target, name))

    def under(self, selector: str, option: str) -> Place:
        """The same place, under the condition that the parameter `selector` chooses an option."""
        return replace(self, condition=self.condition.under(selector, option))


@dataclass(frozen=True)
class Declared:
    """A setting as its class declares it."""

    cls: type[Settings]
    name: str

    @property
    def field(self) -> FieldInfo:
        """Its type, bounds, default and description."""
        return self.cls.model_fields[self.name]

    @property
    def default(self) -> Value:
        """Its default; None where it has none."""
        default = self.field.get_default()
        return None if default is PydanticUndefined else default


def joined(path: str, name: str) -> str:
    """The path of a setting in the settings at `path`."""
    return f"{path}.{name}" if path else name
