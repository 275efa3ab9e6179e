"""The resources of this machine: processors, devices, memory."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence

import psutil
import torch
from rich.filesize import decimal

from tuner.errors import UsageError
from tuner.experiment.sections import Limits, size
from tuner.memory import memory
from tuner.training.fitting import MemoryBudget

UNITS = ("bytes", "KiB", "MiB", "GiB")
SIZE = rf"([\d.]+ (?:{'|'.join(UNITS)}))"
GPU_FULL = re.compile(  # torch.OutOfMemoryError
    rf"Tried to allocate {SIZE}.*total capacity of {SIZE}.*Of the allocated memory {SIZE} .*and {SIZE} is reserved"
)


def cores() -> int:
    """The number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_budget_of(limits: Limits, where: Sequence[str]) -> MemoryBudget:
    """The memory budget of all stacks on one device: `limits.memory`, else half of the free memory, and at most all of
    it."""
    if limits.memory:
        return MemoryBudget(size(limits.memory), limit=size(limits.memory))
    if where[0].startswith("cuda"):
        free, whole = (min(each) for each in zip(*map(torch.cuda.mem_get_info, where), strict=True))
    else:
        free, whole = memory()
    return MemoryBudget(free / 2, limit=free, whole=whole)


def too_much(needed: float, limit: float) -> str:
    """ "4.1 GB, and it may take 4.0 GB", with enough digits to distinguish the two."""
    texts = [[decimal(int(size), precision=digits) for size in (needed, limit)] for digits in (1, 2, 3, 6)]
    requested, allowed = next((pair for pair in texts if pair[0] != pair[1]), texts[-1])
    return f"{requested}, and it may take {allowed}"


def share_wanted(error: BaseException) -> float:
    """The share of the machine's (or GPU's) memory that this process would use if the failed allocation had succeeded;
    infinity if the error message does not say."""
    if found := re.search(r"tried to allocate (\d+) bytes", str(error)):  # torch's message for the machine's memory
        return share_of_memory(psutil.Process().memory_info().rss + float(found[1]))
    if found := GPU_FULL.search(str(error)):
        requested, whole, held, kept = (_bytes(text) for text in found.groups())
        return (requested + held + kept) / whole
    return math.inf


def share_of_memory(held: float) -> float:
    """Bytes, as a share of the memory of the machine."""
    return held / memory()[1]


def _bytes(text: str) -> float:
    """Parse a size such as "2.00 GiB"."""
    number, unit = text.split()
    return float(number) * 1024.0 ** UNITS.index(unit)


def default_workers(devices: Sequence[str]) -> int:
    """As many as there are cores, or one per GPU."""
    return cores() if list(devices) == ["cpu"] else len(devices)


def devices(device: str) -> list[str]:
    """The devices to distribute workers over.

    Raises `UsageError` for a device that is not available: it never falls back to the CPU."""
    if device == "auto":
        if torch.cuda.is_available():
            return [f"cuda:{i}" for i in range(torch.cuda.device_count())]
        return ["mps"] if torch.backends.mps.is_available() else ["cpu"]
    kind, _, index = device.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (index and (kind != "cuda" or not index.isdigit())):
        raise UsageError(f"unknown device '{device}'", "one of: auto, cpu, cuda, cuda:0, mps")
    count = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}[kind]
    if int(index or 0) >= count:
        without = kind == "cuda" and torch.version.cuda is None
        found = f"{count} of {kind}, counted from 0" if count else f"no {kind}"
        text = "this build of torch has no CUDA" if without else f"this machine has {found}"
        raise UsageError(f"--device {device}: {text}", "--device cpu, or auto")
    return [device]
