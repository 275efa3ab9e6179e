"""Torture: workbooks, Parquet, Feather, packed CSV, NPY and safetensors files that are broken, hostile or absurd."""

import gzip
import io
import json
import zipfile

import numpy as np
import openpyxl
import pandas as pd
import pytest
import safetensors.numpy
from helpers import but_slow, inside, write_space
from survival import survived

pytestmark = pytest.mark.torture

FRAME = pd.DataFrame({"x": np.arange(40) / 10, "z": np.arange(40) % 7, "y": [*"ab"] * 20})


def told(folder, dataset, expected):
    study = folder / "study.db"
    path = write_space(folder, dataset=dataset, search={"trials": 1})
    said = survived(*inside("search", path, "--study", study, "--workers", 0), expected=expected)
    assert study.exists() == (expected == 0), said


def bytes_of(write, *args, **more):
    file = io.BytesIO()
    write(file, *args, **more)
    return file.getvalue()


def book(frame=FRAME, **more):
    return bytes_of(frame.to_excel, index=False, **more)


def cells(*rows, merge=None):
    made = openpyxl.Workbook()
    for row in rows:
        made.active.append(row)
    if merge:
        made.active.merge_cells(merge)
    return bytes_of(made.save)


def changed(content, member, text):
    """A workbook one part of which is something else."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            new.writestr(name, text if name == member else old.read(name))
    return file.getvalue()


ROWS = FRAME.to_numpy().tolist()
CSV = FRAME.to_csv(index=False).encode()
PARQUET = bytes_of(FRAME.to_parquet)
FILES = {  # name: (the file, its bytes, the settings beside path and target, the exit code)
    "a workbook": ("t.xlsx", book(), {}, 0),
    "a workbook of macros": ("t.xlsm", book(), {}, 0),
    "half a workbook": ("t.xlsx", book()[:3000], {}, 2),
    "an empty workbook": ("t.xlsx", b"", {}, 2),
    "a workbook that is a CSV": ("t.xlsx", CSV, {}, 2),
    "a CSV that is a workbook": ("t.csv", book(), {}, 2),
    "a zip that is no workbook": ("t.xlsx", bytes_of(np.savez, x=np.zeros(3)), {}, 2),
    "a sheet of garbage": ("t.xlsx", changed(book(), "xl/worksheets/sheet1.xml", b"<worksheet><sheetData><row"), {}, 2),
    "a workbook of garbage": ("t.xlsx", changed(book(), "xl/workbook.xml", b"\0\1\2"), {}, 2),
    "a lost sheet": ("t.xlsx", changed(book(), "xl/_rels/workbook.xml.rels", b"<Relationships/>"), {}, 2),
    "a title above": ("t.xlsx", cells(["Results"], list(FRAME), *ROWS), {}, 2),
    "merged cells": ("t.xlsx", cells(list(FRAME), *ROWS, merge="A3:B4"), {}, 2),
    "errors in cells": ("t.xlsx", cells(list(FRAME), *ROWS, ["#DIV/0!", 1, "a"]), {}, 2),
    "errors, imputed": ("t.xlsx", cells(list(FRAME), *ROWS, ["=1/0", 1, "a"]), {"impute": "mean"}, 0),
    "a sheet that is not there": ("t.xlsx", book(), {"sheet": 7}, 2),
    "an old workbook": ("t.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), {}, 2),
    "a locked workbook": ("t.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), {}, 2),
    "Parquet": ("t.parquet", PARQUET, {}, 0),
    "Parquet, cut": ("t.parquet", PARQUET[:-30], {}, 2),
    "Parquet, its head gone": ("t.parquet", PARQUET[40:], {}, 2),
    "Parquet, its pages wrong": ("t.parquet", PARQUET[:4] + bytes(400) + PARQUET[404:], {}, 2),
    "Parquet of lists": ("t.parquet", bytes_of(FRAME.assign(x=[[1]] * 40).to_parquet), {}, 2),
    "Parquet of nothing": ("t.parquet", bytes_of(FRAME[:0].to_parquet), {}, 2),
    "Parquet of nulls": ("t.parquet", bytes_of(FRAME.assign(x=None).to_parquet), {}, 2),
    "Parquet of dates": ("t.parquet", bytes_of(FRAME.assign(x=pd.date_range("2024", periods=40)).to_parquet), {}, 0),
    "Parquet of times of day": (
        "t.parquet", bytes_of(FRAME.assign(x=pd.date_range("2024", periods=40).time).to_parquet), {}, 0),
    "Feather": ("t.feather", bytes_of(FRAME.to_feather), {}, 0),
    "Feather, cut": ("t.feather", bytes_of(FRAME.to_feather)[:-50], {}, 2),
    "Feather that is Parquet": ("t.feather", PARQUET, {}, 2),
    "a packed CSV": ("t.csv.gz", gzip.compress(CSV), {}, 0),
    "a packed CSV by another name": ("t.csv", gzip.compress(CSV), {}, 0),
    "a packed CSV, cut": ("t.csv.gz", gzip.compress(CSV)[:-9], {}, 2),
    "a packed CSV, wrong": ("t.csv.gz", gzip.compress(CSV)[:60] + bytes(60), {}, 2),
    "a packed CSV of NUL": ("t.csv.gz", gzip.compress(bytes(10**7)), {}, 2),
    "packed nothing": ("t.csv.gz", gzip.compress(b""), {}, 2),
    "only dates that may be misread": ("t.csv", FRAME.assign(x="1/2/2024").to_csv(index=False).encode(), {}, 2),
    "embedded numbers": ("t.csv", CSV, {"categories": "embedded"}, 2),
    "features that are not there": ("t.csv", CSV, {"features": ["x", "w"]}, 2),
    "a target as weights": ("t.csv", CSV, {"weights": "y"}, 2),
    "weights": ("t.csv", CSV, {"weights": "z"}, 0),
}  # fmt: skip


SEARCHED = {name for name, (*_, expected) in FILES.items() if expected == 0}


@pytest.mark.parametrize("case", but_slow(FILES, SEARCHED - {"a workbook"}))
def test_a_table_of_any_format(tmp_path, case):
    name, content, settings, expected = FILES[case]
    (tmp_path / name).write_bytes(content)
    told(tmp_path, {"name": "table", "path": name, "target": "y", **settings}, expected)


X, Y = np.random.default_rng(0).normal(size=(30, 3)), np.arange(30) % 3
NPY = bytes_of(np.save, X)
TENSORS = safetensors.numpy.save({"X": X, "y": Y})


def claiming(shape, dtype="<f8"):
    """An NPY file that says it has another shape than its bytes."""
    head = {"descr": dtype, "fortran_order": False, "shape": shape}
    return bytes_of(np.lib.format.write_array_header_1_0, head) + b"\0" * 64


def tensors(**about):
    head = json.dumps({name: dict(zip(("dtype", "shape", "data_offsets"), each, strict=True))
                       for name, each in about.items()}).encode()  # fmt: skip
    return len(head).to_bytes(8, "little") + head + bytes(96)


ARRAYS = {
    "an array": ("X.npy", NPY, 0),
    "an array, cut": ("X.npy", NPY[:-9], 2),
    "an array, cut in its head": ("X.npy", NPY[:50], 2),
    "an array of nothing": ("X.npy", b"", 2),
    "text": ("X.npy", b"my notes\n", 2),
    "a pickle": ("X.npy", bytes_of(np.save, np.array([{}] * 30), allow_pickle=True), 2),
    "10^11 floats": ("X.npy", claiming((30, 10**10)), 2),
    "10^9 small floats": ("X.npy", claiming((30, 10**9), "<f4"), 2),
    "a negative shape": ("X.npy", claiming((30, -3)), 2),
    "a head of garbage": ("X.npy", NPY[:10] + b"\xff" * 60 + NPY[70:], 2),
    "an unknown version": ("X.npy", NPY[:6] + b"\x09" + NPY[7:], 2),
    "no numbers": ("X.npy", bytes_of(np.save, X.astype(str)), 2),
    "complex numbers": ("X.npy", bytes_of(np.save, X + 1j), 2),
    "tensors": ("X.safetensors", TENSORS, 0),
    "tensors, cut": ("X.safetensors", TENSORS[:-9], 2),
    "tensors, cut in their head": ("X.safetensors", TENSORS[:30], 2),
    "no tensors": ("X.safetensors", b"", 2),
    "tensors of text": ("X.safetensors", b"my notes are long enough\n", 2),
    "a head of 10^18 bytes": ("X.safetensors", (10**18).to_bytes(8, "little") + b"{}", 2),
    "a tensor beyond the file": ("X.safetensors", tensors(X=("F64", [30, 10**9], [0, 96]), y=("I8", [0], [96, 96])), 2),
    "a tensor of another type": (
        "X.safetensors",
        tensors(X=("F8_E4M3", [30, 1], [0, 30]), y=("I8", [30], [30, 60])),
        2,
    ),
}


@pytest.mark.parametrize("case", but_slow(ARRAYS, {"an array"}))
def test_arrays_of_any_format(tmp_path, case):
    name, content, expected = ARRAYS[case]
    (tmp_path / name).write_bytes(content)
    np.save(tmp_path / "y.npy", Y)
    beside = {"target": "y.npy"} if name.endswith(".npy") else {}
    told(tmp_path, {"name": "arrays", "path": name, **beside}, expected)


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.xlsx", "t.feather", "t.npy", "t.npz", "t.safetensors"])
def test_a_folder_in_the_place_of_a_file(tmp_path, name):
    (tmp_path / name).mkdir()
    source = {"name": "arrays"} if name[2:] in ("npy", "npz", "safetensors") else {"name": "table", "target": "y"}
    told(tmp_path, {"path": name, **source}, 2)
    told(tmp_path, {"path": "absent" + name[1:], **source}, 2)
