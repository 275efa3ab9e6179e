"""The user's own nn.Module: its arguments are settings, its copies are lanes, its mistakes are told at their place."""

import textwrap

import numpy as np
import pytest
import torch
from helpers import inside, search, tables, write_space
from own_nets import space
from torch import nn
from toys import classes, go_on, lanes_of

from tuner.metrics import METRICS
from tuner.models import mlp
from tuner.models.layers import Copies, Lanes
from tuner.search.catalogue import model
from tuner.training.fitting import build_stacks
from tuner.training.loop import train
from tuner.training.recipe import Recipe
from tuner.training.settings import TrainingSettings


def recipe(folder, name, **settings):
    module = model(f"my_nets.py:{name}", folder)
    wish = module.Settings(**settings)
    how = TrainingSettings(epochs=3, batch_size=8)
    return Recipe(lambda s, k: module.build(wish, s, k), how, METRICS["log_loss"])


@pytest.mark.slow
def test_it_is_searched_and_reported_like_any_other(folder):
    path = space(folder, name="my_nets.py:Plain", hidden={"low": 2, "high": 9}, kind=["a", "b"])
    studies = [folder / "one.db", folder / "two.db"]
    for study, workers in zip(studies, (0, 2), strict=True):
        search(path, study, workers=workers)
    assert tables(studies[0]) == tables(studies[1])
    code, out, _ = inside("report", studies[0])
    assert code == 0 and "hidden" in out


@pytest.mark.parametrize("name", ["Plain", "Recurrent", "Tied"])
def test_lanes_learn_what_each_learns_alone(folder, name):
    tensors = classes(60, (4, 5) if name == "Recurrent" else (5,))
    lanes = lanes_of(tensors, [33, 41, 40])  # batches of other sizes: padding must not be normed
    together = train(recipe(folder, name), lanes, tensors, go_on).curves
    for place, lane in enumerate(lanes):
        alone = train(recipe(folder, name), [lane], tensors, go_on).curves
        np.testing.assert_allclose(together.train_loss[place], alone.train_loss[0], rtol=1e-5)
        np.testing.assert_allclose(together.score[place], alone.score[0], rtol=1e-5)


def test_a_plain_copy_of_the_mlp_trains_as_the_mlp_does(folder):
    """One code path for both: same batches, same optimizer, same score, from the same weights."""
    tensors = classes(60)
    lanes = lanes_of(tensors, [40, 41])
    own = recipe(folder, "Plain", hidden=7)

    def build(shapes, streams):
        made, ours = own.build(shapes, streams), mlp.build(mlp.Settings(hidden_size=7), shapes, streams)
        for theirs, layer in ((made.base.first, ours[0]), (made.base.last, ours[2])):
            layer.weight.data.copy_(theirs.weight.data.mT)
            layer.bias.data.copy_(theirs.bias.data[:, None])
        return ours

    expected = train(Recipe(build, own.settings, own.metric), lanes, tensors, go_on).curves
    found = train(own, lanes, tensors, go_on).curves
    np.testing.assert_allclose(found.score, expected.score, rtol=1e-4)
    np.testing.assert_allclose(found.train_loss, expected.train_loss, rtol=1e-4)


def test_what_mixes_rows_or_draws_numbers_goes_copy_by_copy():
    class Centred(nn.Linear):
        def forward(self, x):
            return super().forward(x - x.mean(0))

    class Noisy(nn.Linear):
        def forward(self, x):
            return super().forward(x + torch.rand(()))

    x = torch.randn(2, 5, 3)
    for make, together in ((nn.Linear, True), (Centred, False), (Noisy, False)):
        copies = Copies(lambda make=make: make(3, 2), Lanes((1, 2))).eval()
        assert copies(x).shape == (2, 5, 2)
        assert copies._together is together


