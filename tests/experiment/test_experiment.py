"""A whole experiment: its sections, its defaults, its identity, and a reader that no mutation breaks."""

import itertools
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.cli.console import error_text
from tuner.cli.spaces import shipped
from tuner.errors import ExperimentError
from tuner.experiment import grid
from tuner.experiment.experiment import flatten, load
from tuner.search.catalogue import catalogue
from tuner.search.own_kinds import CodeHere

CATALOGUE = catalogue(CodeHere(Path()))
HEAD = "dataset: {name: iris}\nmodel: {name: mlp, num_layers: [1, 2]}\n"
SHIPPED = {name: path.read_text("utf-8") for name, path in shipped().items()}


@pytest.fixture(scope="module")
def reading(tmp_path_factory):
    """Loads an experiment from text."""
    folder = tmp_path_factory.mktemp("experiments")

    def read(text, file="e.yaml"):
        (folder / file).write_text(text, encoding="utf-8")
        return load(folder / file, CATALOGUE)

    return read


def test_what_is_left_out_has_a_default(reading):
    experiment = reading(HEAD, "night.yaml")
    assert (experiment.name, experiment.metric, experiment.trials) == ("night", None, 30)
    assert (experiment.search.sampler, experiment.search.seed, experiment.search.batch) == ("tpe", 0, None)
    assert (experiment.resampling.outer, experiment.resampling.inner) == (None, "shared")
    assert experiment.limits.time is experiment.limits.failures is None
    assert experiment.folder.name.startswith("experiments")
    assert experiment.warnings == ()


def test_a_configuration_is_a_whole_settings_tree(reading):
    space = reading(HEAD).space
    tree = space.tree(space.default())
    assert tree["model"].items() >= {"name": "mlp", "hidden_size": 64, "activation": "relu", "dropout": 0.0}.items()
    assert tree["model"].keys() == CATALOGUE.models["mlp"].model_fields.keys()
    assert CATALOGUE.training.model_validate(tree["training"]) == CATALOGUE.training()


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_space_makes_valid_settings(reading, name):
    experiment = reading(SHIPPED[name])
    tree = experiment.space.tree(experiment.space.default())
    model = CATALOGUE.models[tree["model"]["name"]]
    assert flatten(model.model_validate(tree["model"]).model_dump()) == flatten(tree["model"])
    assert CATALOGUE.training.model_validate(tree["training"])
    assert experiment.space.admits(experiment.space.default())


def test_the_default_configuration_takes_zero_where_zero_is_offered(reading):
    space = reading("dataset: iris\nmodel: {name: mlp, dropout: [0.5, 0]}\n").space
    assert space.default() == {"model.dropout": 0}


MODEL = "dataset: iris\nmodel: {name: mlp, MODEL}\n"
TRAINING = "dataset: iris\nmodel: mlp\ntraining: {TRAINING}\n"


@pytest.mark.parametrize(
    ("text", "options", "default"),
    [
        (MODEL, "hidden_size: [OPTIONS]", ({"4", "8"}, 8)),  # 64 is not offered: the nearest is
        (MODEL, "hidden_size: [OPTIONS]", ({"4", "64", "256"}, 64)),
        (MODEL, "activation: [OPTIONS]", ({"tanh", "relu", "gelu"}, "relu")),
        (MODEL, "activation: [OPTIONS]", ({"elu", "tanh"}, "tanh")),  # the setting declares tanh before elu
        (TRAINING, "batch_size: [OPTIONS]", ({"full", "8", "16"}, 16)),
        (TRAINING, "clip_grad_norm: [OPTIONS]", ({"1", "null", "5"}, None)),
        (TRAINING, "optimizer: [OPTIONS]", ({"sgd", "adam", "rmsprop"}, "adam")),
        (TRAINING, "optimizer: [OPTIONS]", ({"rmsprop", "sgd"}, "sgd")),
        (TRAINING, "optimizer: {choose: {OPTIONS}}", ({"sgd: {momentum: 0.9}", "adam: {}"}, "adam")),
        (TRAINING, "schedule: [OPTIONS]", ({"cosine", "constant"}, "constant")),
        ("dataset: iris\nmodel: [MODEL]\n", "OPTIONS", ({"rnn", "mlp", "cnn"}, "cnn")),
    ],
)
def test_the_default_does_not_depend_on_the_order_of_a_list(reading, text, options, default):
    offered, expected = default
    for order in itertools.permutations(sorted(offered)):
        filled = re.sub("MODEL|TRAINING", options.replace("OPTIONS", ", ".join(order)), text)
        (value,) = reading(filled).space.default().values()
        assert value == expected, order


BRANCHES = """dataset: iris
model: {name: mlp, activation: [relu, tanh], hidden_size: [4, 8]}
training:
  epochs: 3
  weight_decay: {low: 1e-5, high: 1e-2, points: 4, log: true, or: 0}
  clip_grad_norm: {choice: [1, 2], when: "model.hidden_size > 4"}
  optimizer: {choose: {adam: {learning_rate: {low: 1e-4, high: 1e-1, points: 4, log: true}}, sgd: {momentum: [0, 0.9]}}}
search: {sampler: SAMPLER, trials: 4, default: {DEFAULT}}
"""


