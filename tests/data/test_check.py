"""What a data source may return, whatever its code."""

from dataclasses import replace

import numpy as np
import pytest
from toy_data import toy_dataset

from tuner.data import Amounts, Classes, Ids, Labels, Numbers, PerPosition, Roles, Tokens
from tuner.data.check import check
from tuner.data.target import NaiveForecast
from tuner.errors import DataError

X, Y = np.ones((4, 2), dtype=np.float32), np.array([0, 1, 0, 1])
GOOD = toy_dataset("d", "classification", X, Y, (), ("y",), ("a", "b"))
AMOUNTS, CODES, HALVES = np.arange(4.0)[:, None], np.arange(8).reshape(4, 2) % 3, np.full((4, 1), 0.5)
WRONG = {  # the part that differs, and the words of the error
    "inputs.values must be float32; it is float64": {"inputs": Numbers(X.astype(float))},
    "inputs.values must have 2, 3 or 4 dimensions; its shape is (4,)": {"inputs": Numbers(X[:, 0])},
    "target.values must be int64; it is int32": {"target": Classes(Y.astype(np.int32), ("a", "b"))},
    "4 rows of features but 3 of target.values": {"target": Classes(Y[:3], ("a", "b"))},
    "class codes must be from 0 to 0; they are 0 … 1": {"target": Classes(Y, ("a",))},
    "class codes must be from -1 to 1; they are 0 … 2": {"target": PerPosition(CODES, ("a", "b"), ("y",), "tagging")},
    "label 'y' of data row 1 is 0.5": {"target": Labels(HALVES, ("y",))},
    "1 outputs cannot be divided into horizons of 2": {
        "target": Amounts(AMOUNTS, ("y",), NaiveForecast(AMOUNTS, horizon=2))
    },
    "tokens must be from 0 to 1; they are 0 … 2": {"inputs": Tokens(CODES, ("a", "b"))},
    "inputs.vocabularies has length 1; inputs.codes has the shape (4, 2)": {"inputs": Ids(CODES, (("a", "b", "c"),))},
    "ids must be from 0 to 1; they are 0 … 2": {"inputs": Ids(CODES, (("a", "b", "c"), ("a", "b")))},
    "the length of data row 2 is 3, but a sequence has 2 steps": {
        "inputs": Tokens(CODES, ("a", "b", "c"), np.array([1, 3, 2, 2]))
    },
    "the weight of data row 4 is nan": {"roles": Roles(weights=np.array([1, 2, 3, np.nan]))},
    "inputs.names has length 1; there are 2 columns": {"inputs": Numbers(X, names=("a",))},
    "target.names has length 2; target.values has the shape (4, 1)": {"target": Amounts(AMOUNTS, ("y", "z"))},
    "target.classes must be a tuple; it is None": {"target": Classes(Y, None)},
    "every weight is 0": {"roles": Roles(weights=np.zeros(4))},
    "roles.groups must be int64; it is float64": {"roles": Roles(groups=np.ones(4))},
}


def test_what_a_source_should_return_is_accepted():
    assert check(GOOD) is GOOD


@pytest.mark.parametrize("words", WRONG)
def test_arrays_that_are_not_as_documented_are_refused(words):
    with pytest.raises(DataError) as caught:
        check(replace(GOOD, **WRONG[words]))
    assert words in caught.value.message
