"""Training equals a plain torch loop; a stack of K lanes equals K stacks of one, score by score."""

import re
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from torch import nn
from toys import CPU, SMALL, amounts, assert_same_view, classes, go_on, lanes_of, recipe
from twins import plain_model, scaled

from tuner.models import mlp, rnn
from tuner.training.early_stopping import progress
from tuner.training.fitting import build_stacks
from tuner.training.lanes import Batches, Lane
from tuner.training.loop import Diverged, train, train_fixed_epochs
from tuner.training.optimizers import Adam, Sgd
from tuner.training.settings import EarlyStopping

MODELS = {
    "mlp": (SMALL, (5,)),
    **{c: (rnn.Settings(cell=c, hidden_size=5, num_layers=2), (3, 4)) for c in ("rnn", "gru", "lstm")},
}


def slow_if(slow, *values):
    return pytest.param(*values, marks=pytest.mark.slow if slow else ())


@pytest.mark.parametrize("patience", [None, 2])
@pytest.mark.parametrize(
    ("name", "dropout", "batch_size"),
    [
        slow_if(name != "mlp" and dropout and batch_size == 1, name, dropout, batch_size)
        for name, dropout, batch_size in product(MODELS, (0.0, 0.4), (1, 8, "full"))
    ],
)
def test_a_stack_equals_its_lanes_trained_alone(name, dropout, batch_size, patience):
    model, shape = MODELS[name]
    tensors = classes(24, shape)
    lanes = lanes_of(tensors, [16, 15, 12])
    stopping = EarlyStopping(patience=patience) if patience else None
    epochs = 1 if batch_size == 1 else 5
    how = recipe(model.model_copy(update={"dropout": dropout}), epochs=epochs, batch_size=batch_size,
                 early_stopping=stopping, optimizer=Adam(learning_rate=0.01))  # fmt: skip
    together = train(how, lanes, tensors, go_on).curves
    for k, lane in enumerate(lanes):
        assert_same_view(together, k, train(how, [lane], tensors, go_on).curves)


@pytest.mark.parametrize("dropout", [0.0, 0.4])
def test_the_order_of_lanes_does_not_matter(dropout):
    tensors = classes()
    lanes = lanes_of(tensors, [40, 41, 39, 25])
    how = recipe(SMALL.model_copy(update={"dropout": dropout}), epochs=6, batch_size=8)
    forward, backward = train(how, lanes, tensors, go_on).curves, train(how, lanes[::-1], tensors, go_on).curves
    for k in range(4):
        assert_same_view(forward, k, backward, 3 - k)


def by_hand(model, optimizer, loss, x, y, lane, batch_size, epochs):
    """A loop as in torch's tutorials; the order of the rows is the lane's."""
    batches = Batches([lane], batch_size, CPU)
    training, validation = [], []
    for _ in range(epochs):
        total = 0.0
        for rows, weights in zip(batches.epoch(), batches.weights, strict=True):
            batch = rows[0][weights[0] > 0]
            value = loss(model(x[batch]), y[batch])
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            total += value.item() * len(batch)
        training.append(total / len(lane.train))
        with torch.no_grad():
            rows = torch.from_numpy(lane.evaluations[0])
            validation.append(loss(model(x[rows]), y[rows]).item())
    return training, validation


OPTIMIZERS = {
    "adam": (Adam(learning_rate=0.01), lambda p, d: torch.optim.Adam(p, 0.01, weight_decay=d)),
    "sgd": (Sgd(learning_rate=0.05), lambda p, d: torch.optim.SGD(p, 0.05, weight_decay=d)),
    "momentum": (Sgd(learning_rate=0.02, momentum=0.9), lambda p, d: torch.optim.SGD(p, 0.02, 0.9, weight_decay=d)),
}


