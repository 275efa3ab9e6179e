"""What a model reads of each row: numbers, the tokens of a text, or ids; each kind is a type."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Layout = Literal["flat", "sequence", "image", "tokens", "ids"]
Scale = Literal["standard", "none"]
Impute = Literal["none", "mean", "median"]
Rows = NDArray[np.int64]
LAYOUTS: dict[int, Layout] = {2: "flat", 3: "sequence", 4: "image"}  # of numbers, by the number of dimensions
PADDING, UNKNOWN = "<padding>", "<unknown>"  # the first two words of every vocabulary
SPECIAL = 2  # codes that stand for no word: padding and unknown


@dataclass(frozen=True, eq=False)
class Numbers:
    """Numbers in float32; a missing one is NaN, a category a run of one-hot columns.

    Attributes:
        values: (N, D) flat, (N, T, D) sequence or (N, C, H, W) image.
        names: of each column or channel, or none.
        lengths: (N,), the steps of each sequence that count, if not all; the others are 0.
        categories: the columns of each category.
        scale, impute: what each lane fits on its own training rows.
        offsets: float64 (D,), what was subtracted from each column or channel before it became float32.
        coarse: (D,), whether different values of a column are the same in float32 even so (`tuner.data.precision`).
    """

    values: NDArray[np.float32]
    names: tuple[str, ...] = ()
    lengths: Rows | None = None
    categories: tuple[slice, ...] = ()
    scale: Scale = "standard"
    impute: Impute = "none"
    offsets: NDArray[np.float64] | None = None
    coarse: NDArray[np.bool_] | None = None

    @property
    def array(self) -> NDArray[np.float32]:
        """What a model reads first."""
        return self.values

    @property
    def layout(self) -> Layout:
        """The kind of a row, by the number of dimensions."""
        return LAYOUTS[self.values.ndim]

    @property
    def axis(self) -> int:
        """The dimension of columns or channels."""
        return 1 if self.layout == "image" else self.values.ndim - 1

    def name(self, column: int) -> str:
        """The name of a column or channel, or its number."""
        return self.names[column] if column < len(self.names) else str(column)


@dataclass(frozen=True, eq=False)
class Tokens:
    """Texts, as codes of one vocabulary.

    Attributes:
        codes: (N, T); 0 is padding, 1 a word that is not known.
        words: the word of each code.
        lengths: (N,), the tokens of each text that count, if not all; the others are 0.
        known: how many words a lane knows at most: the most frequent of its training rows; None: all of them.
    """

    codes: Rows
    words: tuple[str, ...]
    lengths: Rows | None = None
    known: int | None = None

    @property
    def array(self) -> Rows:
        """What a model reads first."""
        return self.codes

    @property
    def layout(self) -> Layout:
        """The kind of a row."""
        return "tokens"

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of codes that a lane can know."""
        return (len(self.words) if self.known is None else min(len(self.words), self.known),)

    def read_as(self, length: int | None, known: int | None) -> Tokens:
        """The texts cut at `length` tokens, of which a lane knows so many words."""
        lengths = self.lengths if self.lengths is None or length is None else np.minimum(self.lengths, length)
        return replace(self, codes=self.codes[:, :length], lengths=lengths, known=known)


@dataclass(frozen=True, eq=False)
class Ids:
    """Ids, such as users and items, or categories; with numbers beside them, if there are any.

    Attributes:
        codes: (N, F), the code of each id in the vocabulary of its column.
        vocabularies: for each column, the id of each code, after `PADDING` and `UNKNOWN`.
        names: of each column.
        side: the numbers (N, D) beside the ids, if any.
    """

    codes: Rows
    vocabularies: tuple[tuple[str, ...], ...]
    names: tuple[str, ...] = ()
    side: Numbers | None = None

    @property
    def array(self) -> Rows:
        """What a model reads first."""
        return self.codes

    @property
    def layout(self) -> Layout:
        """The kind of a row."""
        return "ids"

    @property
    def sizes(self) -> tuple[int, ...]:
        """The number of codes of each column."""
        return tuple(map(len, self.vocabularies))

    def name(self, column: int) -> str:
        """The name of a column, or its number."""
        return self.names[column] if column < len(self.names) else str(column)

    @property
    def of_users(self) -> bool:
        """Whether the first column holds users, so that items can be ranked for each of them."""
        return self.names[:1] == ("user",)


Inputs = Numbers | Tokens | Ids
