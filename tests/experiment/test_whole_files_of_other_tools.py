"""Whole files as people write them who know another tool: corrected as the hints say, they run.

Each file in the folder `other_tools` holds several experiment files in the manner of one tool, each after its title. A
line with a mistake ends with `#!` and the hint that `tuner` must give there. The corrections use the hints alone.
"""

from pathlib import Path

import pytest
from obedient import correct, problems_of

FOLDER = Path(__file__).parent / "other_tools"
FRUIT = "width,length,ripe\n" + "".join(f"{i % 7},{i % 5 + i / 9:.2f},{'no' if i % 3 else 'yes'}\n" for i in range(60))
FILES = {
    f"{tool.stem}: {text.partition(chr(10))[0].removeprefix('# ')}": text
    for tool in sorted(FOLDER.glob("*.yaml"))
    for text in tool.read_text("utf-8").split("--- ")
}
MOST_ROUNDS = 2


def test_there_are_fifty_files_of_eight_tools():
    assert len(FILES) == 50
    assert len(list(FOLDER.glob("*.yaml"))) == 8


@pytest.mark.parametrize("name", FILES)
def test_each_mistake_is_one_error_and_the_file_runs_when_corrected_by_the_hints(tmp_path, name):
    (tmp_path / "fruit.csv").write_text(FRUIT, encoding="utf-8")
    file = tmp_path / "experiment.yaml"
    file.write_text(FILES[name], encoding="utf-8")
    marked = [(row, hint) for row, line in enumerate(FILES[name].splitlines()) for hint in line.split("  #! ")[1:]]
    problems, rounds = problems_of(file), 0
    assert [(problem.line, problem.hint) for problem in problems] == marked
    while problems and rounds < MOST_ROUNDS:
        correct(file, problems)
        problems, rounds = problems_of(file), rounds + 1
    assert not problems
    assert rounds == (2 if "(two rounds)" in name else 1)
