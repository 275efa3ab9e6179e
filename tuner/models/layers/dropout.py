"""Dropout whose masks are drawn from one random generator per lane."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from torch import Tensor, nn

from tuner.models.layers.lanes import Lanes, chosen

MASKS_AT_ONCE = 2**16  # elements per lane drawn in one call: calls per lane and step would cost more than the numbers


class Dropout(nn.Module):
    """Zeroes each element with probability p while training and scales the rest by 1/(1−p) (Srivastava et al. 2014).

    The masks of many steps are drawn at once, lane by lane, so that K lanes cost no K calls per step; how many
    depends on the shape of one lane only, so a lane's masks do not depend on K. `shared`: the dimension whose places
    share one mask, as the time steps of variational dropout do (Gal & Ghahramani 2016).
    """

    def __init__(self, p: float, lanes: Lanes, shared: int | None = None) -> None:
        super().__init__()
        self.p, self.shared = p, shared
        self._generators = lanes.for_dropout()
        self._masks: Iterator[Tensor] = iter(())
        self._shape: tuple[int, ...] = ()

    def forward(self, x: Tensor) -> Tensor:
        return kept(x, self.mask(x))

    def mask(self, x: Tensor) -> Tensor | None:
        """The next mask for a tensor like x; None if nothing is dropped. For layers with one mask for many steps."""
        if not self.training or self.p == 0:
            return None
        shape = tuple(1 if index == self.shared else size for index, size in enumerate(x.shape))
        if shape != self._shape:
            self._shape, self._masks = shape, iter(())
        mask = next(self._masks, None)
        if mask is None:
            self._masks = self._draw(x)
            mask = next(self._masks)
        return mask

    def select(self, lanes: Sequence[int]) -> None:
        """Keep only these lanes."""
        self._generators = chosen(self._generators, lanes)
        self._masks = iter([mask[list(lanes)] for mask in self._masks])
        self._shape = (len(lanes), *self._shape[1:])

    def _draw(self, x: Tensor) -> Iterator[Tensor]:
        lanes, *of_lane = self._shape
        steps = max(1, MASKS_AT_ONCE // math.prod(of_lane))
        masks = x.new_empty(lanes, steps, *of_lane)
        for lane, generator in zip(masks, self._generators, strict=True):
            lane.bernoulli_(1 - self.p, generator=generator)
        return iter(masks.div_(1 - self.p).unbind(1))


def kept(x: Tensor, mask: Tensor | None) -> Tensor:
    """Apply a mask to x, if there is one."""
    return x if mask is None else x * mask
