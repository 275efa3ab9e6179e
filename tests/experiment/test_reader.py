"""The settings tree read against typed settings: what is fixed, what is open, under which name and condition."""

from typing import Annotated, Literal

import pytest
from pydantic import Field

from tuner.experiment.place import Place
from tuner.experiment.reader import Reader
from tuner.experiment.sections import Limits, Resampling, seconds
from tuner.experiment.settings import (
    Settings,
    accepts,
    alternatives,
    complaint,
    describe,
    literals,
    name_of,
    subsettings,
)
from tuner.experiment.space import RANGE_OPTION, Choice, Range
from tuner.experiment.yaml_file import read


class Adam(Settings):
    name: Literal["adam"] = "adam"
    rate: float = Field(1e-3, gt=0, le=100, description="step size")


class Sgd(Settings):
    name: Literal["sgd"] = "sgd"
    rate: float = Field(1e-2, gt=0, description="step size")
    momentum: float = Field(0.0, ge=0, lt=1, description="kept")


class Stopping(Settings):
    patience: int = Field(5, ge=1, description="epochs")


class Toy(Settings):
    units: int = Field(64, ge=1, le=4096, description="units")
    kind: Literal["a", "b", "range"] = Field("a", description="kind")
    batch: Annotated[int, Field(ge=1)] | Literal["full"] = Field(32, description="rows")
    flag: bool = Field(False, description="flag")
    sizes: tuple[int, ...] = Field((), description="sizes")
    optimizer: Adam | Sgd = Field(Adam(), discriminator="name", description="optimizer")
    stopping: Stopping | None = Field(None, description="stopping")
    path: str = Field("x", description="file")


@pytest.fixture
def toy(tmp_path):
    """A reader that has read `text` as `Toy` settings under the name `t`."""

    def reading(text, searchable=True):
        (tmp_path / "e.yaml").write_text(text)
        reader = Reader()
        reader.searchable = searchable
        reader.settings(read(tmp_path / "e.yaml").root, Toy, Place.of("t"))
        return reader

    return reading


def domains(reader):
    """Path → domain of every open leaf."""
    return {p.path: p.domain for p in reader.parameters}


def settled(reader):
    """Path → value of every settled leaf."""
    return {f.path: f.value for f in reader.fixed}


def said(reader):
    return [p.message for p in sorted(reader.problems)]


def test_what_is_left_out_takes_its_default(toy):
    assert settled(toy("{}")) == {
        "t.units": 64, "t.kind": "a", "t.batch": 32, "t.flag": False, "t.sizes": (), "t.optimizer.name": "adam",
        "t.optimizer.rate": 1e-3, "t.stopping": None, "t.path": "x",
    }  # fmt: skip


def test_a_value_is_fixed(toy):
    reader = toy("units: 8\nbatch: full\nstopping: {patience: 2}\nsizes: [1, 2]\n")
    assert not reader.parameters
    assert not reader.problems
    wanted = {"t.units": 8, "t.batch": "full", "t.stopping.patience": 2, "t.sizes": [1, 2]}
    assert wanted.items() <= settled(reader).items()


def test_a_list_is_a_choice_in_the_files_order(toy):
    reader = toy("units: [8, 4]\nbatch: [full, 2]\nflag: [true, false]\n")
    assert domains(reader) == {
        "t.units": Choice((8, 4)), "t.batch": Choice(("full", 2)), "t.flag": Choice((True, False)),
    }  # fmt: skip


def test_low_and_high_are_a_range_of_the_settings_own_type(toy):
    reader = toy("units: {low: 1, high: 9, log: true}\noptimizer: {name: adam, rate: {low: 1, high: 2, step: 0.5}}\n")
    assert domains(reader) == {
        "t.units": Range(1, 9, True, log=True), "t.optimizer.rate": Range(1, 2, False, step=0.5),
    }  # fmt: skip


def test_choose_opens_a_branch(toy):
    reader = toy("optimizer: {choose: {sgd: {momentum: [0.1, 0.9]}, adam: {rate: {low: 0.5, high: 1.0, points: 2}}}}\n")
    selector, momentum, rate = reader.parameters
    assert (selector.path, selector.target, selector.domain) == (
        "t.optimizer",
        "t.optimizer.name",
        Choice(("sgd", "adam")),
    )
    assert selector.selector
    assert (momentum.path, momentum.target) == ("t.optimizer.sgd.momentum", "t.optimizer.momentum")
    assert momentum.condition.selected == (("t.optimizer", "sgd"),)
    assert (rate.path, rate.condition.selected) == ("t.optimizer.adam.rate", (("t.optimizer", "adam"),))
    assert {"t.optimizer.sgd.rate": 0.01}.items() <= settled(reader).items()
    assert "t.optimizer.rate" in reader.names, "an expression may use the target"


@pytest.mark.parametrize("text", ["optimizer: [adam, sgd]", "optimizer: {choose: [adam, sgd]}",
                                  "optimizer: {choose: {adam: , sgd: {}}}"])  # fmt: skip
def test_a_list_of_names_is_a_branch_with_defaults(toy, text):
    reader = toy(text)
    assert domains(reader) == {"t.optimizer": Choice(("adam", "sgd"))}
    assert not reader.problems


def test_or_is_a_choice_before_the_range(toy):
    reader = toy("batch: {low: 1, high: 64, or: full}\n")
    other, span = reader.parameters
    assert (other.path, other.target, other.domain) == ("t.batch.or", "t.batch", Choice(("full", RANGE_OPTION)))
    assert (other.selector, other.default) == (True, RANGE_OPTION)
    assert span.condition.selected == (("t.batch.or", RANGE_OPTION),)


