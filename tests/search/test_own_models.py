"""Models of users as they are written elsewhere: they work, or `check` says what to change."""

import json

import pytest
import torch
from helpers import inside, search, slow
from torch import nn

from tuner.models import _own
from tuner.models.layers import Lanes, Shapes

NETS = """
import torch
from torch import nn


class Base(nn.Module):
    def __init__(self, in_features: int, num_classes: int, h: int = 8):
        super().__init__()
        self.a, self.b = nn.Linear(in_features, h), nn.Linear(h, num_classes)

    def forward(self, x):
        return self.b(torch.relu(self.a(x)))


class Softmax(Base):
    def forward(self, x):
        return torch.softmax(super().forward(x), dim=-1)


class LogSoftmax(Base):
    def forward(self, x):
        return torch.log_softmax(super().forward(x), dim=-1)


class Squeeze(Base):
    def forward(self, x):
        return super().forward(x.unsqueeze(1)).squeeze()


class Lazy(nn.Module):
    def __init__(self, num_classes: int, h: int = 8):
        super().__init__()
        self.a, self.norm, self.b = nn.LazyLinear(h), nn.LazyBatchNorm1d(), nn.LazyLinear(num_classes)

    def forward(self, x):
        return self.b(torch.relu(self.norm(self.a(x))))


class Importing(Base):
    def __init__(self, in_features: int, num_classes: int, h: int = 8):
        from arithmetic import double

        super().__init__(in_features, num_classes, double(h))


class TwoInputs(Base):
    def forward(self, x, static):
        return super().forward(x) + static


class Dims(Base):
    def __init__(self, in_features: int, num_classes: int, dims: list[int] = [8, 4], h: int = 8):
        super().__init__(in_features, num_classes, dims[0])


class Heads(Base):
    def __init__(self, in_features: int, num_classes: int, d_model: int = 8, nhead: int = 2):
        assert d_model % nhead == 0, "d_model must be divisible by nhead"
        super().__init__(in_features, num_classes, d_model)
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "nets.py").write_text(NETS)
    (tmp_path / "arithmetic.py").write_text("def double(number): return 2 * number\n")
    return tmp_path


def space(folder, name, constraints=(), sampler="random", **model):
    content = {
        "dataset": "iris", "model": {"name": f"nets.py:{name}", **model}, "training": {"epochs": 1, "batch_size": 7},
        "resampling": {"outer": 3}, "constraints": list(constraints),
        "search": {"sampler": sampler, "trials": 4 if sampler == "grid" else 2},
    }  # fmt: skip
    (folder / "space.yaml").write_text(json.dumps(content))
    return folder / "space.yaml"


def check(folder, name, **model):
    code, out, err = inside("check", space(folder, name, **model))
    return code, out + err


@pytest.mark.parametrize("name", ["Base", slow("LogSoftmax"), "Lazy", slow("Importing")])
def test_it_works(folder, name):
    code, said = check(folder, name, h=[4, 8])
    assert code == 0 and "warning" not in said, said
    search(space(folder, name, h=[4, 8]), folder / "study.db", workers=1)


WARNED = {
    "Softmax": (
        "returns probabilities, which sum to 1 in each row, and the loss takes logits",
        "leave the softmax out",
    ),
    "Squeeze": ("cannot read a batch of one row: it returns (3,), not (1, 3)", "squeeze() also removes the dimension"),
}


@pytest.mark.parametrize("name", WARNED)
def test_a_classic_bug_is_noticed(folder, name):
    code, said = check(folder, name, h=[4, 8])
    assert code == 0
    assert all(text in said for text in WARNED[name])


def test_what_cannot_be_given_to_forward_or_a_file_is_said(folder):
    code, said = check(folder, "TwoInputs", h=[4, 8])
    assert code == 2 and "its forward also asks for static" in said and "split the batch inside" in said
    code, said = check(folder, "Dims", dims=[16, 8])
    assert code == 2 and "it keeps its default, as no file can hold a list[int]: annotate it as int" in said
    code, said = check(folder, "Dims", h=[4, 8])
    assert code == 0 and "dims (list[int]), as an experiment file cannot hold this type" in said


def test_values_that_do_not_go_together_name_the_constraints(folder):
    values = {"sampler": "grid", "d_model": [8, 9], "nhead": [2, 4]}
    search(space(folder, "Heads", **values), folder / "study.db", workers=1)
    told = "failed in the code of the model: constraints exclude values that do not go together."
    assert told in " ".join(inside("report", folder / "study.db")[1].split())
    allowed = space(folder, "Heads", ["model.d_model % model.nhead == 0"], **values)
    search(allowed, folder / "other.db", workers=1)
    assert "failed in the code" not in inside("report", folder / "other.db")[1]


def test_a_lazy_model_is_the_one_that_its_shapes_give(folder):
    """Each copy has the layers, weights included, that a batch of zeros gives under its seed."""
    own = _own.load("nets.py:Lazy", folder)
    built = own.build(own.Settings(), Shapes((4,), 3), Lanes((0, 1)))
    assert {name: tuple(p.shape[1:]) for name, p in built.named_parameters()} == {
        "base.a.weight": (8, 4), "base.a.bias": (8,), "base.norm.weight": (8,), "base.norm.bias": (8,),
        "base.b.weight": (3, 8), "base.b.bias": (3,),
    }  # fmt: skip
    again = own.build(own.Settings(), Shapes((4,), 3), Lanes((0, 1)))
    assert all(torch.equal(a, b) for a, b in zip(built.parameters(), again.parameters(), strict=True))
    assert isinstance(built._copies[0][0].norm, nn.BatchNorm1d)
    assert built._copies[0][0].norm.num_batches_tracked == 0


def test_an_edited_file_is_seen_by_the_next_search_of_the_same_process(folder):
    assert "size      67 parameters" in check(folder, "Base")[1]
    (folder / "nets.py").write_text(NETS.replace("h: int = 8", "h: int = 16"))
    assert "size      131 parameters" in check(folder, "Base")[1]
