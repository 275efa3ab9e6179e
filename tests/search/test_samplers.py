"""Proposals depend only on seed, number, history and (for learners) the chain; learners are Optuna's own."""

import itertools
import warnings

import optuna
import pytest
from helpers import record, space_of
from hypothesis import given, settings
from hypothesis import strategies as st
from proposals import ACTIVATION, RATE, WIDTH, proposer, score, searched

from tuner.errors import NoResultError
from tuner.experiment.space import Range
from tuner.search import samplers
from tuner.search.samplers import LEARNING, Proposer, distribution
from tuner.seeds import seed_of

SLOW_GP = pytest.param("gp", marks=pytest.mark.slow)  # half a second for each draw
LEARNERS = pytest.mark.parametrize("sampler", [SLOW_GP if name == "gp" else name for name in LEARNING])


@LEARNERS
def test_learners_propose_for_their_own_chain(tmp_path, sampler):
    space = space_of(tmp_path)
    one, other = (proposer(space, sampler, chain) for chain in ("outer-1", "final"))
    assert one.propose(0) == other.propose(0) == space.default()
    assert [one.propose(n) for n in range(1, 5)] != [other.propose(n) for n in range(1, 5)]


@pytest.mark.parametrize("sampler", ["random", "tpe", "gp"])
def test_the_seed_counts_and_the_default_comes_first(tmp_path, sampler):
    space = space_of(tmp_path)
    one, other = (proposer(space, sampler, seed=seed) for seed in (1, 2))
    assert one.propose(0) == other.propose(0) == {WIDTH: 16, ACTIVATION: "relu", RATE: 0.001}
    assert [one.propose(n) for n in range(1, 5)] != [other.propose(n) for n in range(1, 5)]


def test_what_is_proposed_in_one_round_does_not_count_in_the_next(tmp_path):
    """Proposals that were never learned, as after a kill, leave no trace."""
    space = space_of(tmp_path)
    quiet, records = searched(space, "tpe", 12)
    asked = proposer(space, "tpe")
    for trial in records:
        asked.propose(trial.number + 40)
        asked.learn(trial)
    assert asked.propose(12) == quiet.propose(12)


def conditional(tmp_path, **more):
    """0 layers have no width; 1 or 2 have one of three."""
    layers, width = [0, 1, 2], {"low": 2, "high": 6, "step": 2, "when": "model.num_layers > 0"}
    model = {"num_layers": layers, "hidden_size": width, "activation": None}
    rate = {"name": "adam", "learning_rate": [0.01, 0.1]}
    return space_of(tmp_path, model=model, training={"optimizer": rate}, search={"sampler": "grid", "trials": None},
                    **more)  # fmt: skip


def all_cells(space):
    decider = proposer(space, "grid")
    return [decider.propose(number) for number in range(decider.available(10_000))]


def test_the_grid_is_the_default_cell_then_every_other_cell_once(tmp_path):
    space = conditional(tmp_path)
    layers, rates = "model.num_layers", (0.01, 0.1)
    expected = [{layers: 0, RATE: rate} for rate in rates]
    expected += [{layers: n, WIDTH: w, RATE: rate} for n, w, rate in itertools.product((1, 2), (2, 4, 6), rates)]
    cells = all_cells(space)
    assert cells[0] == space.default(on_grid=True)
    expected.remove(cells[0])
    assert cells[1:] == expected


@settings(deadline=None, max_examples=15)
@given(
    widths=st.lists(st.integers(1, 9), min_size=2, max_size=4, unique=True),
    layers=st.lists(st.integers(0, 3), min_size=2, max_size=3, unique=True),
    bound=st.integers(0, 30),
)
def test_a_grid_under_a_constraint_is_the_brute_force_set(tmp_path_factory, widths, layers, bound):
    text = f"model.num_layers * model.hidden_size <= {bound}"
    model = {"hidden_size": widths, "num_layers": layers, "activation": "relu"}
    optimizer = {"name": "adam", "learning_rate": 0.01}
    space = space_of(
        tmp_path_factory.mktemp("grid"),
        model=model,
        training={"optimizer": optimizer},
        search={"sampler": "grid", "trials": None},
        constraints=[text],
    )
    found = [(cell[WIDTH], cell["model.num_layers"]) for cell in all_cells(space)]
    assert sorted(found) == sorted((w, n) for w, n in itertools.product(widths, layers) if w * n <= bound)


