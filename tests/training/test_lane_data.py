"""How a configuration reads texts, words and weights: what a lane knows comes from its own training rows alone."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from toy_data import changed, toy_dataset
from toys import CPU, SMALL, amounts, classes, go_on, lanes_of, recipe
from twins import SGD, plain_model, scaled

from tuner.data.inputs import PADDING, UNKNOWN
from tuner.data.preprocess import fit
from tuner.data.resampling import plan
from tuner.errors import DataError
from tuner.experiment.sections import Resampling
from tuner.metrics import METRICS
from tuner.models import mlp, rnn
from tuner.models.layers import Copies
from tuner.training.fitting import build_stacks
from tuner.training.lane_data import DatasetTensors, LaneData, as_read, shapes_of
from tuner.training.lanes import Batches, Lane
from tuner.training.loop import train
from tuner.training.optimizers import Sgd
from tuner.training.recipe import Recipe
from tuner.training.settings import TrainingSettings

EPOCHS = 5
WORDS = (PADDING, UNKNOWN, *"abcdefgh")


def texts(rows=40, longest=9, seed=0):
    """Random texts, common words and rare ones; the class is in the first word."""
    random = np.random.default_rng(seed)
    lengths = random.integers(1, longest + 1, rows)
    codes = 2 + np.minimum(random.geometric(0.35, (rows, longest)) - 1, 7)
    codes[np.arange(longest) >= lengths[:, None]] = 0
    return toy_dataset("toy", "classification", codes, codes[:, 0] % 2, (), ("y",), ("even", "odd"),
                   vocabularies=(WORDS,), lengths=lengths)  # fmt: skip


def read(dataset, train_rows, **wish):
    """What a lane that trains on these rows sees of all rows: codes (N, T) and lengths (N,)."""
    tensors = DatasetTensors(dataset, CPU).read_as(TrainingSettings(**wish))
    codes, lengths = LaneData(tensors, [Lane(train_rows, (), 0)]).inputs(torch.arange(len(dataset))[None])
    return codes[0].numpy(), lengths[0].numpy()


@given(seed=st.integers(0, 99), known=st.integers(3, 12), length=st.integers(1, 12))
@settings(max_examples=40, deadline=None)
def test_the_commonest_words_of_the_training_rows_are_known_in_order_of_how_common_they_are(seed, known, length):
    dataset, rows = texts(seed=seed), np.arange(25)
    codes, lengths = read(dataset, rows, vocabulary_size=known, max_length=length)
    short = dataset.features[:, :length]
    counts = Counter(code for text in short[rows].tolist() for code in text if code)
    common = sorted(counts, key=lambda code: (-counts[code], code))[: known - 2]
    expected = {0: 0, **{code: place + 2 for place, code in enumerate(common)}}
    np.testing.assert_array_equal(codes, [[expected.get(code, 1) for code in text] for text in short.tolist()])
    np.testing.assert_array_equal(lengths, (short > 0).sum(axis=1))


def test_words_of_other_rows_change_nothing_that_a_lane_knows():
    dataset, rows = texts(), np.arange(25)
    other = texts(seed=9)
    mixed = np.concatenate([dataset.features[:25], other.features[25:]])
    mixed_ = changed(dataset, codes=mixed)
    for wish in ({}, {"vocabulary_size": 5}, {"vocabulary_size": 5, "max_length": 3}):
        np.testing.assert_array_equal(read(dataset, rows, **wish)[0][:25], read(mixed_, rows, **wish)[0][:25])


def test_a_model_is_built_for_the_words_that_can_be_known_and_the_steps_that_are_read():
    dataset = texts()
    few = shapes_of(as_read(dataset, TrainingSettings(vocabulary_size=4, max_length=6)))
    assert (few.vocabularies, few.inputs) == ((4,), (6,))
    more = shapes_of(as_read(dataset, TrainingSettings(vocabulary_size=99, max_length=99)))
    assert (more.vocabularies, more.inputs) == ((10,), (9,))


def test_a_text_cut_by_the_setting_trains_as_one_cut_in_the_file():
    whole = texts()
    cut = changed(whole, codes=whole.features[:, :4].copy(), lengths=whole.lengths.clip(max=4))
    model = rnn.Settings(hidden_size=4, embedding_size=3)
    lanes = lanes_of(DatasetTensors(whole, CPU), [25, 26])
    found = [
        train(recipe(model, epochs=2, **wish), lanes, DatasetTensors(data, CPU), go_on).curves.loss
        for data, wish in ((whole, {"max_length": 4}), (cut, {}))
    ]
    np.testing.assert_array_equal(*found)


def test_weights_of_rows_are_those_of_torchs_weighted_mean():
    tensors = classes()
    weights = np.random.default_rng(5).integers(0, 4, len(tensors.dataset)).astype(np.float32)
    heavy = DatasetTensors(changed(tensors.dataset, weights=weights), CPU)
    (lane,) = lanes_of(tensors, [33])
    how = recipe(SMALL, "log_loss", epochs=EPOCHS, batch_size=8, optimizer=Sgd(learning_rate=0.1))
    (stack,) = build_stacks(how, [lane], heavy)
    model, batches = plain_model(stack, nn.ReLU()), Batches([lane], 8, CPU)
    heard = lane.train[weights[lane.train] > 0]
    x, y, moves = scaled(tensors.dataset.features, heard), tensors.targets, SGD(model.parameters())
    for _ in range(EPOCHS):
        for rows, used in zip(batches.epoch(), batches.weights, strict=True):
            batch = rows[0][used[0] > 0]
            loss, weight = nn.CrossEntropyLoss(reduction="none")(model(x[batch]), y[batch]), heavy.weights[batch]
            ((loss * weight).mean() / heavy.weights[lane.train].mean()).backward()
            moves.step()
            moves.zero_grad()
    rows = torch.from_numpy(lane.evaluations[0])
    losses = nn.CrossEntropyLoss(reduction="none")(model(x[rows]), y[rows]).detach().numpy()
    for where, counts in (("both", weights[lane.evaluations[0]]), ("training", None)):
        data = DatasetTensors(changed(heavy.dataset, weights_for=where), CPU)
        curves = train(how, [lane], data, go_on).curves
        for curve in (curves.loss, curves.score):  # of log loss
            assert curve[0, -1] == pytest.approx(np.average(losses, weights=counts), rel=2e-4)


def test_weights_for_scores_leave_training_as_it_is():
    tensors = classes()
    weights = np.random.default_rng(5).integers(0, 4, len(tensors.dataset)).astype(np.float32)
    heavy = DatasetTensors(changed(tensors.dataset, weights=weights, weights_for="scores"), CPU)
    how, lanes = recipe(SMALL, "log_loss", epochs=2, batch_size=8), lanes_of(tensors, [40, 41])
    plain, weighted = (train(how, lanes, data, go_on).curves for data in (tensors, heavy))
    np.testing.assert_array_equal(plain.train_loss, weighted.train_loss)
    assert (plain.score != weighted.score).all()


def test_equal_weights_change_nothing():
    tensors = classes()
    heavy = DatasetTensors(changed(tensors.dataset, weights=np.full(60, 2.5, np.float32)), CPU)
    how, lanes = recipe(SMALL, "log_loss", epochs=2, batch_size=8), lanes_of(tensors, [40, 41])
    losses = [train(how, lanes, data, go_on).curves.loss for data in (tensors, heavy)]
    np.testing.assert_allclose(*losses, rtol=1e-5)


def test_rows_that_weigh_nothing_are_as_if_they_were_not_there():
    """Neither in statistics, nor in the loss."""
    tensors = amounts(rows=60)
    targets, weights = tensors.dataset.targets.copy(), np.ones(60, np.float32)
    targets[::4], weights[::4] = 1e5, 0.0
    heavy = changed(tensors.dataset, targets=targets, weights=weights)
    rows = np.flatnonzero(weights)[:30]
    found = fit(heavy, np.arange(60)), fit(heavy, np.flatnonzero(weights))
    assert found[0].target_scale == pytest.approx(found[1].target_scale)
    lane = Lane(np.sort(np.concatenate([rows, np.arange(0, 40, 4)])), (np.arange(57, 60),), 0)
    curves = train(recipe(SMALL, "rmse", epochs=3, batch_size=8), [lane], DatasetTensors(heavy, CPU), go_on).curves
    assert np.isfinite(curves.loss).all() and curves.train_loss[0, -1] < 10


@pytest.mark.parametrize("normalization", ["none", "batch"])
def test_batches_of_rows_that_weigh_nothing_train_on(normalization):
    tensors, weights = classes(), np.zeros(60, np.float32)
    weights[::15] = 1.0
    heavy = DatasetTensors(changed(tensors.dataset, weights=weights, weights_for="training"), CPU)
    small = mlp.Settings(hidden_size=8, normalization=normalization)
    curves = train(recipe(small, "log_loss", epochs=2, batch_size=4), lanes_of(heavy, [40, 41]), heavy, go_on).curves
    assert np.isfinite(curves.loss).all() and np.isfinite(curves.train_loss).all()


def test_the_users_own_model_sees_every_row_of_a_batch_whatever_it_weighs():
    seen = []

    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(1, 2)

        def forward(self, x):
            if self.training:
                seen.extend(x[:, 0].tolist())
            return self.linear(x)

    features = np.arange(10, dtype=np.float32)[:, None]
    data = toy_dataset("toy", "classification", features, np.arange(10) % 2, (), ("y",), ("a", "b"), scale="none",
                   weights=(np.arange(10) % 2).astype(np.float32))  # fmt: skip
    how = Recipe(lambda s, k: Copies(Own, k, lambda out: out), TrainingSettings(epochs=1), METRICS["accuracy"])
    train(how, [Lane(np.arange(8), (np.arange(8, 10),), 0)], DatasetTensors(data, CPU), go_on)
    assert {*seen} == set(range(8))


def test_a_fold_whose_training_rows_weigh_nothing_is_refused():
    data = changed(classes().dataset, weights=np.zeros(60))
    with pytest.raises(DataError, match="all 40 rows that train a fold of outer-1 weigh 0"):
        plan(Resampling(outer=3), data)
