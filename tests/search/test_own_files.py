"""Where the user's own models come from, what becomes of a file that changes, and how mistakes are told."""

import json
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from helpers import inside, search
from own_nets import NETS, package, space
from torch import nn
from toys import CPU, classes

from tuner.errors import UsageError
from tuner.experiment.configuration import Configuration
from tuner.models import _own
from tuner.search.catalogue import model
from tuner.search.executors import Processes
from tuner.search.jobs import TrialJob
from tuner.search.prepare import prepare
from tuner.training.lane_data import DatasetTensors
from tuner.training.lanes import Lane


@pytest.mark.parametrize(
    ("wish", "what", "hint"),
    [
        ({"name": "my_nets.py:Plan"}, "my_nets.py has no class 'Plan'", "did you mean 'Plain'?"),
        ({"name": "my_net.py:Plain"}, "my_net.py: no such file in", "FILE.py:CLASS beside the experiment file"),
        ({"name": "my_nets.py:Function"}, "Function of my_nets.py is not a torch.nn.Module", None),
        ({"name": "my_nets.py:Plain", "hiden": 3}, "unknown key 'hiden' in model", "did you mean 'hidden'?"),
        ({"name": "my_nets.py:Plain", "hidden": "big"}, "model.hidden must be a whole number, not 'big'", None),
        ({"name": "my_nets.py:Unclear"}, "its argument 'in_featurs' is not a shape, and has neither", "'in_features'"),
        ({"name": "my_nets.py:Wrong"}, "of shape (2, 1) for 2 rows of 4; expected (2, 3)", "correct its forward"),
        ({"name": "my_nets.py:Pair"}, "the forward of my_nets.py:Pair gives a tuple, not a tensor", "one tensor"),
        ({"name": "my_nets.py:Sized"}, "model.input_size is missing", "handed in by the names input_shape, in_feat"),
        ({"name": "my_nets.py"}, "'my_nets.py' names no class", "name: my_nets.py:Plain"),
        ({"name": "my_nets.py:Words"}, "asks for vocabulary_size, which this data does not have", None),
        ({"name": "broken.py:Net"}, "broken.py cannot be imported: SyntaxError", "fix it"),
        ({"name": "no_such_package.nets:Net"}, "there is no module 'no_such_package', neither in", "pip install it"),
        ({"name": "nets_of_path:Plain"}, "there is no module 'nets_of_path', neither in", "put it there"),
        ({"name": "../nets_of_above.py:Plain"}, "../nets_of_above.py: no such file in", "beside the experiment file"),
        ({"name": "my_nets.py:Mixed"}, "my_nets.py:Mixed has weights of torch.float64", "float32"),
        ({"name": "nets_of_cwd:Plain"}, "there is no module 'nets_of_cwd', neither in", "put it there"),
        ({"name": "package/nets.py:Net"}, "package/nets.py cannot be imported: ImportError", "package.nets:CLASS"),
    ],
)  # fmt: skip
def test_its_mistakes_are_told_at_their_place(folder, monkeypatch, wish, what, hint):
    (folder / "broken.py").write_text("class Net(:\n")
    beside = folder / "beside"
    for place, name in ((folder / "cwd", "cwd"), (folder / "path", "path"), (folder, "above"), (beside, "beside")):
        place.mkdir(exist_ok=True)
        (place / f"nets_of_{name}.py").write_text(NETS)
    monkeypatch.chdir(folder / "cwd")  # what lies there is neither beside the experiment file nor installed
    monkeypatch.setenv("PYTHONPATH", str(folder / "path"))
    monkeypatch.syspath_prepend(folder / "path")
    for file in folder.glob("*.py"):
        (beside / file.name).write_text(file.read_text())
    (beside / "nets_of_above.py").unlink()
    package(beside)
    path = space(beside, **wish)
    code, _, err = inside("check", path)
    assert code == 2
    assert what in err
    assert hint is None or hint in err


@pytest.mark.slow
def test_what_is_installed_is_found_by_its_package(folder):
    search(space(folder, trials=1, name="torch.nn:Linear"), folder / "study.db")
    assert model("torch.nn:Linear", folder).make is nn.Linear


