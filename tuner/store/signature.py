"""Signs headers with a key of the user: code that a study names runs only if this user has made the study."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

SIGNATURE = "signature"
LENGTH = 32  # bytes of a key
KEY = Path("tuner") / "study.key"  # in the folder of the user's data


def signed(header: Mapping[str, Any]) -> dict[str, Any]:
    """The header with its signature; without one where there is no home for a key."""
    key = _key(make=True)
    bare = {name: value for name, value in header.items() if name != SIGNATURE}
    return {**bare, SIGNATURE: key and _signature(bare, key)}


def is_ours(header: Mapping[str, Any]) -> bool:
    """Whether this user has signed it."""
    key, said = _key(make=False), header.get(SIGNATURE)
    bare = {name: value for name, value in header.items() if name != SIGNATURE}
    return key is not None and isinstance(said, str) and hmac.compare_digest(said, _signature(bare, key))


def _signature(header: Mapping[str, Any], key: bytes) -> str:
    return hmac.new(key, json.dumps(header, sort_keys=True).encode(), hashlib.sha256).hexdigest()


def _key(*, make: bool) -> bytes | None:
    with suppress(OSError, RuntimeError):  # a home that is closed, or none
        home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
        path = Path(home) / KEY
        if make and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent) as new:  # whole before it has its name
                new.write(secrets.token_bytes(LENGTH))
                new.flush()
                os.fsync(new.fileno())
                with suppress(FileExistsError):  # another search was faster
                    os.link(new.name, path)
        key = path.read_bytes()
        return key if len(key) == LENGTH else None
    return None
