"""What some layers and models offer beside `forward`, and who trains them asks for by these types."""

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
        """Its own tokens (K, B, T), without a look at the truth."""


@runtime_checkable
class ReadsWholeBatch(Protocol):
    """A layer whose answer to a row depends on the whole batch; `counts` (K, B) are the rows that count, without
    padding. None: all."""

    counts: Tensor | None


@runtime_checkable
class ReadsSteps(Protocol):
    """A layer that reads neighbouring steps; `lengths` are how many steps of each row count. None: all."""

    lengths: Lengths | None


@runtime_checkable
class HoldsLanes(Protocol):
    """A layer that holds something for each lane beside its parameters and buffers, such as a random stream."""

    def select(self, lanes: Sequence[int]) -> None:
        """Keep only these lanes; one that occurs twice is there twice."""
