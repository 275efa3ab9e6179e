"""Data sets that a library fetches by name and caches; its errors become one sentence."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Any, TypeVar

from tuner.errors import DataError

Fetched = TypeVar("Fetched")


def fetched(fetch: Callable[[], Fetched], what: str, cache: str, hint: str, key: str) -> tuple[Fetched, list[str]]:
    """What `fetch` gives from a cache or the net, and its warnings; `hint` is the command that fills the cache.

    Raises `DataError`."""
    before = logging.root.manager.disable
    try:
        logging.disable(logging.WARNING)  # each of the library's attempts
        with warnings.catch_warnings(record=True) as caught, redirect_stdout(sys.stderr):
            warnings.simplefilter("always")
            return fetch(), [" ".join(str(each.message).split()) for each in caught]
    except DataError:
        raise
    except (OSError, TimeoutError) as error:
        text = f"{what} is not in {cache}, and cannot be fetched: {_short(error)}"
        raise DataError(text, f"run once with the net: {hint}", key) from error
    except Exception as error:  # of a library that reads a damaged cache, or an answer that it did not expect
        raise DataError(f"{what} cannot be read: {type(error).__name__}: {_short(error)}", None, key) from error
    finally:
        logging.disable(before)


def bunch_of(name: str, **how: Any) -> Any:
    """The result of scikit-learn's `fetch_NAME`. Raises `DataError`."""
    import sklearn.datasets  # takes a second: not for the settings alone

    fetch = getattr(sklearn.datasets, f"fetch_{name}")
    bunch, _ = fetched(
        lambda: fetch(**how, n_retries=1, delay=0.1),
        name,
        "scikit-learn's cache",
        f'python -c "from sklearn.datasets import fetch_{name} as f; f()"',
        "set",
    )
    return bunch


def _short(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:200]
