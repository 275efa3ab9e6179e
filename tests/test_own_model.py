"""The user's own nn.Module: its arguments are settings, its copies are lanes, its mistakes are told at their place."""

import json
import textwrap
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import inside, search, tables
from torch import nn
from toys import CPU, classes, go_on, lanes_of

from tuner.errors import UsageError
from tuner.models import _own, mlp
from tuner.models.layers import Copies, Lanes
from tuner.search.catalogue import model
from tuner.search.executors import Processes
from tuner.search.jobs import TrialJob
from tuner.search.plan import prepare
from tuner.training.fitting import build_stacks
from tuner.training.lane_data import Table
from tuner.training.lanes import Lane
from tuner.training.loop import train
from tuner.training.metrics import METRICS
from tuner.training.settings import TrainingSettings
from tuner.training.stack import Recipe

NETS = textwrap.dedent('''
    from typing import Literal

    import torch
    from torch import nn
    from helper_of_nets import WIDTH

    class Plain(nn.Module):
        """A hidden layer."""
        def __init__(
            self, in_features, num_classes, hidden: int = WIDTH, bias: bool = True, kind: Literal["a", "b"] = "a"
        ):
            super().__init__()
            self.first, self.last = nn.Linear(in_features, hidden, bias), nn.Linear(hidden, num_classes)

        def forward(self, x):
            return self.last(torch.relu(self.first(x)))

    class Recurrent(nn.Module):
        """With batch normalisation, dropout and a fused lstm."""
        def __init__(self, in_features: int, num_classes: int, hidden: int = 6, dropout: float = 0.3):
            super().__init__()
            self.rnn = nn.LSTM(in_features, hidden, batch_first=True)
            self.norm, self.drop = nn.BatchNorm1d(hidden), nn.Dropout(dropout)
            self.head = nn.Linear(hidden, num_classes)

        def forward(self, x):
            return self.head(self.drop(self.norm(self.rnn(x)[0][:, -1])))

    class Tied(nn.Module):
        def __init__(self, in_features: int, out_features: int):
            super().__init__()
            self.one = nn.Linear(in_features, in_features)
            self.two, self.head = nn.Linear(in_features, in_features), nn.Linear(in_features, out_features)
            self.two.weight = self.one.weight

        def forward(self, x):
            return self.head(self.two(torch.tanh(self.one(x))))

    class Wrong(Plain):
        def forward(self, x):
            return super().forward(x)[:, :1]

    class Pair(Plain):
        def forward(self, x):
            print("what a model prints")
            return super().forward(x), x

    class Sized(nn.Module):
        def __init__(self, input_size: int, num_classes: int):
            super().__init__()

    class Pixels(nn.Module):
        """A convolution, as torch writes it: classes before places."""
        def __init__(self, in_channels: int, num_classes: int):
            super().__init__()
            self.one = nn.Conv2d(in_channels, num_classes, 3, padding=1)

        def forward(self, x):
            print("what a model prints")
            return self.one(x)

    class Number(nn.Module):
        def __init__(self, in_features: int):
            super().__init__()
            self.one = nn.Linear(in_features, 1)

        def forward(self, x):
            return self.one(x)[:, 0]

    class Unclear(nn.Module):
        def __init__(self, in_featurs, num_classes):
            super().__init__()

    class Words(nn.Module):
        def __init__(self, vocabulary_size: int, num_classes: int):
            super().__init__()

    class Function:
        pass
''')  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "my_nets.py").write_text(NETS)
    (tmp_path / "helper_of_nets.py").write_text("WIDTH = 8\n")
    _own._load.cache_clear()
    return tmp_path


def space(folder, dataset="iris", trials=3, **model):
    path = folder / "space.yaml"
    training = {"epochs": 2, "optimizer": {"name": "adam", "learning_rate": {"low": 0.001, "high": 0.1, "log": True}}}
    path.write_text(json.dumps({
        "model": model, "dataset": dataset, "training": training, "resampling": {"outer": 3},
        "search": {"trials": trials},
    }))  # fmt: skip
    return path


def package(folder):
    """A package of two modules, one of which imports the other."""
    (folder / "package").mkdir()
    (folder / "package" / "__init__.py").write_text("")
    (folder / "package" / "sizes.py").write_text("WIDTH = 8\n")
    (folder / "package" / "nets.py").write_text(NETS.replace("from helper_of_nets", "from .sizes"))


