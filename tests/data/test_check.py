"""What a data source may return, whatever its code."""

from dataclasses import replace

import numpy as np
import pytest
from toy_data import toy_dataset

from tuner.data import Classes
from tuner.data.check import check
from tuner.errors import DataError

X, Y = np.ones((4, 2), dtype=np.float32), np.array([0, 1, 0, 1])
GOOD = toy_dataset("d", "classification", X, Y, (), ("y",), ("a", "b"))
WRONG = {
    "its inputs are float64": toy_dataset("d", "classification", X.astype(float), Y, (), ("y",), ("a", "b")),
    "its targets are int32": replace(GOOD, target=Classes(Y.astype(np.int32), ("a", "b"))),  # type: ignore[arg-type]
    "4 rows of inputs, and 3 of targets": replace(GOOD, target=Classes(Y[:3], ("a", "b"))),
    "class codes from 0 to 1, and 1 classes": replace(GOOD, target=Classes(Y, ("a",))),
}


def test_what_a_source_should_return_is_accepted():
    assert check(GOOD) is GOOD


@pytest.mark.parametrize("words", WRONG)
def test_arrays_of_another_type_or_length_are_refused(words):
    with pytest.raises(DataError, match=words):
        check(WRONG[words])
