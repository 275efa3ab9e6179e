"""Small files that would become large: read where that is possible, else refused within seconds."""

import gzip
import resource

import numpy as np
import openpyxl
import pytest
from helpers import inside, slow, write_space
from survival import real, survived

from tuner.sources import table

pytestmark = pytest.mark.torture


@pytest.mark.slow
def test_a_cell_far_away_adds_a_column_and_no_width_to_all_rows(tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["x", "y"])
    for row in range(12):
        book.active.append([row / 2, "ab"[row % 2]])
    book.active["XFD1"] = "z"
    for row in range(2, 14):
        book.active.cell(row, 16384, row * 1.5)
    book.save(tmp_path / "far.xlsx")
    dataset = table.load(table.Settings(path="far.xlsx", target="y"), tmp_path)
    assert dataset.inputs.names == ("x", "z") and dataset.features.shape == (12, 2)
    book.active["XFD1048576"] = 3
    book.save(tmp_path / "far.xlsx")
    err = survived(*inside("data", tmp_path / "far.xlsx"), expected=2)
    assert "far.xlsx" in err


@pytest.mark.parametrize(("head", "line", "times"), [(b"", b"x", 200_000_000), (b"a,b\n", b"1,0\n", 50_000_000)])
def test_a_gzip_file_that_memory_does_not_hold_is_refused(tmp_path, monkeypatch, head, line, times):
    with gzip.open(tmp_path / "data.csv.gz", "wb", compresslevel=1) as file:
        file.write(head + line * times)
    monkeypatch.setattr("tuner.memory.memory", lambda: (3e8, 3e8))
    err = survived(*inside("data", tmp_path / "data.csv.gz"), expected=2)
    assert "takes more than 0.1 GB when it is unpacked" in err


@pytest.mark.parametrize("verb", [slow("data"), "check"])
def test_a_table_of_too_many_columns_is_refused(tmp_path, verb):
    names = ",".join(f"c{n}" for n in range(100_001))
    (tmp_path / "wide.csv").write_text(f"{names}\n{','.join(['1'] * 100_001)}\n")
    path = write_space(tmp_path, dataset={"name": "table", "path": "wide.csv", "target": "c1"})
    err = survived(*inside(verb, tmp_path / "wide.csv" if verb == "data" else path), expected=2)
    assert "wide.csv has 100,001 columns, and a table may have 100,000" in err


def test_dates_beyond_what_nanoseconds_count_are_read(tmp_path):
    days = [f"{1500 + 50 * n}-03-01" for n in range(12)]
    lines = "".join(f"{day},{n % 2}\n" for n, day in enumerate(days))
    (tmp_path / "far.csv").write_text(f"when,y\n{lines}")
    dataset = table.load(table.Settings(path="far.csv", target="y"), tmp_path)
    expected = [(np.datetime64(day) - np.datetime64("1970-01-01")) / np.timedelta64(1, "D") for day in days]
    offsets = 0 if dataset.numbers.offsets is None else dataset.numbers.offsets[0]
    np.testing.assert_allclose(dataset.features[:, 0] + offsets, expected)
    assert inside("data", tmp_path / "far.csv")[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize("long", ["feature", "target"])
def test_one_long_text_gives_no_other_row_its_room(tmp_path, long):
    """5,000 rows of 2 MB each would take 40 GB."""
    texts = ["x" * 2_000_000, *["u", "v"] * 2500]
    feature, target = (texts, ["a", "b"] * 2501) if long == "feature" else (["u", "v"] * 2501, texts)
    lines = [f"{row},{one},{other}" for row, (one, other) in enumerate(zip(feature, target, strict=False))]
    (tmp_path / "long.csv").write_text("\n".join(["x,c,y", *lines]))
    limit = (6 * 10**9, resource.RLIM_INFINITY)
    out, _ = real(
        "data", "long.csv", "--target", "y", cwd=tmp_path, before=lambda: resource.setrlimit(resource.RLIMIT_AS, limit)
    )
    assert "rows  5,00" in out and len(out) < 2_000