@pytest.mark.parametrize("batch_size", [1, 7, "full"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_training_equals_a_plain_torch_loop(task, optimizer, batch_size):
    tensors = classes() if task == "classification" else amounts()
    metric, loss = {"classification": ("log_loss", nn.CrossEntropyLoss()), "regression": ("rmse", nn.MSELoss())}[task]
    (lane,) = lanes_of(tensors, [33])
    settings, build = OPTIMIZERS[optimizer]
    how = recipe(SMALL, metric, epochs=4, batch_size=batch_size, weight_decay=0.01, optimizer=settings)
    (stack,) = build_stacks(how, [lane], tensors)
    model = plain_model(stack, nn.ReLU())
    x, y = scaled(tensors.dataset.features, lane.train), tensors.targets
    if task == "regression":
        y = scaled(tensors.dataset.targets, lane.train)
    training, validation = by_hand(model, build(model.parameters(), 0.01), loss, x, y, lane, batch_size, 4)
    curves = train(how, [lane], tensors, go_on).curves
    np.testing.assert_allclose(curves.train_loss[0], training, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(curves.loss[0], validation, rtol=1e-4, atol=1e-5)


def test_regression_is_scored_in_the_targets_own_units():
    tensors = amounts()
    (lane,) = lanes_of(tensors, [35])
    how = recipe(mlp.Settings(num_layers=0), "rmse", epochs=200, batch_size="full", optimizer=Adam(learning_rate=0.05))
    score = train(how, [lane], tensors, go_on).curves.score[0, -1]
    x, y = tensors.dataset.features, tensors.dataset.targets.astype(np.float64)
    design = np.c_[np.ones(len(x)), x]
    weights, *_ = np.linalg.lstsq(design[lane.train], y[lane.train], rcond=None)
    errors = (design @ weights - y)[lane.evaluations[0]]
    assert score == pytest.approx(np.sqrt((errors**2).mean(axis=0)).mean(), rel=1e-3)


@pytest.mark.parametrize("hidden_size", [1, 2, 5, 16])
@pytest.mark.parametrize("features", [2, 3, 5, 16])  # so few that BLAS rounds differently for different numbers of rows
def test_several_row_sets_are_scored_to_the_bit_as_if_each_were_the_only_one(features, hidden_size):
    tensors = classes(500, (features,))
    rows = np.random.default_rng(0).permutation(500)
    sets = (rows[40:45], rows[45:160], rows[200:500])
    how = recipe(mlp.Settings(hidden_size=hidden_size), "log_loss", epochs=2, batch_size=8)
    both = train(how, [Lane(rows[:40], sets, 5)], tensors, go_on).curves
    for number, one in enumerate(sets):
        alone = train(how, [Lane(rows[:40], (one,), 5), Lane(rows[:39], (one[:-1],), 6)], tensors, go_on).curves
        assert_same_view(both, number, alone, rtol=0, atol=0)


@pytest.mark.parametrize("batch_size", [1, 6, 24])
@pytest.mark.parametrize(
    "model",
    [mlp.Settings(hidden_size=5, activation="mish"), mlp.Settings(hidden_size=3, num_layers=2, activation="sigmoid"),
     rnn.Settings(cell="gru", hidden_size=7), rnn.Settings(cell="rnn", hidden_size=5, bidirectional=True)],
    ids=["mish", "sigmoid", "gru", "rnn"],
)  # fmt: skip
def test_a_lane_is_the_same_to_the_bit_wherever_it_stands(model, batch_size):
    tensors = classes(64, (3, 5))  # torch rounds the last numbers of a tensor otherwise than the rest
    how = recipe(model, "log_loss", epochs=2, batch_size=batch_size)
    lanes = lanes_of(tensors, [40] * 5)
    together = train(how, lanes, tensors, go_on).curves
    for chosen in ([4, 0], [1, 2, 3], [3, 4, 1, 0, 2]):
        other = train(how, [lanes[i] for i in chosen], tensors, go_on).curves
        for place, position in enumerate(chosen):
            assert_same_view(other, place, together, position, rtol=0, atol=0)


def overfitting(patience):
    stopping = EarlyStopping(patience=patience) if patience else None
    how = recipe(mlp.Settings(hidden_size=64, num_layers=2), "log_loss", epochs=25, batch_size=8,
                 early_stopping=stopping, optimizer=Adam(learning_rate=0.02))  # fmt: skip
    tensors = classes()
    return train(how, lanes_of(tensors, [30, 31, 45]), tensors, go_on)


@pytest.mark.parametrize("worth_leaving", [0.0, 0.75])
def test_with_patience_the_best_epoch_of_each_lane_counts(monkeypatch, worth_leaving):
    monkeypatch.setattr("tuner.training.stack.SHRINK_THRESHOLD", worth_leaving)
    curves = overfitting(3).curves
    assert len(set(curves.best)) > 1, "the lanes should differ, or the test shows nothing"
    assert (curves.best < 25 - 3).all()
    np.testing.assert_array_equal(curves.counting, np.nanmin(curves.score, axis=-1))


def test_without_patience_the_last_epoch_counts():
    curves = overfitting(None).curves
    assert (curves.best == 25).all()
    np.testing.assert_array_equal(curves.counting, curves.score[..., -1])


def test_the_judge_sees_the_scores_that_would_count_and_can_end_the_training():
    heard = []

    def judge(epoch, curves):
        heard.append(curves.counting)
        return np.full(3, epoch < 4)

    tensors = classes()
    how = recipe(SMALL, "log_loss", epochs=10, batch_size=8, early_stopping=EarlyStopping(patience=5))
    scores = train(how, lanes_of(tensors, [30, 31, 45]), tensors, judge).curves.score
    assert scores.shape == (3, 4)
    np.testing.assert_array_equal(heard, [scores[:, : e + 1].min(axis=1) for e in range(4)])


def test_a_view_that_is_no_longer_wanted_ends_and_the_others_do_not_notice():
    tensors = classes()
    lanes = lanes_of(tensors, [30, 31, 45], sets=2)
    how = recipe(SMALL.model_copy(update={"dropout": 0.3}), "log_loss", epochs=6, batch_size=8)
    ends = np.array([1, 6, 6, 2, 3, 3])

    undisturbed = train(how, lanes, tensors, go_on).curves
    curves = train(how, lanes, tensors, lambda epoch, curves: epoch < ends).curves
    assert np.isfinite(curves.score).sum(axis=1).tolist() == curves.best.tolist() == ends.tolist()
    assert np.isfinite(curves.train_loss).sum(axis=1).tolist() == [6, 6, 3]
    for name in ("train_loss", "loss", "score"):
        mine, theirs = getattr(curves, name), getattr(undisturbed, name)
        written = np.isfinite(mine)
        np.testing.assert_allclose(mine[written], theirs[written], rtol=1e-5)


def test_a_refit_is_the_same_training_scored_once_at_its_end():
    tensors = classes()
    lanes = lanes_of(tensors, [39, 40, 38, 40], sets=2)
    how = recipe(SMALL.model_copy(update={"dropout": 0.3}), "log_loss", epochs=6, batch_size=8)
    epochs = []
    alone = train_fixed_epochs(how, replace(lanes[1], held_out=lanes[1].held_out[1:]), tensors, 6, epochs.append)
    whole = train(how, lanes, tensors, go_on, keep=[3])  # the second row set of the second lane
    assert alone.train_loss.tolist() == whole.curves.train_loss[1].tolist()
    assert alone.score == whole.curves.score[3, -1]
    assert alone.outputs.tolist() == whole.outputs[3][-1].tolist()
    shared = whole.layer_statistics.of(1, 3, 6)
    assert (alone.reading.layers, alone.reading.relus) == (shared.layers, shared.relus)
    assert alone.reading.norms.tolist() == shared.norms.tolist() and (shared.norms > 0).all()
    assert alone.reading.dead.tolist() == shared.dead.tolist()
    assert epochs == [1, 2, 3, 4, 5, 6]


def test_the_same_training_again_is_bit_for_bit_the_same():
    first, second = overfitting(3).curves, overfitting(3).curves
    for name in ("train_loss", "loss", "score", "best"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


REASON = r"^the (training|validation) loss is not a finite number in epoch \d+$"


def test_a_diverging_training_says_of_every_view_what_stopped_being_a_number_and_when():
    tensors = amounts()
    how = recipe(SMALL, "rmse", epochs=60, batch_size=4, optimizer=Sgd(learning_rate=100.0))
    curves = train(how, lanes_of(tensors, [30, 31], sets=2), tensors, go_on).curves
    assert sorted(curves.broken) == [0, 1, 2, 3]
    assert curves.loss.shape[1] == max(epoch for epoch, _ in curves.broken.values()) < 60
    for epoch, reason in curves.broken.values():
        assert re.match(REASON, reason)
        assert reason.endswith(f" {epoch}")


def test_a_diverging_refit_raises():
    tensors = amounts()
    how = recipe(SMALL, "rmse", epochs=60, batch_size=4, optimizer=Sgd(learning_rate=100.0))
    with pytest.raises(Diverged, match=REASON):
        train_fixed_epochs(how, lanes_of(tensors, [30])[0], tensors, 60, lambda epoch: None)


def test_parameters_counts_one_lane():
    trained = overfitting(None)
    assert trained.parameters == (5 * 64 + 64) + (64 * 64 + 64) + (64 * 3 + 3)


def slow_progress(curve, patience, maximize):
    """Epoch by epoch, as one would explain it."""
    best, best_epoch, waited, running = None, 1, 0, True
    for epoch, score in enumerate(curve, start=1):
        if not running or np.isnan(score):
            continue
        if best is None or (score > best if maximize else score < best):
            best, best_epoch, waited = score, epoch, 0
        else:
            waited += 1
        running = waited < patience
    return best_epoch, running


@pytest.mark.parametrize("maximize", [True, False])
def test_progress_equals_a_slow_reference(maximize):
    random = np.random.default_rng(0)
    for _ in range(300):
        lanes, epochs, patience = random.integers(1, 4), random.integers(1, 15), int(random.integers(1, 6))
        scores = random.integers(0, 6, (lanes, 2, epochs)).astype(float)  # few values, so that there are ties
        cut_where_ended(scores, patience, maximize)
        best, running = progress(scores, patience, maximize)
        for index in np.ndindex(lanes, 2):
            assert (best[index], running[index]) == slow_progress(scores[index], patience, maximize)


def cut_where_ended(scores, patience, maximize):
    for index in np.ndindex(scores.shape[:-1]):
        for epoch in range(1, scores.shape[-1]):
            if not slow_progress(scores[index][:epoch], patience, maximize)[1]:
                scores[index][epoch:] = np.nan


def test_progress_without_patience_counts_the_last_epoch_and_never_ends():
    best, running = progress(np.random.default_rng(0).normal(size=(3, 2, 7)), None, True)
    assert (best == 7).all()
    assert running.all()


@pytest.mark.parametrize(
    "model", [SMALL, rnn.Settings(cell="gru", hidden_size=4), rnn.Settings(cell="lstm", hidden_size=4)]
)
def test_no_step_waits_for_the_accelerator(model, monkeypatch):
    """Whatever brings numbers to the processor makes it wait: as often in an epoch of many steps as in one of few."""
    waits = []
    for name in ("cpu", "numpy", "item", "tolist", "to", "nonzero", "__bool__", "__float__", "__int__"):
        original = getattr(torch.Tensor, name)
        monkeypatch.setattr(torch.Tensor, name, lambda *a, f=original, **k: waits.append(f) or f(*a, **k))
    tensors = classes(64, (4,) if model is SMALL else (3, 4))
    counts = []
    for batch_size in (4, 32):
        (stack,) = build_stacks(recipe(model, batch_size=batch_size), lanes_of(tensors, [48] * 3), tensors)
        waits.clear()
        stack.train_epoch()
        counts.append(len(waits))
    assert 0 < counts[0] == counts[1]
