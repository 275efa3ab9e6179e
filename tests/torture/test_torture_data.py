"""Torture: data files that are broken, hostile or absurd."""

import io
import zipfile

import numpy as np
import pytest
from helpers import inside, write_space
from survival import survived

pytestmark = pytest.mark.torture

ROWS = [(i * 0.1, i % 7, "ab"[i % 2]) for i in range(40)]


def csv(rows=ROWS, header="x,z,y", separator=","):
    return "\n".join([header.replace(",", separator), *(separator.join(map(str, row)) for row in rows)]) + "\n"


def with_row(text, place=5):
    lines = csv().splitlines()
    return "\n".join([*lines[:place], text, *lines[place:]]) + "\n"


# name: (the file, the settings beside name and path, the exit code)
TABLES = {
    "as it should be": (csv(), {}, 0),
    "a byte order mark": ("\ufeff" + csv(), {}, 0),
    "Windows lines": (csv().replace("\n", "\r\n"), {}, 0),
    "semicolons": (csv(separator=";"), {}, 2),
    "semicolons, told": (csv(separator=";"), {"separator": ";"}, 0),
    "a class called NA": (csv([(x, z, "NA" if c == "a" else c) for x, z, c in ROWS]), {}, 0),
    "a constant feature": (csv([(1, z, c) for _, z, c in ROWS]), {}, 0),
    "only constant features": (csv([(1, 1, c) for _, _, c in ROWS]), {}, 0),
    "more cells than columns": (with_row("1,2,a,4,5"), {}, 2),
    "header only": ("x,z,y\n", {}, 2),
    "empty": ("", {}, 2),
    "Latin-1": (csv([(x, z, "é" if c == "a" else c) for x, z, c in ROWS]).encode("latin-1"), {}, 2),
    "UTF-16": (csv().encode("utf-16"), {}, 0),
    "NUL": (csv().replace("a", "a\x00", 1), {}, 2),
    "bytes": (bytes(range(256)) * 50, {}, 2),
    "duplicate columns": (csv(header="x,x,y"), {}, 2),
    "a missing target": (with_row("1,2,"), {}, 2),
    "an absent target": (csv(), {"target": "w"}, 2),
    "one class": (csv([(x, z, "a") for x, z, _ in ROWS]), {}, 2),
    "a class of one row": (with_row("1,2,c"), {}, 2),
    "a target of numbers as classes": (csv([(z, c, x + 0.05) for x, z, c in ROWS]), {"task": "classification"}, 2),
    "a target of classes as numbers": (csv(), {"task": "regression"}, 2),
    "infinity": (with_row("inf,2,a"), {}, 2),
    "a number above float32": (with_row("1e60,2,a"), {}, 2),
    "only the target": (csv([(c,) for *_, c in ROWS], header="y"), {}, 2),
}


@pytest.mark.parametrize("case", TABLES)
def test_a_table(tmp_path, case):
    content, settings, expected = TABLES[case]
    (tmp_path / "t.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    dataset = {"name": "table", "path": "t.csv", "target": "y", **settings}
    path, study = write_space(tmp_path, dataset=dataset, search={"trials": 1}), tmp_path / "study.db"
    survived(*inside("search", path, "--study", study, "--workers", 0), expected=expected)
    assert study.exists() == (expected == 0)


def npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def claiming(shape):
    """An NPZ whose array says it has another shape than its bytes."""
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f8", "fortran_order": False, "shape": shape})
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("X.npy", head.getvalue() + b"\0" * 64)
        archive.writestr("y.npy", npz_member(np.zeros(4)))
    return file.getvalue()


def npz_member(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


X, Y = np.random.default_rng(0).normal(size=(30, 3)), np.arange(30) % 3
ARRAYS = {
    "as it should be": (npz(X=X, y=Y), 0),
    "a pickle": (npz(X=np.array([{}], dtype=object), y=Y), 2),
    "truncated": (npz(X=X, y=Y)[:-300], 2),
    "10^11 floats": (claiming((10**8, 1000)), 2),
    "a negative shape": (claiming((-3, 2)), 2),
    "not numbers": (npz(X=X.astype(str), y=Y), 2),
    "unequal lengths": (npz(X=X, y=Y[:-1]), 2),
    "no rows": (npz(X=X[:0], y=Y[:0]), 2),
    "no y": (npz(X=X), 2),
    "NaN": (npz(X=np.where(X > 1, np.nan, X), y=Y), 2),
    "complex": (npz(X=X + 1j, y=Y), 2),
    "text": (b"my notes\n", 2),
    "empty": (b"", 2),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_arrays(tmp_path, case):
    content, expected = ARRAYS[case]
    (tmp_path / "a.npz").write_bytes(content)
    path = write_space(tmp_path, dataset={"name": "arrays", "path": "a.npz"}, search={"trials": 1})
    survived(*inside("search", path, "--study", tmp_path / "study.db", "--workers", 0), expected=expected)
