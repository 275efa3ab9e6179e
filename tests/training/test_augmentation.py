"""Flips, shifts and noise change training batches as NumPy and SciPy would, and nothing that is scored."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from toy_data import toy_dataset
from toys import SMALL, assert_same_view, classes, go_on, lanes_of, recipe

from tuner.metrics import METRICS
from tuner.metrics.parts.sums import IGNORED
from tuner.models import unet
from tuner.models.layers import Lanes
from tuner.training.augmentation import Augmentation
from tuner.training.fitting import build_stacks
from tuner.training.lane_data import DatasetTensors
from tuner.training.lanes import Lane
from tuner.training.loop import train
from tuner.training.optimizers import Adam
from tuner.training.recipe import Recipe
from tuner.training.settings import TrainingSettings

SEEDS = (3, 4)
B, C, H, W = 16, 2, 5, 7


def images(seed=0):
    """Images (K, B, C, H, W) and masks (K, B, H, W) that say where each pixel of the first channel was."""
    x = np.random.default_rng(seed).normal(size=(2, B, C, H, W)).astype(np.float32)
    masks = np.arange(H * W).reshape(H, W) + np.zeros((2, B, 1, 1), dtype=np.int64)
    x[:, :, 0] = masks + 1
    return torch.from_numpy(x), torch.from_numpy(masks.astype(np.int64))


def augmented(x, y, seeds=SEEDS, **wish):
    (out,), asked = Augmentation(TrainingSettings(**wish), Lanes(seeds))((x,), y)
    return out, asked


@pytest.mark.parametrize(
    ("flip", "ways"), [("horizontal", [(), (2,)]), ("vertical", [(), (1,)]), ("both", [(), (1,), (2,), (1, 2)])]
)
def test_every_flip_is_numpys_and_about_as_frequent_as_any_other(flip, ways):
    x, y = images()
    out, asked = augmented(x, y, flip=flip)
    counts = dict.fromkeys(ways, 0)
    for lane in range(2):
        for row in range(B):
            fitting = [way for way in ways if np.array_equal(np.flip(x[lane, row].numpy(), way), out[lane, row])]
            (way,) = fitting
            counts[way] += 1
            np.testing.assert_array_equal(asked[lane, row], np.flip(y[lane, row].numpy(), tuple(a - 1 for a in way)))
    assert min(counts.values()) >= 2


@given(shift=st.integers(1, 9), seed=st.integers(0, 50))
@settings(max_examples=6, deadline=None)
def test_every_shift_is_scipys_with_the_mean_where_nothing_was(shift, seed):
    x, y = images(seed)
    out, asked = augmented(x, y, seeds=(seed, seed + 1), shift=shift)
    for lane in range(2):
        for row in range(B):
            ways = [
                (down, right)
                for down in range(-min(shift, H), min(shift, H) + 1)
                for right in range(-min(shift, W), min(shift, W) + 1)
                if np.array_equal(ndimage.shift(x[lane, row].numpy(), (0, down, right), order=0), out[lane, row])
            ]
            assert ways  # one, or all that move everything out
            moved = ndimage.shift(y[lane, row].numpy(), ways[0], order=0, cval=IGNORED)
            np.testing.assert_array_equal(asked[lane, row], moved)


def test_every_shift_up_to_the_largest_is_drawn():
    x = torch.zeros(1, 4000, 1, 9, 9)
    x[..., 4, 4] = 1
    (out,), _ = Augmentation(TrainingSettings(shift=2), Lanes((0,)))((x,), torch.zeros(1, 4000, dtype=torch.int64))
    places = out[0, :, 0].flatten(1).argmax(dim=1)
    found, counts = np.unique(np.stack([places // 9, places % 9], axis=1), axis=0, return_counts=True)
    assert {tuple(place) for place in found.tolist()} == {(a, b) for a in range(2, 7) for b in range(2, 7)}
    assert counts.min() > 110 and counts.max() < 215  # 160 on average, standard deviation 12


def test_classes_and_numbers_of_whole_images_stay():
    x, _ = images()
    for y in (torch.arange(2 * B).view(2, B), torch.rand(2, B, 3)):
        assert torch.equal(augmented(x, y, flip="both", shift=2, input_noise=0.1)[1], y)


def test_noise_is_drawn_anew_for_every_batch_and_lane():
    x, y = torch.zeros(2, 4000, 5), torch.zeros(2, 4000)
    how = Augmentation(TrainingSettings(input_noise=0.5), Lanes(SEEDS))
    first, second = how((x,), y)[0][0], how((x,), y)[0][0]
    assert not torch.equal(first, second) and not torch.equal(first[0], first[1])
    assert first.std().item() == pytest.approx(0.5, rel=0.02)


def test_noise_stays_off_the_steps_after_the_end_of_a_sequence():
    lengths = torch.tensor([[1, 3], [2, 4]])
    (out, _), _ = Augmentation(TrainingSettings(input_noise=1.0), Lanes(SEEDS))(
        (torch.zeros(2, 2, 4, 3), lengths), torch.zeros(2, 2)
    )
    used = torch.arange(4) < lengths[..., None]
    assert (out[~used] == 0).all() and (out[used] != 0).all()


WISHES = {"flip": {"flip": "both"}, "shift": {"shift": 2}, "noise": {"input_noise": 0.3}}


@pytest.mark.parametrize("wish", WISHES)
def test_on_a_stack_it_is_as_on_each_lane_alone_and_scores_see_none_of_it(wish):
    tensors = classes(shape=(1, 4, 4))
    lanes = lanes_of(tensors, [40, 41, 25])
    how = recipe(SMALL, "log_loss", epochs=3, batch_size=8, **WISHES[wish])
    together = train(how, lanes, tensors, go_on).curves
    for k, lane in enumerate(lanes):
        assert_same_view(together, k, train(how, [lane], tensors, go_on).curves, rtol=0, atol=0)
    (stack, *_) = build_stacks(how, lanes[:2], tensors)
    assert torch.equal(stack.evaluate().score, stack.evaluate().score)
    plain = recipe(SMALL, "log_loss", epochs=3, batch_size=8)
    assert not np.array_equal(train(plain, lanes, tensors, go_on).curves.loss, together.loss)


@pytest.mark.slow
def test_masks_move_with_their_images_in_training():
    """A pixel's class can be read off the pixel: it is learned whatever moves only if masks move along."""
    masks = (np.random.default_rng(0).random((40, 8, 8)) < 0.3).astype(np.int64)
    data = toy_dataset("toy", "segmentation", masks[:, None].astype(np.float32), masks, (), ("pixel",), ("no", "yes"))
    small = unet.Settings(channels=4, depth=1)
    how = Recipe(
        lambda shapes, lanes: unet.build(small, shapes, lanes),
        TrainingSettings(epochs=15, batch_size=4, flip="both", shift=2, optimizer=Adam(learning_rate=0.02)),
        METRICS["dice"],
    )
    rows = np.arange(40)
    found = train(how, [Lane(rows[:30], (rows[30:],), 0)], DatasetTensors(data, torch.device("cpu")), go_on)
    assert found.curves.score[0, -1] > 0.98
