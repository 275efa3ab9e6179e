"""What a model is built from: the shapes of the data, and the random streams of its lanes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from tuner.models.layers.initialization import Default, Initialization
from tuner.seeds import seed_of


@dataclass(frozen=True)
class Shapes:
    """The shapes of one row of the data.

    Attributes:
        inputs: (D,), (T, D) or (C, H, W) numbers; or (T,) tokens, (F,) ids.
        outputs: numbers predicted per position, C or M.
        vocabularies: sizes of the vocabularies; empty for numbers.
        positions: (T,) or (H, W) if each step or pixel has a target, else ().
        side: number of side features beside ids.
        causal: the model must not read later steps.
    """

    inputs: tuple[int, ...]
    outputs: int
    vocabularies: tuple[int, ...] = ()
    positions: tuple[int, ...] = ()
    side: int = 0
    causal: bool = False


class Lanes:
    """K lanes, given by their seeds; each lane draws its initial weights from its own random generator.

    `initialization` sets the initial values of matrices; with `Default()` each layer begins as torch's own layer."""

    def __init__(self, seeds: tuple[int, ...], device: torch.device | str = "cpu") -> None:
        self.seeds = seeds
        self.device = torch.device(device)
        self.initialization: Initialization = Default()
        self._initial = self.generators("weights", "cpu")
        self._dropouts = 0

    def __len__(self) -> int:
        return len(self.seeds)

    def generators(self, purpose: str, device: torch.device | str | None = None) -> list[torch.Generator]:
        """A new random generator per lane for `purpose`, on the lanes' device by default."""
        where = self.device if device is None else torch.device(device)
        return [torch.Generator(where).manual_seed(seed_of(seed, purpose)) for seed in self.seeds]

    def for_dropout(self) -> list[torch.Generator]:
        """Generators for the model's next dropout layer, so that no two layers drop the same units."""
        self._dropouts += 1
        return self.generators(f"dropout {self._dropouts}")

    def matrix(self, *shape: int, bound: float, blocks: int = 1) -> Tensor:
        """Initial weights (K, out, in, …), drawn from each lane's generator.

        Args:
            shape: (out, in, …) of one lane.
            bound: without an `initialization`, values are U(−bound, bound).
            blocks: the output rows are split into this many blocks (gates), each initialised on its own.
        """
        how = self.initialization
        if isinstance(how, Default):
            return self._drawn(shape, lambda lane, g: lane.uniform_(-bound, bound, generator=g))

        def draw(lane: Tensor, g: torch.Generator) -> None:
            for block in lane.chunk(blocks):
                how.draw(block, g)

        return self._drawn(shape, draw)

    def bias(self, *shape: int, bound: float) -> Tensor:
        """Biases (K, *shape): U(−bound, bound) as torch's, or 0 beside matrices that begin otherwise."""
        if isinstance(self.initialization, Default):
            return self.matrix(*shape, bound=bound)
        return self.full(0.0, *shape)

    def normal(self, *shape: int) -> Tensor:
        """(K, *shape) drawn from N(0, 1), as torch's embeddings begin."""
        return self._drawn(shape, lambda lane, g: lane.normal_(generator=g))

    def full(self, value: float, *shape: int) -> Tensor:
        """(K, *shape) of one number."""
        return torch.full((len(self), *shape), value, device=self.device)

    def _drawn(self, shape: tuple[int, ...], draw: Callable[[Tensor, torch.Generator], object]) -> Tensor:
        lanes = torch.empty(len(self), *shape)
        for lane, generator in zip(lanes, self._initial, strict=True):
            draw(lane, generator)
        return lanes.to(self.device)


class MetaLanes(Lanes):
    """One lane of which only the sizes matter: weights without numbers, which take no memory."""

    def __init__(self) -> None:
        super().__init__((0,), "meta")

    def for_dropout(self) -> list[torch.Generator]:
        """No generators, as nothing is computed."""
        return []

    def _drawn(self, shape: tuple[int, ...], draw: Callable[[Tensor, torch.Generator], object]) -> Tensor:
        return torch.empty(1, *shape, device=self.device)


def chosen(streams: Sequence[torch.Generator], lanes: Sequence[int]) -> list[torch.Generator]:
    """The streams of these lanes; a twin gets a stream of its own, in the same state."""
    taken: list[torch.Generator] = []
    for stream in (streams[lane] for lane in lanes):
        if any(stream is other for other in taken):
            twin = torch.Generator(stream.device)
            twin.set_state(stream.get_state())
            stream = twin
        taken.append(stream)
    return taken
