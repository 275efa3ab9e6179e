"""Samplers that propose for a tiny space, and learn from a made-up score."""

from helpers import GRID, record

from tuner.search.samplers import Proposer

WIDTH, ACTIVATION, RATE = "model.hidden_size", "model.activation", "training.optimizer.learning_rate"


def proposer(space, sampler, chain="outer-1", seed=3, maximize=True):
    return Proposer(space, sampler, seed, chain, maximize)


def score(values):
    """A made-up score: wide nets with relu are better."""
    return round(values[WIDTH] / 100 + (values[ACTIVATION] == "relu"), 6)


def searched(space, sampler, count, **kind):
    """A proposer after `count` rounds of proposing and learning, and its records."""
    decider, records = proposer(space, sampler, **kind), []
    for number in range(count):
        values = decider.propose(number)
        records.append(record(number, values, score(values)))
        decider.learn(records[-1])
    return decider, records


def changes(sampler):
    return GRID if sampler == "grid" else {}