STRANGE = {
    "draws in training": """
        def forward(self, x):
            return self.two(F.dropout(torch.relu(self.one(x)), 0.5, self.training))
    """,
    "skips a layer now and then": """
        def forward(self, x):
            return self.two(torch.relu(self.one(x)) if torch.rand(()) < 0.5 else self.other(x))
    """,
    "skips by Python's random": """
        def forward(self, x):
            import random
            return self.two(torch.relu(self.one(x)) if random.random() < 0.5 else self.other(x))
    """,
    "adds NumPy's noise": """
        def forward(self, x):
            return self.two(torch.relu(self.one(x)) + float(np.random.randn()))
    """,
    "scales by its batch": """
        def forward(self, x):
            return self.two(torch.relu(self.one(x / x.abs().max())))
    """,
    "keeps a mean as an attribute": """
        mean = 0.0
        def forward(self, x):
            if self.training:
                self.mean = 0.9 * self.mean + 0.1 * x.mean(0).detach()
            return self.two(torch.relu(self.one(x - self.mean)))
    """,
    "puts another buffer in the place of one": """
        def forward(self, x):
            if self.training:
                self.seen = self.seen + 1
            return self.two(torch.relu(self.one(x))) / self.seen
    """,
    "begins by NumPy": """
        def forward(self, x):
            return self.two(torch.relu(self.one(x + self.start)))
    """,
}


@pytest.mark.parametrize("strange", STRANGE)
def test_whatever_a_module_does_its_lanes_are_the_same_to_the_bit_wherever_they_stand(tmp_path, strange):
    text = """
    import numpy as np, torch
    from torch import nn
    from torch.nn import functional as F
    class Net(nn.Module):
        def __init__(self, in_features: int, num_classes: int):
            super().__init__()
            self.one, self.other = nn.Linear(in_features, 6), nn.Linear(in_features, 6)
            self.two, self.start = nn.Linear(6, num_classes), float(np.random.randn())
            self.register_buffer("seen", torch.ones(()))
    """
    body = textwrap.indent(textwrap.dedent(STRANGE[strange]), "    ")
    (tmp_path / "my_nets.py").write_text(textwrap.dedent(text) + body)
    tensors = classes(60)
    lanes = lanes_of(tensors, [40, 41, 33, 40])
    together = train(recipe(tmp_path, "Net"), lanes, tensors, go_on).curves
    for some in ([1], [3, 0], [2, 1]):
        part = train(recipe(tmp_path, "Net"), [lanes[k] for k in some], tensors, go_on).curves
        np.testing.assert_array_equal(part.train_loss, together.train_loss[some])
        np.testing.assert_array_equal(part.score, together.score[some])


def test_a_frozen_layer_stays_as_it_is(folder):
    class Frozen(nn.Linear):
        def __init__(self):
            super().__init__(5, 3)
            self.weight.requires_grad = False

    how = Recipe(lambda s, k: Copies(Frozen, k), TrainingSettings(epochs=2), METRICS["log_loss"])
    tensors = classes()
    (stack,) = build_stacks(how, lanes_of(tensors, [40, 41]), tensors)
    before = [copy.weight.clone() for copy in stack.model._copies[0]]
    stack.train_epoch()
    assert all(torch.equal(a, b.weight) for a, b in zip(before, stack.model._copies[0], strict=True))
    assert [name for name, _ in stack.model.named_parameters()] == ["base.bias"]


WIDE = """
from torch import nn
class Wide(nn.Module):
    def __init__(self, in_channels: int, num_classes: int{more}, width: int = 2):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(in_channels, width, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, {out})
        )
    def forward(self, x):
        return self.net(x)
"""
IMAGES = {"dataset": {"name": "digits", "layout": "image"}, "resampling": {"outer": 3}}


def wide(folder, more="", out="num_classes", **settings):
    """An experiment with a model whose `width` is a number of channels."""
    (folder / "wide.py").write_text(WIDE.format(more=more, out=out))
    return write_space(folder, model={"name": "wide.py:Wide", **settings, "hidden_size": None, "activation": None},
                       training={"epochs": 1}, search={"trials": 1}, **IMAGES)  # fmt: skip