def stated(reading, default, sampler="random"):
    text = BRANCHES.replace("DEFAULT", default).replace("SAMPLER", sampler)
    return reading(text if sampler == "grid" else text.replace("points: 4, ", ""))


RATE, DECAY = "training.optimizer.adam.learning_rate", "training.weight_decay"


@pytest.mark.parametrize(
    ("default", "values"),
    [
        ("", {"model.hidden_size": 8, DECAY + ".or": 0, RATE: 0.001, "training.optimizer": "adam"}),
        ("model.hidden_size: 4", {"model.hidden_size": 4, "training.clip_grad_norm": None}),
        (f"{DECAY}: 1e-3", {DECAY + ".or": "range", DECAY: 1e-3}),
        (f"{DECAY}: 0.0", {DECAY + ".or": 0, DECAY: None}),
        (f"{RATE}: 0.03", {RATE: 0.03}),
        ("training.optimizer: sgd", {"training.optimizer": "sgd", RATE: None}),
        ("training.optimizer: sgd, training.optimizer.sgd.momentum: 0.9", {"training.optimizer.sgd.momentum": 0.9}),
    ],
)
def test_a_stated_default_is_completed_from_the_settings(reading, default, values):
    found = stated(reading, default).space.default()
    assert {path: found.get(path) for path in values} == values


@pytest.mark.parametrize(
    ("default", "said", "hint"),
    [
        ("model.hiden_size: 4", "'model.hiden_size' is not a searched setting", "did you mean 'model.hidden_size'?"),
        ("training.epochs: 4", "'training.epochs' is not a searched setting", "it has one value"),
        ("model.hidden_size: 6", "model.hidden_size is searched in 4 | 8, where 6 is not", "the nearest is 8"),
        ("model.activation: tahn", "model.activation is searched in relu | tanh, where 'tahn' is not", "'tanh'?"),
        ("model.hidden_size: [4]", "model.hidden_size is searched in 4 | 8, where a list is not", ""),
        (f"{DECAY}: 0.1", "searched in 1e-05 … 0.01, log or 0, where 0.1 is not", "the nearest is 0.01"),
        (f"{RATE}: true", "searched in 0.0001 … 0.1, log, where true is not", ""),
        ("training.optimizer.momentum: 0", "'training.optimizer.momentum' is not a searched setting",
         "write training.optimizer.sgd.momentum"),
        ("training.optimizer.name: sgd", "'training.optimizer.name' is not a searched setting",
         "write training.optimizer"),
        ("training.optimizer.sgd.momentum: 0", "no training.optimizer.sgd.momentum, as training.optimizer is adam",
         "state that too, or leave it out"),
        ("model.hidden_size: 4, training.clip_grad_norm: 2", "no training.clip_grad_norm, as it needs model.h", ""),
    ],
)  # fmt: skip
def test_a_stated_default_is_checked_at_its_place(reading, default, said, hint):
    with pytest.raises(ExperimentError) as error:
        stated(reading, default)
    report = error_text(error.value)
    assert said in report and hint in report
    line = BRANCHES.splitlines()[7].replace("SAMPLER", "random").replace("DEFAULT", default)
    column = int(re.match(r".*e\.yaml:8:(\d+): error: search.default: ", report)[1])
    assert line[column - 1 :].startswith((*default.split(": "), *default.split(", "), *default.split(" ")))


def test_a_stated_default_of_a_grid_is_a_cell(reading):
    assert stated(reading, f"{RATE}: 0.01", "grid").space.default(on_grid=True)[RATE] == pytest.approx(0.01)
    with pytest.raises(ExperimentError, match=r"where 0.02 is not"):
        stated(reading, f"{RATE}: 0.02", "grid")


def test_a_stated_default_that_breaks_a_constraint_is_an_error(reading):
    text = BRANCHES.replace("DEFAULT", "model.hidden_size: 8").replace("SAMPLER", "random").replace("points: 4, ", "")
    with pytest.raises(ExperimentError, match=r"e.yaml:8:38: error: the default configuration breaks a constraint"):
        reading(text + 'constraints: ["model.hidden_size < 8"]\n')


def test_a_mistake_in_a_setting_is_not_told_twice(reading):
    """A setting that is wrong itself cannot be judged as a default."""
    text = BRANCHES.replace("[4, 8]", "[4, x]").replace("DEFAULT", "model.hidden_size: 4").replace("SAMPLER", "random")
    with pytest.raises(ExperimentError) as error:
        reading(text.replace("points: 4, ", ""))
    assert "search.default" not in error_text(error.value)


def test_trials_of_a_grid_are_its_cells(reading):
    text = "dataset: iris\nmodel: {name: mlp, num_layers: [1, 2], hidden_size: {low: 2, high: 8, points: 3}}\n"
    assert reading(text + "search: {sampler: grid}").trials == 6
    assert reading(text + "search: {sampler: grid, trials: 99}").trials == 6
    short = reading(text + "search: {sampler: grid, trials: 4}")
    assert short.trials == 4
    assert "the grid has 6 cells, and trials: 4 covers only the first of them" in short.warnings[0]


