"""Optional interfaces of layers and models; the training loop checks for them with `isinstance`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor

from tuner.models.layers.readout import Lengths


@runtime_checkable
class Decoder(Protocol):
    """A model that makes its answer token by token. In training and for the loss it is given the true tokens before
    each step as `targets` (K, B, T): teacher forcing."""

    beam: int  # beginnings that are kept for each row

    def decode(self, source: Tensor, lengths: Tensor | None = None) -> Tensor:
        """The decoded tokens (K, B, T), without access to the targets."""


@runtime_checkable
class ReadsWholeBatch(Protocol):
    """A layer whose output for a row depends on the whole batch; `counts` (K, B) is 0 for padding rows. None: no
    padding."""

    counts: Tensor | None


@runtime_checkable
class ReadsSteps(Protocol):
    """A layer that reads neighbouring steps; `lengths` are how many steps of each row count. None: all."""

    lengths: Lengths | None


@runtime_checkable
class HasLaneState(Protocol):
    """A layer that holds something for each lane beside its parameters and buffers, such as a random stream."""

    def select(self, lanes: Sequence[int]) -> None:
        """Keep only these lanes; a lane listed twice is duplicated."""