@pytest.mark.slow
def test_an_argument_with_a_default_is_a_setting_even_if_it_is_named_like_a_shape(tmp_path):
    """2 · 9 + 2 weights and biases of the convolution, 2 · 10 + 10 of the last layer."""
    code, out, _ = inside("check", wide(tmp_path))
    assert code == 0 and "size      50 parameters" in out
    assert "filled    wide.py:Wide: in_channels=1, num_classes=10, from the data" in out
    code, out, _ = inside("check", wide(tmp_path, width=[2, 4]))
    assert code == 0 and "model.width: 2 | 4" in out


def test_an_annotated_shape_is_filled_in_despite_its_default(tmp_path):
    path = wide(tmp_path, more=', out_features: Annotated[int, "shape"] = 4', out="out_features")
    (tmp_path / "wide.py").write_text("from typing import Annotated\n" + (tmp_path / "wide.py").read_text())
    code, out, _ = inside("check", path)
    assert code == 0
    assert "filled    wide.py:Wide: in_channels=1, num_classes=10, out_features=10, from the data" in out


def test_an_annotated_shape_that_no_data_has_is_an_error(tmp_path):
    path = wide(tmp_path, more=', in_feature: Annotated[int, "shape"] = 4')
    (tmp_path / "wide.py").write_text("from typing import Annotated\n" + (tmp_path / "wide.py").read_text())
    code, _, err = inside("check", path)
    assert code == 2 and "'in_feature' is annotated as a shape, and no shape has this name" in err
    assert "did you mean 'in_features'?" in err


def test_a_shape_with_a_default_that_does_not_fit_is_an_error_that_says_why(tmp_path):
    code, _, err = inside("check", wide(tmp_path, more=", height: int = 8, out_features: int = 4", out="out_features"))
    assert code == 2
    assert "returned a tensor of shape (2, 4) for 2 rows of 1×8×8; expected (2, 10)" in err
    assert "= its constructor gives height and out_features and width a default, which makes it a setting" in err


def test_arguments_are_settings_and_shapes_are_given(folder):
    module = model("my_nets.py:Plain", folder)
    assert set(module.Settings.model_fields) == {"name", "weights", "hidden", "bias", "kind"}
    expected = {"name": "my_nets.py:Plain", "weights": None, "hidden": 8, "bias": True, "kind": "a"}
    assert module.Settings().model_dump() == expected
    assert module.code.handed_in == ("in_features", "num_classes")


@pytest.mark.slow
def test_a_default_without_end_stays_with_the_code(tmp_path):
    """A study is JSON, which has no infinity: such an argument is no setting."""
    (tmp_path / "my_nets.py").write_text(
        "import math\nfrom torch import nn\nclass Net(nn.Module):\n"
        "    def __init__(self, in_features: int, num_classes: int, most: float = math.inf, size: int = 3):\n"
        "        super().__init__()\n        assert most == math.inf\n"
        "        self.net = nn.Sequential(nn.Linear(in_features, size), nn.Linear(size, num_classes))\n"
        "    def forward(self, x):\n        return self.net(x)\n"
    )
    assert {*model("my_nets.py:Net", tmp_path).Settings.model_fields} == {"name", "weights", "size"}
    net = {"name": "my_nets.py:Net", "hidden_size": None, "activation": None}
    search(write_space(tmp_path, model=net, search={"trials": 1}), tmp_path / "study.db")


class Centred(nn.Module):
    def __init__(self, in_place):
        super().__init__()
        self.layer, self.in_place = nn.Linear(5, 3), in_place

    def forward(self, x):
        mean = x.mean(dim=1, keepdim=True)
        if self.in_place:
            x -= mean
            x[:, 0] = 0
        else:
            x = (x - mean).index_fill(1, torch.tensor([0]), 0.0)
        return self.layer(x)


def test_a_model_may_change_its_input_in_place():
    tensors = classes()
    found = [
        train(
            Recipe(lambda s, k, p=p: Copies(lambda: Centred(p), k), TrainingSettings(epochs=3), METRICS["accuracy"]),
            lanes_of(tensors, [40, 41, 33]), tensors, go_on,
        ).curves
        for p in (True, False)
    ]  # fmt: skip
    np.testing.assert_array_equal(found[0].train_loss, found[1].train_loss)
    np.testing.assert_array_equal(found[0].loss, found[1].loss)