def recipe(folder, name, **settings):
    module = model(f"my_nets.py:{name}", folder)
    wish = module.Settings(**settings)
    how = TrainingSettings(epochs=3, batch_size=8)
    return Recipe(lambda s, k: module.build(wish, s, k), how, METRICS["log_loss"])


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
    table = classes(60, (4, 5) if name == "Recurrent" else (5,))
    lanes = lanes_of(table, [33, 41, 40])  # batches of other sizes: padding must not be normed
    together = train(recipe(folder, name), lanes, table, go_on).curves
    for place, lane in enumerate(lanes):
        alone = train(recipe(folder, name), [lane], table, go_on).curves
        np.testing.assert_allclose(together.train_loss[place], alone.train_loss[0], rtol=1e-5)
        np.testing.assert_allclose(together.score[place], alone.score[0], rtol=1e-5)


def test_a_plain_copy_of_the_mlp_trains_as_the_mlp_does(folder):
    """One code path for both: same batches, same optimizer, same score, from the same weights."""
    table = classes(60)
    lanes = lanes_of(table, [40, 41])
    own = recipe(folder, "Plain", hidden=7)

    def build(shapes, streams):
        made, ours = own.build(shapes, streams), mlp.build(mlp.Settings(hidden_size=7), shapes, streams)
        for theirs, layer in ((made.base.first, ours[0]), (made.base.last, ours[2])):
            layer.weight.data.copy_(theirs.weight.data.mT)
            layer.bias.data.copy_(theirs.bias.data[:, None])
        return ours

    expected = train(Recipe(build, own.settings, own.metric), lanes, table, go_on).curves
    found = train(own, lanes, table, go_on).curves
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
    table = classes(60)
    lanes = lanes_of(table, [40, 41, 33, 40])
    together = train(recipe(tmp_path, "Net"), lanes, table, go_on).curves
    for some in ([1], [3, 0], [2, 1]):
        part = train(recipe(tmp_path, "Net"), [lanes[k] for k in some], table, go_on).curves
        np.testing.assert_array_equal(part.train_loss, together.train_loss[some])
        np.testing.assert_array_equal(part.score, together.score[some])


def test_a_frozen_layer_stays_as_it_is(folder):
    class Frozen(nn.Linear):
        def __init__(self):
            super().__init__(5, 3)
            self.weight.requires_grad = False

    how = Recipe(lambda s, k: Copies(Frozen, k), TrainingSettings(epochs=2), METRICS["log_loss"])
    table = classes()
    (stack,) = build_stacks(how, lanes_of(table, [40, 41]), table)
    before = [copy.weight.clone() for copy in stack.model._copies[0]]
    stack.train_epoch()
    assert all(torch.equal(a, b.weight) for a, b in zip(before, stack.model._copies[0], strict=True))
    assert [name for name, _ in stack.model.named_parameters()] == ["base.bias"]


def test_arguments_are_settings_and_shapes_are_given(folder):
    module = model("my_nets.py:Plain", folder)
    assert set(module.Settings.model_fields) == {"name", "hidden", "bias", "kind"}
    assert module.Settings().model_dump() == {"name": "my_nets.py:Plain", "hidden": 8, "bias": True, "kind": "a"}
    assert module.shapes == ("in_features", "num_classes")


@pytest.mark.parametrize(
    ("wish", "what", "cure"),
    [
        ({"name": "my_nets.py:Plan"}, "my_nets.py has no class 'Plan'", "did you mean 'Plain'?"),
        ({"name": "my_net.py:Plain"}, "my_net.py: no such file in", "FILE.py:CLASS beside the experiment file"),
        ({"name": "my_nets.py:Function"}, "Function of my_nets.py is no torch.nn.Module", None),
        ({"name": "my_nets.py:Plain", "hiden": 3}, "unknown key 'hiden' in model", "did you mean 'hidden'?"),
        ({"name": "my_nets.py:Plain", "hidden": "big"}, "model.hidden must be a whole number, not 'big'", None),
        ({"name": "my_nets.py:Unclear"}, "its argument 'in_featurs' is no shape, and has neither", "'in_features'"),
        ({"name": "my_nets.py:Wrong"}, "makes of 2 rows of 4 a tensor (2, 1), not (2, 3)", "mend its forward"),
        ({"name": "my_nets.py:Pair"}, "the forward of my_nets.py:Pair gives a tuple, not a tensor", "one tensor"),
        ({"name": "my_nets.py:Sized"}, "model.input_size is missing", "handed in by the names input_shape, in_feat"),
        ({"name": "my_nets.py"}, "'my_nets.py' names no class", "name: my_nets.py:Plain"),
        ({"name": "my_nets.py:Words"}, "asks for vocabulary_size, which this data does not have", None),
        ({"name": "broken.py:Net"}, "broken.py cannot be imported: SyntaxError", "mend it"),
        ({"name": "no_such_package.nets:Net"}, "there is no module 'no_such_package', neither in", "pip install it"),
        ({"name": "nets_of_cwd:Plain"}, "there is no module 'nets_of_cwd', neither in", "put it there"),
        ({"name": "package/nets.py:Net"}, "package/nets.py cannot be imported: ImportError", "package.nets:CLASS"),
    ],
)  # fmt: skip
def test_its_mistakes_are_told_at_their_place(folder, monkeypatch, wish, what, cure):
    (folder / "broken.py").write_text("class Net(:\n")
    (folder / "cwd").mkdir()
    (folder / "cwd" / "nets_of_cwd.py").write_text(NETS)
    monkeypatch.chdir(folder / "cwd")  # what lies there is neither beside the experiment file nor installed
    package(folder)
    path = space(folder, **wish)
    code, _, err = inside("check", path)
    assert code == 2
    assert what in err
    assert cure is None or cure in err


