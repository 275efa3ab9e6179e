"""What every torture test asks of a command: the right exit code, an `error:` with its cure, and nothing else."""

import ctypes
import os
import re
import resource
import subprocess

from helpers import command

DAC_OVERRIDE, DAC_READ_SEARCH, PR_CAPBSET_DROP = 1, 2, 24


def survived(code, out, err, expected):
    """Assert that the command ended as it should; returns what it said on standard error."""
    said = out + err
    assert code == expected, said
    assert "Traceback" not in said
    assert "a bug in tuner" not in said
    if expected in (2, 4, 5, 75):
        assert re.search(r"\berror: \S", err), said
        assert "error:" not in out
    return err


def real(*args, cwd, expected=0, env=None, before=None, timeout=120, **more):
    """The real command, as cron would run it; returns (standard output, standard error)."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, **more}
    done = subprocess.run(command(*args), cwd=cwd, env=env, timeout=timeout, preexec_fn=before, **streams)
    out, err = ((stream or b"").decode("utf-8", "replace") for stream in (done.stdout, done.stderr))
    survived(done.returncode, out, err, expected)
    return out, err


def without_privileges():
    """Root may write everywhere; a command started so may not. For others it changes nothing."""
    for capability in (DAC_OVERRIDE, DAC_READ_SEARCH):
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def files_up_to(size):
    """As a full disk: no file of the command grows beyond `size` bytes."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def surroundings(**changes):
    """The environment with changes; None takes a name out."""
    return {key: value for key, value in {**os.environ, **changes}.items() if value is not None}