@pytest.mark.slow
def test_a_package_beside_the_experiment_is_found_and_all_of_it_is_hashed(folder):
    package(folder)
    path = space(folder, name="package.nets:Plain")
    search(path, folder / "study.db", workers=0)
    (folder / "package" / "sizes.py").write_text("WIDTH = 9\n")
    _own._load.cache_clear()
    code, _, err = inside("search", path, "--study", folder / "study.db", "--workers", "0")
    assert code == 2 and "the file of package.nets:Plain: " in err


@pytest.mark.slow
@pytest.mark.parametrize("net", ["Pixels", "Number"])
def test_it_may_answer_as_the_losses_of_torch_want_it(folder, net):
    data = {"name": "strokes", "rows": 30, "size": 16} if net == "Pixels" else "diabetes"
    path = space(folder, dataset=data, name=f"my_nets.py:{net}")
    code, out, _ = inside("search", path, "--study", folder / "study.db", "--workers", "0", "--json")
    events = [json.loads(line) for line in out.splitlines()]  # and nothing that the model prints
    assert code == 0 and {event.get("state") for event in events if event["event"] == "trial"} == {"complete"}


def test_one_that_is_too_large_is_refused_before_it_is_built(folder):
    code, _, err = inside("check", space(folder, name="my_nets.py:Plain", hidden=10**12))
    assert code == 2 and "my_nets.py:Plain has 8,000,000,000,003 parameters at its defaults" in err


def test_a_worker_that_finds_another_file_refuses(folder):
    path = space(folder, name="my_nets.py:Plain")
    work = prepare(path).work
    (folder / "helper_of_nets.py").write_text("WIDTH = 9\n")
    executor = Processes(work, ["cpu"], 1)
    lane = Lane(np.arange(30), (np.arange(30, 50),), 1)
    job = TrialJob(0, {}, Configuration({"name": "my_nets.py:Plain"}, {"epochs": 1}), (lane,), ())
    with closing(executor), pytest.raises(UsageError, match="Plain has changed since the search began"):
        executor.submit(job)
        while not executor.wait(1):
            pass


@pytest.mark.slow
def test_another_file_is_another_experiment(folder):
    path = space(folder, trials=1, name="my_nets.py:Plain")
    search(path, folder / "study.db")
    (folder / "my_nets.py").write_text(NETS + "\n# changed\n")
    _own._load.cache_clear()
    code, _, err = inside("search", path, "--study", folder / "study.db", "--workers", 0)
    assert code == 2
    assert "the file of my_nets.py:Plain: " in err


def test_so_is_another_file_that_it_imports(folder):
    first = model("my_nets.py:Plain", folder).code.digest
    (folder / "helper_of_nets.py").write_text("WIDTH = 8  # changed\n")
    _own._load.cache_clear()
    assert model("my_nets.py:Plain", folder).code.digest != first


def test_files_of_the_same_name_in_two_folders_are_two(folder):
    other = folder / "other"
    other.mkdir()
    (other / "my_nets.py").write_text(NETS)
    (other / "helper_of_nets.py").write_text("WIDTH = 5\n")
    widths = [model("my_nets.py:Plain", where).Settings().hidden for where in (folder, other)]
    assert widths == [8, 5]


def test_a_table_of_shapes_is_what_the_models_are_told():
    tensors = DatasetTensors(classes(10, (2, 4, 6)).dataset, CPU)
    told = {name: shape.of(tensors.shapes) for name, shape in _own.SHAPES.items()}
    assert told == {
        "input_shape": (2, 4, 6), "in_features": 48, "in_channels": 2, "height": 4, "width": 6, "sequence_length": None,
        "vocabulary_size": None, "num_users": None, "num_items": None, "side_features": None, "num_classes": 3,
        "out_features": 3,
    }  # fmt: skip


def test_the_folder_of_the_experiment_is_where_it_starts(folder, monkeypatch):
    monkeypatch.chdir("/")
    assert inside("check", space(folder, name="my_nets.py:Plain"))[0] == 0
    assert Path(model("my_nets.py:Plain", folder).make.__module__).name.startswith("tuner_own")
