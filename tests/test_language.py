"""The source speaks the field's language: words of its former private dialect do not come back."""

import re
from pathlib import Path

import pytest

import tuner

FILES = sorted(Path(tuner.__file__).parent.rglob("*.py"))
FORMER = {  # a word, and what to write
    r"\bmend(s|ed)?\b": "fix, repair",
    r"\bmisfits?\b": "unused settings",
    r"\btwinned\b": "padded to a pair",
    r"\bby_heart\b": "score_training_rows",
    r"\bsurprise\b": "negative log-likelihood",
    r"\b_?Diary\b": "CurveRecorder",
    r"\bGauges?\b": "LayerMonitor",
    r"\bWishes\b": "SearchOptions",
    r"\bOutline\b": "MetaLanes",
    r"\bPace\b": "LearningRateSchedule",
    r"\bJudge\b": "StoppingRule",
    r"\bAudience\b": "Reporters",
    r"\bthe search itself saw\b": "inner cross-validation score",
    r"\bwhich is no\b": "which is not a",
    r"\bis no (loss|folder|number|image|shape|sequence|file|function|class)\b": "is not a",
    r"\bnobody knows\b": "is not known",
    r"\bcall it otherwise\b": "rename it",
}


@pytest.mark.parametrize("word", FORMER)
def test_former_words_are_gone(word):
    found = [f"{path.name}: {hit[0]}" for path in FILES for hit in re.finditer(word, path.read_text("utf-8"))]
    assert not found, f"write {FORMER[word]}: {found}"