@pytest.mark.parametrize("sampler", ["random", "tpe", SLOW_GP])
def test_constraints_hold_for_every_proposal(tmp_path, sampler, monkeypatch):
    monkeypatch.setattr(samplers, "MOST_ATTEMPTS", 20)  # a draw that insists on an excluded place must not go on
    text = "model.hidden_size * training.optimizer.learning_rate <= 0.2"
    space = space_of(tmp_path, constraints=[text])
    _, records = searched(space, sampler, 14)
    assert all(r.values[WIDTH] * r.values[RATE] <= 0.2 for r in records)
    _, unconstrained = searched(space_of(tmp_path), sampler, 14)
    assert any(r.values[WIDTH] * r.values[RATE] > 0.2 for r in unconstrained)


def test_constraints_that_exclude_everything_end_the_search(tmp_path):
    space = space_of(tmp_path, constraints=["model.hidden_size > 99"])
    with pytest.raises(NoResultError, match="no configuration satisfies the constraints"):
        proposer(space, "random").propose(0)


DISTRIBUTIONS = {
    WIDTH: optuna.distributions.IntDistribution(2, 16, log=True),
    ACTIVATION: optuna.distributions.CategoricalDistribution(("relu", "tanh")),
    RATE: optuna.distributions.FloatDistribution(0.001, 0.3, log=True),
}


@pytest.mark.parametrize("maximize", [True, False])
def test_tpe_is_optunas_own_fed_with_the_same_trials(tmp_path, maximize):
    decider, records = searched(space_of(tmp_path), "tpe", 15, maximize=maximize)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # grouped TPE is marked as experimental
        seed = seed_of(3, 15, 0, "outer-1") % 2**32
        sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True)
        study = optuna.create_study(direction="maximize" if maximize else "minimize", sampler=sampler)
        for r in records:
            study.add_trial(optuna.create_trial(params=r.values, distributions=DISTRIBUTIONS, value=r.score))
        trial = study.ask()
        width = trial.suggest_int(WIDTH, 2, 16, log=True)
        activation = trial.suggest_categorical(ACTIVATION, ["relu", "tanh"])
        rate = trial.suggest_float(RATE, 0.001, 0.3, log=True)
    expected = {WIDTH: width, ACTIVATION: activation, RATE: pytest.approx(rate, rel=1e-9)}
    assert decider.propose(15) == expected


@LEARNERS
def test_learners_hear_the_scores(tmp_path, sampler):
    """The same configurations with the opposite scores lead elsewhere."""
    space = space_of(tmp_path)
    configurations = [proposer(space, "random").propose(number) for number in range(14)]
    proposals = []
    for sign in (1, -1):
        decider = proposer(space, sampler)
        for number, values in enumerate(configurations):
            decider.learn(record(number, values, sign * score(values)))
        proposals.append([decider.propose(number) for number in range(14, 18)])
    assert proposals[0] != proposals[1]


@LEARNERS
def test_failed_trials_are_avoided(tmp_path, sampler):
    """Every tanh trial has failed; all relu trials score alike, so that only the failures speak."""
    space = space_of(tmp_path)
    drawn = [proposer(space, "random").propose(number) for number in range(24)]
    assert 8 <= sum(values[ACTIVATION] == "tanh" for values in drawn) <= 16
    decider = proposer(space, sampler)
    for number, values in enumerate(drawn):
        decider.learn(record(number, values, 0.5 + number / 1000 if values[ACTIVATION] == "relu" else None))
    proposals = [decider.propose(number)[ACTIVATION] for number in range(24, 32)]
    assert proposals.count("relu") >= 7


@given(st.integers(-20, 20), st.integers(1, 7), st.integers(0, 6), st.integers(0, 3))
@settings(deadline=None, max_examples=40)
def test_every_step_of_an_integer_range_can_be_drawn_and_nothing_else(low, step, steps, rest):
    """Also where it ends at 0, and where `high` is no step."""
    rest = min(rest, step - 1)
    domain = Range(low, low + steps * step + rest, True, step=step)
    expected = distribution(domain)
    assert (expected.low, expected.high, expected.step) == (low, low + steps * step, step)
    assert [domain.cell(i) for i in range(domain.size())] == list(range(low, low + steps * step + 1, step))


def test_an_integer_range_with_steps_down_to_zero_is_searched_whole(tmp_path):
    (tmp_path / "zero.py").write_text(
        "from torch import nn\n"
        "class Zero(nn.Module):\n"
        "    def __init__(self, in_features, num_classes, start: int = -2):\n"
        "        super().__init__()\n"
        "        self.layer = nn.Linear(in_features, num_classes)\n"
        "    def forward(self, x):\n"
        "        return self.layer(x)\n"
    )
    model = {
        "name": "zero.py:Zero",
        "start": {"low": -4, "high": 0, "step": 2},
        "hidden_size": None,
        "activation": None,
    }
    space = space_of(tmp_path, model=model, search={"sampler": "random"})
    proposer = Proposer(space, "random", 0, "", True)
    assert {proposer.propose(number)["model.start"] for number in range(40)} == {-4, -2, 0}