def test_a_when_is_walked_after_what_it_reads(reading):
    text = 'dataset: iris\nmodel: {name: mlp, hidden_size: {low: 2, high: 8, points: 3, when: "model.num_layers > 1"}, '
    space = reading(text + "num_layers: [1, 2]}\nsearch: {sampler: grid}").space
    assert [p.path for p in space.parameters] == ["model.num_layers", "model.hidden_size"]
    assert grid.size(space) == 1 + 3
    assert space.configuration({"model.num_layers": 1}).model["hidden_size"] == 64


def test_points_are_for_the_grid(reading):
    (warning,) = reading("dataset: iris\nmodel: {name: mlp, hidden_size: {low: 2, high: 8, points: 3}}").warnings
    assert re.match(r".*e.yaml:2:33: warning: model.hidden_size: points is for the grid sampler; tpe draws", warning)


def test_a_default_that_breaks_a_constraint_is_a_warning(reading):
    (warning,) = reading(HEAD + 'constraints: ["model.num_layers > 1"]').warnings
    assert "the default configuration breaks a constraint, so there will be no comparison with it" in warning


def test_a_warning_does_not_take_the_setting_away(reading):
    experiment = reading(HEAD + "training: {optimizer: {name: adam, learning_rate: {low: 1e-4, high: 1.0}}}")
    assert "spans 4 decades without log" in experiment.warnings[0]
    assert "training.optimizer.learning_rate" in experiment.space.default()


def test_an_error_is_placed_at_its_entry(reading):
    error = reading("model: mlp\ndataset:\n  name: iris\n").error("dataset.name", "gone", "look")
    assert error_text(error).endswith(
        "e.yaml:3:3: error: gone\n   |\n 3 |   name: iris\n   |   ^^^^\n   = look"
    )  # fmt: skip


BASE = HEAD + "search: {sampler: random, trials: 5, seed: 1}\n"
SAME = {
    "comments": "# hello\n" + BASE,
    "order": "search: {seed: 1, sampler: random, trials: 5}\nmodel: {num_layers: [1, 2], name: mlp}\n"
    "dataset: {name: iris}\n",
    "total": BASE.replace("trials: 5", "trials: 500"),
    "no total": BASE.replace("trials: 5, ", ""),
    "name": BASE + "name: other\n",
    "limits": BASE + "limits: {time: 7h}\n",
    "spelling": "dataset: {'name': 'iris'}\nmodel:\n  name: mlp\n  num_layers:\n    - 1\n    - 0x2\n"
    "search:\n  sampler: random\n  trials: 5\n  seed: 1\n",
}  # fmt: skip
OTHER = {
    "seed": BASE.replace("seed: 1", "seed: 2"),
    "sampler": BASE.replace("random", "tpe"),
    "order of a choice": BASE.replace("[1, 2]", "[2, 1]"),
    "setting": BASE + "training: {epochs: 3}\n",
    "dataset": BASE.replace("iris", "wine"),
}


@pytest.mark.parametrize("text", SAME.values(), ids=SAME)
def test_what_leaves_an_experiment_the_same(reading, text):
    assert reading(text).identity() == reading(BASE).identity()


@pytest.mark.parametrize("text", OTHER.values(), ids=OTHER)
def test_what_makes_it_another(reading, text):
    assert reading(text).identity() != reading(BASE).identity()


TREES = st.recursive(
    st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(st.text("abc", min_size=1, max_size=3), inner, min_size=1, max_size=3),
    max_leaves=10,
)


@settings(deadline=None)
@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), TREES, max_size=3))
def test_flatten_can_be_undone(tree):
    rebuilt = {}
    for path, leaf in flatten(tree).items():
        *above, last = path.split(".")
        inner = rebuilt
        for key in above:
            inner = inner.setdefault(key, {})
        inner[last] = leaf
    assert rebuilt == tree


TOKENS = ["null", "[]", "{}", "-1", "0", "1e400", ".nan", "'x'", "[1, [2]]", "{low: 1}", "{choose: }", "&a *a", ": ",
          "- ", "\n", "{name: rnn}", "{choice: 3, when: 4}", "true", "!!float x",
          "{low: 1, high: 2, or: {}, when: '1 +'}", "9" * 320]  # fmt: skip


@settings(deadline=None, max_examples=80)
@given(st.sampled_from(sorted(SHIPPED)), st.data())
def test_no_mutation_of_a_file_breaks_the_reader(reading, name, data):
    text = SHIPPED[name]
    words = [m.span() for m in re.finditer(r"[\w.]+|\[[^\]]*\]|\{[^{}]*\}|[{}\[\]:]", text)]
    for _ in range(data.draw(st.integers(1, 2))):
        start, end = data.draw(st.sampled_from(words))
        text = text[:start] + data.draw(st.sampled_from(TOKENS)) + text[end:]
    try:
        experiment = reading(text)
    except ExperimentError as error:
        assert re.match(r".*e\.yaml(:\d+:\d+)?: error: ", error_text(error))
    else:
        assert Path(experiment.folder).is_dir()
        assert experiment.trials >= 1