def test_what_is_installed_is_found_by_its_package(folder):
    search(space(folder, trials=1, name="torch.nn:Linear"), folder / "study.db")
    assert model("torch.nn:Linear", folder).make is nn.Linear


def test_a_package_beside_the_experiment_is_found_and_all_of_it_is_hashed(folder):
    package(folder)
    path = space(folder, name="package.nets:Plain")
    search(path, folder / "study.db", workers=0)
    (folder / "package" / "sizes.py").write_text("WIDTH = 9\n")
    _own._load.cache_clear()
    code, _, err = inside("search", path, "--study", folder / "study.db", "--workers", "0")
    assert code == 2 and "the file of package.nets:Plain: " in err


@pytest.mark.parametrize("net", ["Pixels", "Number"])
def test_it_may_answer_as_the_losses_of_torch_want_it(folder, net):
    data = {"name": "strokes", "rows": 30, "size": 16} if net == "Pixels" else "diabetes"
    path = space(folder, dataset=data, name=f"my_nets.py:{net}")
    code, out, _ = inside("search", path, "--study", folder / "study.db", "--workers", "0", "--json")
    events = [json.loads(line) for line in out.splitlines()]  # and nothing that the model prints
    assert code == 0 and {event.get("state") for event in events if event["event"] == "trial"} == {"complete"}


def test_a_worker_that_finds_another_file_refuses(folder):
    path = space(folder, name="my_nets.py:Plain")
    work = prepare(path).work
    (folder / "helper_of_nets.py").write_text("WIDTH = 9\n")
    executor = Processes(work, ["cpu"], 1)
    lane = Lane(np.arange(30), (np.arange(30, 50),), 1)
    job = TrialJob(0, {}, {"model": {"name": "my_nets.py:Plain"}, "training": {"epochs": 1}}, (lane,), ())
    with closing(executor), pytest.raises(UsageError, match="Plain has changed since the search began"):
        executor.submit(job)
        while not executor.wait(1):
            pass


def test_another_file_is_another_experiment(folder):
    path = space(folder, trials=1, name="my_nets.py:Plain")
    search(path, folder / "study.db")
    (folder / "my_nets.py").write_text(NETS + "\n# changed\n")
    _own._load.cache_clear()
    code, _, err = inside("search", path, "--study", folder / "study.db", "--workers", 0)
    assert code == 2
    assert "the file of my_nets.py:Plain: " in err


def test_so_is_another_file_that_it_imports(folder):
    first = model("my_nets.py:Plain", folder).digest
    (folder / "helper_of_nets.py").write_text("WIDTH = 8  # changed\n")
    _own._load.cache_clear()
    assert model("my_nets.py:Plain", folder).digest != first


def test_files_of_the_same_name_in_two_folders_are_two(folder):
    other = folder / "other"
    other.mkdir()
    (other / "my_nets.py").write_text(NETS)
    (other / "helper_of_nets.py").write_text("WIDTH = 5\n")
    widths = [model("my_nets.py:Plain", where).Settings().hidden for where in (folder, other)]
    assert widths == [8, 5]


def test_a_table_of_shapes_is_what_the_models_are_told():
    table = Table(classes(10, (2, 4, 6)).dataset, CPU)
    told = {name: shape.of(table.shapes) for name, shape in _own.SHAPES.items()}
    assert told == {
        "input_shape": (2, 4, 6), "in_features": 48, "in_channels": 2, "height": 4, "width": 6, "sequence_length": None,
        "vocabulary_size": None, "num_users": None, "num_items": None, "side_features": None, "num_classes": 3,
        "out_features": 3,
    }  # fmt: skip


def test_the_folder_of_the_experiment_is_where_it_starts(folder, monkeypatch):
    monkeypatch.chdir("/")
    assert inside("check", space(folder, name="my_nets.py:Plain"))[0] == 0
    assert Path(model("my_nets.py:Plain", folder).make.__module__).name.startswith("tuner_own")
