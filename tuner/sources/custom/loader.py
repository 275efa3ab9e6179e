"""The user's own loader: `my_data.py:load` beside the experiment file, or `package.module:function` that is installed.

Its annotated arguments become settings, like those of the user's own models. An argument called `folder` receives the
folder of the experiment file. `tuner.sources.custom.returned` lists what it may return. It runs once, in a separate
process; workers receive the arrays.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from tuner.data.dataset import Dataset
from tuner.errors import DataError, TunerError
from tuner.experiment.own_arguments import code_of, described
from tuner.experiment.own_code import Kind, UserCodeInfo, failed, find_object, reaching, root_of
from tuner.experiment.settings import Settings as BaseSettings
from tuner.sources.custom.returned import as_dataset
from tuner.sources.table import ColumnSettings, Names

LOADER = Kind(
    section="dataset",
    word="FUNCTION",
    what="function",
    fits=inspect.isfunction,
    handed_in=("folder",),
    despite_default=("folder",),
    declared=True,
    required="it is an argument of the function without a default: give it in the file",
    unclear="has neither an annotation nor a default",
)


class LoaderSettings(ColumnSettings):
    """The settings of every loader, beside its own arguments."""

    reads: ClassVar[tuple[str, ...]] = ()  # what the function reads is not known, so nothing of it can be cached
    inherited: ClassVar = {"weights_for": {}}  # the function may return weights
    target: Names | None = Field(None, description="of a DataFrame: the column to predict, or several")


@dataclass(frozen=True)
class Loader(UserCodeInfo):
    """The user's function; it exists only in a process that may run the user's code."""

    function: Callable[..., Any]
    root: Path

    def load(self, settings: BaseSettings, folder: Path) -> Dataset:
        """Call it. Raises `DataError` if it fails, or returns something that is not data."""
        assert isinstance(settings, LoaderSettings)
        given: dict[str, Any] = settings.model_dump(exclude={"name", *LoaderSettings.model_fields})
        given |= dict.fromkeys(self.code.handed_in, folder.resolve())
        try:
            with reaching(self.root):
                returned = self.function(**given)
                return as_dataset(returned, settings, self.code.name)
        except TunerError:
            raise
        except BaseException as error:  # KeyboardInterrupt is the function's own: nobody else sends it here
            raise DataError(*failed(self.code.name, error)) from error


def load(name: str, folder: Path) -> Loader:
    """The function that `name` means, from `folder` or the installed packages: runs the user's code. Raises
    `UsageError`."""
    return _load(name, folder.resolve())


@cache
def _load(name: str, folder: Path) -> Loader:
    code = find_object(name, folder, LOADER)
    own = described(code_of(name, code, LOADER, LoaderSettings), LoaderSettings)
    return Loader(own.code, own.Settings, code.target, root_of(name, folder))
