"""What this machine has: processors, devices, memory."""

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
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def room_of(limits: Limits, where: Sequence[str]) -> MemoryBudget:
    """What the stacks on one device may take together: `limits.memory`; else half of what is free, at most all."""
    if limits.memory:
        return MemoryBudget(size(limits.memory), most=size(limits.memory))
    if where[0].startswith("cuda"):
        free, whole = (min(each) for each in zip(*map(torch.cuda.mem_get_info, where), strict=True))
    else:
        free, whole = memory()
    return MemoryBudget(free / 2, most=free, whole=whole)


def too_much(needed: float, most: float) -> str:
    """ "4.1 GB, and it may take 4.0 GB", with as many digits as tell them apart."""
    texts = [[decimal(int(size), precision=digits) for size in (needed, most)] for digits in (1, 2, 3, 6)]
    requested, allowed = next((pair for pair in texts if pair[0] != pair[1]), texts[-1])
    return f"{requested}, and it may take {allowed}"


def share_wanted(error: BaseException) -> float:
    """The share of all memory that this process would hold, if it had been given what it asked for: of the machine, or
    of the GPU where that had none left; infinity if the error does not tell."""
    if found := re.search(r"tried to allocate (\d+) bytes", str(error)):  # as torch says of the machine's own memory
        return share_of_memory(psutil.Process().memory_info().rss + float(found[1]))
    if found := GPU_FULL.search(str(error)):
        requested, whole, held, kept = (_bytes(text) for text in found.groups())
        return (requested + held + kept) / whole
    return math.inf


def share_of_memory(held: float) -> float:
    """Bytes, as a share of the memory of the machine."""
    return held / memory()[1]


def _bytes(text: str) -> float:
    """The bytes that are written "2.00 GiB"."""
    number, unit = text.split()
    return float(number) * 1024.0 ** UNITS.index(unit)


def devices(wish: str) -> list[str]:
    """The devices that workers are spread over; asked for and absent is an error, never silently the CPU."""
    if wish == "auto":
        if torch.cuda.is_available():
            return [f"cuda:{i}" for i in range(torch.cuda.device_count())]
        return ["mps"] if torch.backends.mps.is_available() else ["cpu"]
    kind, _, index = wish.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (index and (kind != "cuda" or not index.isdigit())):
        raise UsageError(f"unknown device '{wish}'", "one of: auto, cpu, cuda, cuda:0, mps")
    count = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available())}[kind]
    if int(index or 0) >= count:
        found = f"{count} of {kind}, counted from 0" if count else f"no {kind}"
        raise UsageError(f"--device {wish}: this machine has {found}", "--device cpu, or auto")
    return [wish]
