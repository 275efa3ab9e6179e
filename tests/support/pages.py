"""The README and the pages of `docs/`: their blocks of code."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = sorted(ROOT.joinpath("docs").rglob("*.md"))


class Block(NamedTuple):
    """A fenced block; one with a title is a file of that name."""

    kind: str
    title: str
    text: str


def blocks(page: Path, *kinds: str) -> list[Block]:
    """The blocks of a page, of these kinds if any are named."""
    pattern = r'^```(\w+)(?: title="(.+?)")?\n(.*?)^```$'
    found = re.findall(pattern, page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [Block(*each) for each in found if not kinds or each[0] in kinds]
