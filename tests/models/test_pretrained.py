"""A model that starts from a safetensors file."""

import json
import os

import pytest
import torch
from helpers import inside, search
from safetensors.torch import save_file
from torch import nn

from tuner.errors import DataError
from tuner.models import _own
from tuner.models._weights import start_from
from tuner.models.layers import Lanes, Shapes
from tuner.store import read

NETS = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, in_features: int, num_classes: int, h: int = 6, slow: float = 0.0, frozen: int = 0):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(in_features, h), nn.ReLU(), nn.BatchNorm1d(h))
        self.head = nn.Linear(h, num_classes)
        self.slow, self.frozen = slow, frozen

    def forward(self, x):
        return self.head(self.backbone(x))

    def parameter_groups(self):
        return [{"params": self.backbone.parameters(), "learning_rate": self.slow, "frozen_epochs": self.frozen}]
"""


def backbone(h=6, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, h), nn.ReLU(), nn.BatchNorm1d(h))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "nets.py").write_text(NETS)
    save_file(backbone().state_dict(), tmp_path / "backbone.safetensors")
    save_file(backbone(8).state_dict(), tmp_path / "wide.safetensors")
    save_file({"other.weight": torch.ones(2)}, tmp_path / "other.safetensors")
    (tmp_path / "text.safetensors").write_text("no tensors")
    whole = {name: tensor.long() for name, tensor in backbone().state_dict().items()}
    save_file(whole, tmp_path / "whole.safetensors")
    save_file(backbone().state_dict() | {"0.bias": torch.full((6,), torch.nan)}, tmp_path / "nan.safetensors")
    os.mkfifo(tmp_path / "pipe.safetensors")
    return tmp_path


def space(folder, default=None, **model):
    content = {
        "dataset": "iris", "model": model if "choose" in model else {"name": "nets.py:Net", **model},
        "training": {"epochs": 2}, "resampling": {"outer": 3}, "search": {"sampler": "grid", "default": default or {}},
    }  # fmt: skip
    (folder / "space.yaml").write_text(json.dumps(content))
    return folder / "space.yaml"


def check(folder, **model):
    code, out, err = inside("check", space(folder, **model))
    return code, out + err


def test_the_file_of_a_part_is_copied_to_that_part():
    model = nn.ModuleDict({"backbone": backbone(seed=1), "head": nn.Linear(6, 3)})
    tensors, head = backbone().state_dict(), model["head"].weight.clone()
    with torch.no_grad():
        left = start_from(model, tensors, "backbone.safetensors", "Net")
    assert left == ["head.weight", "head.bias"]
    for name, tensor in model["backbone"].state_dict().items():
        torch.testing.assert_close(tensor, tensors[name])
    torch.testing.assert_close(model["head"].weight, head)


def test_a_tensor_without_a_place_is_refused():
    with pytest.raises(DataError, match="has a, b, c and 1 more, which Net does not have"):
        start_from(backbone(), dict.fromkeys("abcd", torch.ones(1)), "x.safetensors", "Net")


def test_check_says_what_starts_from_the_file(folder):
    code, said = check(folder, weights=[None, "backbone.safetensors"])
    assert code == 0, said
    assert "weights   backbone.safetensors, for all of nets.py:Net but head.weight, head.bias\n" in said


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("nothing.safetensors", "nothing.safetensors: no such file in"),
        ("whole.safetensors", "holds values of type int64"),
        ("nan.safetensors", "nan.safetensors: 0.bias holds values that are not finite"),
        ("pipe.safetensors", "pipe.safetensors is a pipe, not a file"),
        ("", "is a folder, not a file"),
        ("text.safetensors", "text.safetensors is not a safetensors file"),
        ("other.safetensors", "other.safetensors has other.weight, which nets.py:Net does not have"),
        ("wide.safetensors", "wide.safetensors: 0.bias is 8, and backbone.0.bias of nets.py:Net is 6"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_where_it_stands(folder, file, told):
    code, said = check(folder, weights=["backbone.safetensors", file])
    assert code == 2 and told in said and said.count("error:") == 1 and "^" in said, said


def test_pretrained_weights_are_tuned_alike_by_any_number_of_workers(folder):
    path = space(folder, weights=[None, "backbone.safetensors"], slow=[0.0, 0.01], frozen=[0, 1])
    found = []
    for workers in (1, 2):
        search(path, folder / f"{workers}.db", workers=workers)
        (study,) = read(folder / f"{workers}.db").values()
        found.append({t.number: (tuple(t.values.values()), t.curves.train_loss) for t in study.chains["final"].trials})
    assert found[0] == found[1] and len(found[0]) == 8


def test_each_of_two_models_starts_from_its_own_file(folder):
    (folder / "other.py").write_text(NETS.replace("h: int = 6", "h: int = 8"))
    choose = {"nets.py:Net": {"weights": "backbone.safetensors"}, "other.py:Net": {"weights": "wide.safetensors"}}
    code, out, err = inside("check", space(folder, choose=choose))
    assert code == 0, err
    assert "weights   wide.safetensors, for all of other.py:Net but head.weight, head.bias\n" in out


def test_settings_that_do_not_fit_the_file_are_named(folder):
    code, said = check(folder, weights="backbone.safetensors", h=[6, 8])
    assert code == 0
    assert (
        "backbone.safetensors does not fit 1 of 2 configurations that were tried: backbone.safetensors: 0.bias" in said
    )
    code, said = check(folder, weights="wide.safetensors", h=[6, 8])
    assert code == 2 and "choose settings with which backbone.0.bias is 8, for trial 0 in search.default" in said
    code, said = check(folder, weights="wide.safetensors", h=[6, 8], default={"model.h": 8})
    assert code == 0 and "wide.safetensors does not fit 1 of 2 configurations" in said


def test_tied_weights_stand_in_a_file_once():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.other = nn.Linear(3, 3), nn.Linear(3, 3)
            self.other.weight = self.one.weight

    tensors = {"one.weight": torch.ones(3, 3), "one.bias": torch.zeros(3)}
    with torch.no_grad():
        assert start_from(Tied(), tensors, "tied.safetensors", "Tied") == ["other.bias"]


def test_a_whole_name_goes_before_a_shortened_one():
    """`proj.fc` is the layer of that name in the encoder, and not the head `fc`."""
    model = nn.ModuleDict(
        {"encoder": nn.ModuleDict({"proj": nn.ModuleDict({"fc": nn.Linear(3, 3)})}), "fc": nn.Linear(3, 3)}
    )
    with torch.no_grad():
        left = start_from(model, {"proj.fc.weight": torch.ones(3, 3)}, "x.safetensors", "Net")
    assert left == ["encoder.proj.fc.bias", "fc.weight", "fc.bias"]


def test_a_mask_may_hold_infinity():
    model = nn.Linear(2, 2)
    model.register_buffer("mask", torch.full((2, 2), -torch.inf).triu(1))
    with torch.no_grad():
        assert start_from(model, model.state_dict(), "x.safetensors", "Net") == []


@pytest.mark.parametrize("prefix", ["model.", "module.net."])
def test_a_prefix_that_a_trainer_adds_is_left_out(prefix):
    model, tensors = backbone(seed=1), backbone().state_dict()
    named = {prefix + name: tensor for name, tensor in tensors.items()}
    with torch.no_grad():
        assert start_from(model, named, "x.safetensors", "Net") == []
    torch.testing.assert_close(model.state_dict(), tensors)


def test_every_lane_starts_from_the_file(folder):
    own = _own.load("nets.py:Net", folder)
    settings = own.Settings(name="nets.py:Net", weights="backbone.safetensors")
    model = own.build(settings, Shapes(inputs=(4,), outputs=3), Lanes((1, 2)))
    expected, base = backbone().state_dict(), dict(model.base.named_parameters())
    for lane in (0, 1):
        torch.testing.assert_close(base["backbone.0.weight"][lane], expected["0.weight"])
    assert not torch.equal(*base["head.weight"])


def test_a_study_belongs_to_its_file_of_weights(folder):
    path = space(folder, weights="backbone.safetensors")
    search(path, folder / "study.db", workers=1)
    save_file(backbone(seed=5).state_dict(), folder / "backbone.safetensors")
    code, _, err = inside("search", path, "--study", folder / "study.db")
    assert code == 2 and "the file backbone.safetensors: " in err
    before = (folder / "backbone.safetensors").read_bytes()
    code, _, err = inside("report", folder / "study.db", "--output", folder / "backbone.safetensors")
    assert code == 4 and "which the search reads" in err, err
    assert (folder / "backbone.safetensors").read_bytes() == before
