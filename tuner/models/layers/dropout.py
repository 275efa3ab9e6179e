"""Dropout whose masks come from one stream per lane."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor, nn

from tuner.models.layers.lanes import Lanes, chosen

MASKS_AT_ONCE = 2**16  # elements per lane drawn in one call: calls per lane and step would cost more than the numbers


class Dropout(nn.Module):
    """Zeroes each element with probability p while training and scales the rest by 1/(1−p) (Srivastava et al. 2014).

    The masks of many steps are drawn at once, lane by lane, so that K lanes cost no K calls per step; how many
    depends on the shape of one lane only, so a lane's masks do not depend on K.
    """

    def __init__(self, p: float, lanes: Lanes) -> None:
        super().__init__()
        self.p = p
        self._generators = lanes.for_dropout()
        self._masks: Iterator[Tensor] = iter(())
        self._shape: tuple[int, ...] = ()

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        if x.shape != self._shape:
            self._shape, self._masks = x.shape, iter(())
        mask = next(self._masks, None)
        if mask is None:
            self._masks = self._draw(x)
            mask = next(self._masks)
        return x * mask

    def select(self, lanes: Sequence[int]) -> None:
        """Go on with these lanes only."""
        self._generators = chosen(self._generators, lanes)
        self._masks = iter([mask[list(lanes)] for mask in self._masks])
        self._shape = (len(lanes), *self._shape[1:])

    def _draw(self, x: Tensor) -> Iterator[Tensor]:
        steps = max(1, MASKS_AT_ONCE // x[0].numel())
        masks = x.new_empty(len(x), steps, *x.shape[1:])
        for lane, generator in zip(masks, self._generators, strict=True):
            lane.bernoulli_(1 - self.p, generator=generator)
        return iter(masks.div_(1 - self.p).unbind(1))
