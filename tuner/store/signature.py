"""Signs headers with a key of the user: code that a study names runs only if this user has made the study."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from tuner.experiment.header import StudyHeader

LENGTH = 32  # bytes of a key
KEY = Path("tuner") / "study.key"  # in the folder of the user's data


def signature(header: StudyHeader) -> str | None:
    """The user's signature of a header; None if the user has no home directory for a key."""
    key = _key(make=True)
    return _signature(header, key) if key else None


def is_ours(header: StudyHeader) -> bool:
    """Whether this user has signed the header."""
    key, found = _key(make=False), header.signature
    return key is not None and found is not None and hmac.compare_digest(found, _signature(header, key))


def _signature(header: StudyHeader, key: bytes) -> str:
    return hmac.new(key, json.dumps(header.unsigned(), sort_keys=True).encode(), hashlib.sha256).hexdigest()


def _key(*, make: bool) -> bytes | None:
    with suppress(OSError, RuntimeError):  # the home directory is not readable, or missing
        home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
        path = Path(home) / KEY
        if make and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent) as new:  # complete before it gets its name
                new.write(secrets.token_bytes(LENGTH))
                new.flush()
                os.fsync(new.fileno())
                with suppress(FileExistsError):  # another search was faster
                    os.link(new.name, path)
        key = path.read_bytes()
        return key if len(key) == LENGTH else None
    return None
