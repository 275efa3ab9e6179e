"""The loss of the best constant prediction, against scikit-learn's dummies, closed forms and SciPy's minimiser."""

import numpy as np
import pytest
import scipy.optimize
import sklearn.dummy
import sklearn.metrics
from toy_data import changed, toy_dataset
from toys import CPU, amounts, classes, go_on, lanes_of, recipe

from tuner.metrics import METRICS
from tuner.metrics.parts.sums import IGNORED
from tuner.models import mlp, unet
from tuner.training.lane_data import DatasetTensors
from tuner.training.lanes import Lane
from tuner.training.loop import train
from tuner.training.losses import BinaryCrossEntropy, Dice, Huber, Mae, Quantile
from tuner.training.recipe import Recipe
from tuner.training.settings import TrainingSettings

SMALL = mlp.Settings(hidden_size=2)
SIZES = [40, 33, 40]  # of training rows: two stacks


def losses(tensors, lanes, metric="mae", **training):
    """On training rows, and on the rows of every view."""
    return train(recipe(SMALL, metric, epochs=1, **training), lanes, tensors, go_on).constant_baseline


def skewed(rows=60):
    """Numbers whose mean, median and quantiles differ."""
    random = np.random.default_rng(5)
    x, y = random.normal(size=(rows, 3)), np.exp(random.normal(size=(rows, 2)))
    return DatasetTensors(
        toy_dataset("toy", "regression", x.astype(np.float32), y.astype(np.float32), (), ("y", "z")), CPU
    )


def scaled(tensors, lane, rows):
    """Targets of some rows in the units of the loss: those of the lane's training rows."""
    y = np.asarray(tensors.dataset.targets, dtype=np.float64)
    return (y[rows] - y[lane.train].mean(axis=0)) / y[lane.train].std(axis=0)


def test_of_classes_it_is_the_log_loss_of_their_shares():
    tensors = classes(60)
    lanes = lanes_of(tensors, SIZES, sets=2)
    found = losses(tensors, lanes, "accuracy")
    for k, lane in enumerate(lanes):
        y = tensors.dataset.targets
        once_more = np.concatenate([y[lane.train], [0, 1, 2]])  # so that no share is 0
        dummy = sklearn.dummy.DummyClassifier(strategy="prior").fit(once_more[:, None], once_more)
        for place, rows in enumerate((lane.train, *lane.evaluations)):
            expected = sklearn.metrics.log_loss(y[rows], dummy.predict_proba(rows[:, None]), labels=[0, 1, 2])
            mine = found.train[k] if place == 0 else found.held_out[2 * k + place - 1]
            assert mine == pytest.approx(expected, rel=1e-5)


def test_where_classes_are_balanced_all_are_predicted_alike():
    tensors = classes(60)
    found = losses(tensors, lanes_of(tensors, SIZES), "accuracy", class_weight="balanced")
    np.testing.assert_allclose(found.held_out, np.log(3), rtol=1e-6)


def test_one_against_the_rest_has_a_probability_for_each_class():
    tensors = classes(60)
    lanes = lanes_of(tensors, SIZES)
    found = losses(tensors, lanes, "accuracy", loss=BinaryCrossEntropy())
    for k, lane in enumerate(lanes):
        counts = np.bincount(tensors.dataset.targets[lane.train], minlength=3)
        shares = (counts + 1) / (counts.sum() + 3)
        true = counts / counts.sum()
        expected = -(true * np.log(shares) + (1 - true) * np.log(1 - shares)).mean()
        assert found.train[k] == pytest.approx(expected, rel=1e-5)


def test_of_squared_errors_it_is_the_variance_of_scaled_targets():
    tensors = amounts()
    lanes = lanes_of(tensors, SIZES)
    found = losses(tensors, lanes)
    np.testing.assert_allclose(found.train, 1, rtol=1e-4)
    for k, lane in enumerate(lanes):
        held_out = scaled(tensors, lane, lane.evaluations[0])
        assert found.held_out[k] == pytest.approx((held_out**2).mean(), rel=1e-3)


def test_of_absolute_errors_it_is_that_of_the_median():
    tensors = skewed()
    lanes = lanes_of(tensors, SIZES)
    found = losses(tensors, lanes, loss=Mae())
    for k, lane in enumerate(lanes):
        y = scaled(tensors, lane, lane.train)
        assert found.train[k] == pytest.approx(np.abs(y - np.median(y, axis=0)).mean(), rel=1e-5)
        assert found.train[k] < 0.98 * np.abs(y).mean()


def test_of_huber_it_is_what_a_minimiser_finds():
    tensors = skewed()
    lanes = lanes_of(tensors, SIZES)
    found = losses(tensors, lanes, loss=Huber(delta=0.3))

    def huber(errors):
        size = np.abs(errors)
        return np.where(size < 0.3, size**2 / 2, 0.3 * (size - 0.15)).mean()

    for k, lane in enumerate(lanes):
        y = scaled(tensors, lane, lane.train)
        best = [scipy.optimize.minimize_scalar(lambda c, own=own: huber(own - c)).fun for own in y.T]
        assert found.train[k] == pytest.approx(np.mean(best), rel=1e-4)


