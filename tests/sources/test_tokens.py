"""Tokens of texts in every script: Unicode's words and characters, as an independent library finds them."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from uniseg.graphemecluster import grapheme_clusters
from uniseg.wordbreak import words

from tuner.errors import DataError
from tuner.sources import texts
from tuner.sources.columns.tokens import TokenSettings, tokenised

TEXTS = {
    "English": "It isn't 3.14 or 1,000! Ask me@example.com, don\u2019t (A/B).",
    "French": "L'\u00e9t\u00e9, aujourd'hui: na\u00efve, cafe\u0301",
    "Chinese": "\u4ef7\u683c\u975e\u5e38\u597d hotel",
    "Japanese": "\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8",
    "Thai": "\u0e42\u0e23\u0e07\u0e41\u0e23\u0e21\u0e14\u0e35\u0e21\u0e32\u0e01",
    "Hindi": "\u0938\u0947\u0935\u093e \u0915\u092e\u0930\u093e \u092c\u0941\u0930\u093e",
    "Arabic": "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645",
    "Korean": "\ud55c\uad6d\uc5b4 \ud14d\uc2a4\ud2b8",
    "emoji": "\U0001f600\U0001f44d\U0001f3fd \U0001f1e9\U0001f1ea ok",
}
LETTERS = sorted({*"".join(TEXTS.values()), "\u00df", "\u05d0", "\u0e33", "_", "-", "\t"})


def tokens(text, what, *, lowercase=False):
    return tokenised([text], TokenSettings(tokens=what, lowercase=lowercase), "t")[0]


@given(st.text(LETTERS, min_size=1, max_size=30) | st.sampled_from(sorted(TEXTS.values())))
def test_tokens_are_those_of_another_library(text):
    text = " ".join(unicodedata.normalize("NFC", text).split())
    if text:
        assert tokens(text, "word") == [word for word in words(text) if word.strip()]
        assert tokens(text, "character") == list(grapheme_clusters(text))


@pytest.mark.parametrize("script", TEXTS)
@pytest.mark.parametrize("what", ["word", "character"])
def test_equal_texts_are_equal_however_their_accents_are_stored(script, what):
    composed, decomposed = (unicodedata.normalize(form, TEXTS[script]) for form in ("NFC", "NFD"))
    assert tokens(composed, what) == tokens(decomposed, what)


def test_no_script_makes_one_token_of_a_text_and_no_mark_leaves_its_letter():
    for text in TEXTS.values():
        found = tokens(text, "word")
        assert len(found) > 1
        assert not any(unicodedata.category(token[0]).startswith("M") for token in found)


def test_labels_that_are_codes_stay_what_they_are(tmp_path):
    labels = ["01", "1", "1E5", "NaN"]
    (tmp_path / "t.tsv").write_text("".join(f"a text of {label}\t{label}\n" for label in labels * 3))
    dataset = texts.load(texts.Settings(path="t.tsv"), tmp_path)
    assert [dataset.classes[code] for code in dataset.targets] == labels * 3
    numbers = "".join(f"a text of {n}\t{n}E1\n" for n in range(1, 12))
    (tmp_path / "t.tsv").write_text(numbers)
    rated = texts.load(texts.Settings(path="t.tsv", task="regression"), tmp_path)
    assert rated.targets[:, 0].tolist() == [10 * n for n in range(1, 12)]


def test_an_empty_text_is_refused_with_its_row():
    with pytest.raises(DataError, match="the text of data row 2 is empty"):
        tokenised(["a", " \u2003"], TokenSettings(), "t")
