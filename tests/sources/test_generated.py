"""Generated data: what is asked can be known from what is given, and the best score there is is as planted."""

import datetime
import pydoc_data.topics
from pathlib import Path

import numpy as np
import pytest

from tuner import registry
from tuner.data.check import check
from tuner.errors import DataError
from tuner.metrics.parts.sums import IGNORED
from tuner.metrics.texts import END
from tuner.sources import characters, copy, dates, strokes
from tuner.sources import planted_ratings as ratings

HERE = Path()
GENERATED = ["adding", "characters", "copy", "dates", "planted_ratings", "strokes"]


def loaded(module, **settings):
    return check(module.load(module.Settings(**settings), HERE))


def text_of(dataset, row):
    codes = dataset.features[row][: None if dataset.lengths is None else dataset.lengths[row]]
    return "".join(dataset.vocabularies[0][code] for code in codes)


@pytest.mark.parametrize("name", GENERATED)
def test_the_same_settings_are_the_same_data(name):
    module = registry.load("tuner.sources", name)
    first, again = (loaded(module, rows=40) for _ in range(2))
    assert first.fingerprint() == again.fingerprint()
    assert len(first) == 40
    if "seed" in module.Settings.model_fields:
        assert loaded(module, rows=40, seed=1).fingerprint() != first.fingerprint()


def test_copy_asks_for_the_symbols_it_showed_where_it_shows_blanks():
    dataset = loaded(copy, rows=50, symbols=5, length=4, delay=3)
    for row in range(50):
        text, asked = text_of(dataset, row), dataset.targets[row]
        symbols = text[:4]
        assert text == f"{symbols}___>____" and set(symbols) <= set("abcde")
        assert "".join(dataset.classes[code] for code in asked[asked != IGNORED]) == symbols
        assert (asked[:-4] == IGNORED).all()


WAYS = ("%d %B %Y", "%B %d, %Y", "%d.%m.%Y", "%b %d %Y")


def test_dates_are_what_pythons_own_calendar_reads():
    dataset, ways = loaded(dates, rows=300), set()
    for row in range(300):
        found = []
        for way in WAYS:
            try:
                found.append((datetime.datetime.strptime(text_of(dataset, row), way).date().isoformat(), way))
            except ValueError:
                continue
        answer = dataset.targets[row]
        said = "".join(dataset.classes[code] for code in answer[: list(answer).index(END)])
        assert said in {iso for iso, _ in found}
        ways |= {way for _, way in found}
    assert ways == set(WAYS)


def test_characters_are_of_every_topic():
    dataset = loaded(characters, rows=300, length=40)
    rows, groups = dataset.features, dataset.roles.groups
    long = [topic for topic in pydoc_data.topics.topics.values() if len(" ".join(topic.split())) > 40 * 25]
    assert len(rows) == 300 and len(set(groups)) >= len(long) > 20


@pytest.mark.parametrize("tastes", [1, 3])
def test_ratings_without_noise_are_biases_and_as_many_tastes_as_planted(tastes):
    dataset = loaded(ratings, rows=12 * 9, users=12, items=9, tastes=tastes, noise=0)
    table = np.full((12, 9), np.nan)
    table[tuple(dataset.features.T - 2)] = dataset.targets[:, 0]
    centred = table - table.mean(0) - table.mean(1, keepdims=True) + table.mean()
    assert np.linalg.matrix_rank(centred, tol=1e-4) == tastes


def test_the_noise_of_ratings_is_the_rest():
    clean, noisy = (loaded(ratings, rows=20_000, users=200, items=200, noise=n) for n in (0, 0.7))
    np.testing.assert_array_equal(clean.features, noisy.features)
    assert (noisy.targets - clean.targets).std() == pytest.approx(0.7, rel=0.02)


def test_strokes_stand_one_above_a_sloping_ground():
    dataset = loaded(strokes, rows=30, size=20, noise=0)
    down, right = np.meshgrid(np.linspace(-1, 1, 20), np.linspace(-1, 1, 20), indexing="ij")
    for image, mask in zip(dataset.features[:, 0], dataset.targets, strict=True):
        planes = np.stack([down, right, mask], axis=-1).reshape(-1, 3)
        weights, *_ = np.linalg.lstsq(planes, image.ravel(), rcond=None)
        assert weights[2] == pytest.approx(1, abs=1e-4)
        np.testing.assert_allclose(planes @ weights, image.ravel(), atol=1e-4)
        assert 20 < mask.sum() < 250


def test_no_threshold_finds_the_strokes_and_a_known_slope_would():
    dataset = loaded(strokes, rows=200)
    best = max(dice(dataset.features[:, 0] > level, dataset.targets) for level in np.linspace(-2, 2, 41))
    assert best < 0.6


def dice(said, truth):
    return 2 * (said & (truth == 1)).sum() / (said.sum() + truth.sum())


def test_characters_are_real_text_and_ask_for_the_next_one():
    dataset = loaded(characters, rows=200, length=30)
    texts = {topic: " ".join(text.split()) for topic, text in pydoc_data.topics.topics.items()}
    names = sorted(texts)
    np.testing.assert_array_equal(dataset.features[:, 1:], dataset.targets[:, :-1])
    for row in range(0, 200, 7):
        whole = text_of(dataset, row) + dataset.classes[dataset.targets[row, -1]]
        assert whole in texts[names[dataset.roles.groups[row]]]


def test_a_length_that_no_text_has_is_told(monkeypatch):
    monkeypatch.setattr(pydoc_data.topics, "topics", {"short": "a few words"})
    with pytest.raises(DataError, match="no text is 50 characters long"):
        loaded(characters)