def test_when_leaves_the_default_where_it_does_not_hold(toy):
    reader = toy('units: {low: 1, high: 9, when: "t.flag"}\nkind: {choice: [a, b], when: "t.units > 3"}\n')
    assert {"t.units": 64, "t.kind": "a"}.items() <= settled(reader).items()
    assert [p.condition.when.text for p in reader.parameters] == ["t.flag", "t.units > 3"]
    assert [e.names for e, _ in reader.whens] == [("t.flag",), ("t.units",)]


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("unit: 3", ["unknown key 'unit' in t"]),
        ("units: 0", ["t.units must be at least 1, not 0"]),
        ("units: [1, 0, x]", ["t.units must be at least 1, not 0", "t.units must be a whole number, not 'x'"]),
        ("units: {low: 0, high: 9}", ["t.units must be at least 1, not 0"]),
        ("units: null", ["t.units must be a whole number, not null"]),
        ("units: [[1, 2]]", ["t.units: a choice is among plain values", "t.units must be a whole number, not a list"]),
        ("flag: 1", ["t.flag must be true or false, not 1"]),
        ("path: 3", ["t.path must be text, not 3"]),
        ("kind: c", ["t.kind must be one of 'a', 'b' or 'range', not 'c'"]),
        ("batch: 0", ["t.batch must be at least 1, not 0"]),
        ("stopping: 3", ["t.stopping must be a mapping of settings, not 3"]),
        ("stopping: {patience: 0}", ["t.stopping.patience must be at least 1, not 0"]),
        ("sizes: [1, x]", ["t.sizes must be a whole number, not a list"]),
        ("optimizer: adm", ["unknown optimizer 'adm'"]),
        ("optimizer: {rate: 1}", ["t.optimizer needs a name"]),
        ("optimizer: {choose: {}}", ["t.optimizer: choose needs at least one of: adam, sgd"]),
        ("optimizer: {choose: {adam: 3}}", ["t.optimizer.adam must be a mapping of settings, not 3"]),
        ("optimizer: {choose: {adam: {name: adam}}}", ["unknown key 'name' in t.optimizer.adam"]),
        ("units: {choose: {a: {}}}", ["t.units has no alternatives with settings of their own"]),
        ("units: {low: 1, high: 3, or: 0}", ["t.units must be at least 1, not 0"]),
        ("units: {low: 1, high: 3, log: 1}", ["t.units.log must be true or false, not 1"]),
        ("units: {low: 1, high: 3, points: 0}", ["t.units.points must be 1 … 10,000"]),
        ("kind: {choice: [a], when: 3}", ["an expression is text, not 3"]),
    ],
)  # fmt: skip
def test_what_is_wrong(toy, text, messages):
    assert said(toy(text)) == messages


def test_a_repeated_option_of_a_branch_is_told(toy):
    assert said(toy("optimizer: [adam, sgd, adam]")) == ["t.optimizer offers 'adam' twice"]


def test_a_wide_range_without_log_is_a_warning(toy):
    reader = toy("optimizer: {name: adam, rate: {low: 0.001, high: 10.0}}")
    (problem,) = reader.problems
    assert (problem.warning, problem.hint) == (True, "add log: true")
    assert problem.message == "t.optimizer.rate spans 4 decades without log: small values are hardly ever tried"
    assert domains(reader) == {"t.optimizer.rate": Range(0.001, 10.0, False)}, "it is searched all the same"


def test_what_is_not_searched_must_be_one_value(toy):
    reader = toy("units: [1, 2]\nkind: {choice: [a]}\n", searchable=False)
    kinds = {"units": "a list", "kind": "a mapping"}
    assert said(reader) == [
        f"t.{name} cannot be searched, so it must be one value, not {kind}" for name, kind in kinds.items()
    ]


def test_settings_can_be_asked_about_themselves():
    fields = Toy.model_fields
    assert list(alternatives(fields["optimizer"])) == ["adam", "sgd"]
    assert subsettings(fields["stopping"]) is Stopping
    assert name_of(Adam) == "adam"
    assert name_of(Toy) is None
    assert literals(fields["batch"]) == ("full",)
    assert accepts(fields["sizes"], list)
    assert not accepts(fields["units"], float)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("units", ("integer", "1 … 4,096")),
        ("batch", ("integer | full", "1 …")),
        ("kind", ("a | b | range", "")),
        ("flag", ("true/false", "")),
        ("sizes", ("list", "")),
        ("optimizer", ("adam | sgd", "")),
        ("stopping", ("settings | null", "")),
    ],
)
def test_settings_describe_themselves(name, words):
    assert describe(Toy.model_fields[name]) == words


def test_bounds_that_are_not_included_say_so():
    assert describe(Sgd.model_fields["momentum"]) == ("number", "0 … < 1")
    assert describe(Adam.model_fields["rate"]) == ("number", "> 0 … 100")


def test_a_complaint_says_every_way_out():
    assert complaint(Toy, "batch", "ful") == "must be 'full' or a whole number"
    assert complaint(Toy, "sizes", [1, 2]) is None
    assert complaint(Resampling, "outer", 1) == "must be at least 2"
    assert complaint(Limits, "time", "0s") == "must be a duration above 0"


@pytest.mark.parametrize(
    ("text", "meant"), [("7h", 25200), ("90m", 5400), ("1h30m", 5400), ("45s", 45), ("1d 2h", 93600), ("0.5s", 0.5)]
)
def test_durations(text, meant):
    assert seconds(text) == meant


@pytest.mark.parametrize("text", ["", "7", "h", "1m2h", "-1h", "1.5h", "7 x"])
def test_what_is_no_duration(text):
    with pytest.raises(ValueError, match="a duration such as"):
        seconds(text)