def test_rows_that_weigh_nothing_do_not_choose_it():
    tensors = classes(60)
    weights = (tensors.dataset.targets > 0).astype(np.float32)
    weighted = DatasetTensors(changed(tensors.dataset, weights=weights), CPU)
    found = losses(weighted, lanes_of(tensors, [40, 40]), "accuracy")
    lane = lanes_of(tensors, [40])[0]
    counts = np.bincount(tensors.dataset.targets[lane.train], minlength=3) * [0, 1, 1]
    shares = (counts + 1) / (counts.sum() + 3)
    assert found.train[0] == pytest.approx(-(counts / counts.sum() * np.log(shares)).sum(), rel=1e-5)
    held_out = tensors.dataset.targets[lane.evaluations[0]]
    assert found.held_out[0] == pytest.approx(-np.log(shares)[held_out[held_out > 0]].mean(), rel=1e-5)


@pytest.mark.parametrize("quantile", [0.05, 0.9])
def test_of_a_quantile_it_is_the_quantile(quantile):
    tensors = skewed()
    lanes = lanes_of(tensors, SIZES)
    found = losses(tensors, lanes, loss=Quantile(quantile=quantile))
    for k, lane in enumerate(lanes):
        y = scaled(tensors, lane, lane.train)
        constants = np.quantile(y, quantile, axis=0, method="inverted_cdf")
        expected = [sklearn.metrics.mean_pinball_loss(own, np.full(len(own), c), alpha=quantile)
                    for own, c in zip(y.T, constants, strict=True)]  # fmt: skip
        assert found.train[k] == pytest.approx(np.mean(expected), rel=1e-4)


def test_of_labels_it_is_the_entropy_of_each():
    random = np.random.default_rng(6)
    x, labels = random.normal(size=(60, 3)), (random.random((60, 4)) < [0.1, 0.3, 0.5, 0.9]).astype(np.float64)
    tensors = DatasetTensors(toy_dataset("toy", "multilabel", x.astype(np.float32), labels, (), tuple("abcd")), CPU)
    lanes = lanes_of(tensors, SIZES)
    found = losses(tensors, lanes, "macro_f1")
    for k, lane in enumerate(lanes):
        shares = labels[lane.train].mean(axis=0)
        for rows, mine in ((lane.train, found.train[k]), (lane.evaluations[0], found.held_out[k])):
            expected = [sklearn.metrics.log_loss(labels[rows, i], np.full(len(rows), shares[i]), labels=[0, 1])
                        for i in range(4)]  # fmt: skip
            assert mine == pytest.approx(np.mean(expected), rel=1e-4)


@pytest.mark.parametrize("loss", [None, Dice()])
def test_of_pixels_only_those_count_that_have_a_class(loss):
    random = np.random.default_rng(1)
    images = random.normal(size=(12, 1, 8, 8)).astype(np.float32)
    masks = (random.random((12, 8, 8)) < 0.3).astype(np.int64)
    masks[:, :2] = IGNORED
    tensors = DatasetTensors(toy_dataset("toy", "segmentation", images, masks, (), ("y",), ("a", "b")), CPU)
    lanes = [Lane(np.arange(8), (np.arange(8, 12),), 1), Lane(np.arange(4, 12), (np.arange(4),), 2)]
    how = Recipe(lambda s, k: unet.build(unet.Settings(), s, k), TrainingSettings(epochs=1, loss=loss), METRICS["dice"])
    found = train(how, lanes, tensors, go_on).constant_baseline
    counts = np.bincount(masks[:8, 2:].ravel())
    shares = (counts + 1) / (counts.sum() + 2)
    of_rows = np.stack([(masks[8:, 2:] == c).sum(axis=(1, 2)) for c in (0, 1)], axis=1)
    if loss is None:
        expected = -(of_rows.sum(axis=0) / of_rows.sum() * np.log(shares)).sum()
    else:
        expected = 1 - ((2 * of_rows * shares + 1) / (48 * shares + of_rows + 1)).mean()
    assert found.held_out[0] == pytest.approx(expected, rel=1e-5)


def test_of_many_rows_some_are_enough(monkeypatch):
    tensors = classes(2000)
    lanes = lanes_of(tensors, [1500, 1500])
    whole = losses(tensors, lanes, "accuracy")
    monkeypatch.setattr("tuner.training.constant_baseline.MOST_ROWS", 300)
    part = losses(tensors, lanes, "accuracy")
    assert not np.array_equal(whole.train, part.train)
    np.testing.assert_allclose(part.train, whole.train, rtol=0.02)


def test_no_curve_depends_on_it(monkeypatch):
    tensors, how = classes(60), recipe(mlp.Settings(hidden_size=4, dropout=0.5), epochs=3, batch_size=8)
    lanes = lanes_of(tensors, SIZES)
    with_it = train(how, lanes, tensors, go_on).curves
    monkeypatch.setattr("tuner.training.loop._constant_baseline", lambda stacks, lanes: None)
    without = train(how, lanes, tensors, go_on).curves
    for name in ("train_loss", "loss", "score"):
        np.testing.assert_array_equal(getattr(with_it, name), getattr(without, name))
