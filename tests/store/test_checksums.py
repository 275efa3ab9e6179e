"""What a study stores has checksums: damaged bytes give an error, never another number in the report."""

import io
import shutil
import sqlite3
import zlib
from base64 import b64decode, b64encode
from contextlib import closing
from functools import cache

import numpy as np
import pytest
from helpers import execute, inside, write_space
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from survival import survived

from tuner.errors import StorageError
from tuner.experiment.configuration import Configuration
from tuner.experiment.packing import MOST, pack, unpack
from tuner.experiment.records import FoldCurves, TrialRecord, to_json, trial_from_json
from tuner.report import load

KEPT = (
    ("study_user_attributes", "tuner:header"), ("study_user_attributes", "tuner:runs"),
    ("study_user_attributes", "tuner:refit:0"), ("trial_user_attributes", "tuner:record"),
)  # fmt: skip


def flipped(study, table, key, place, byte):
    """One byte of one text is another; returns whether that is a change."""
    with closing(sqlite3.connect(study)) as db:
        query = f"SELECT rowid, value_json FROM {table} WHERE key = ? ORDER BY rowid LIMIT 1"
        row, text = db.execute(query, (key,)).fetchone()
        at = int(place * len(text))
        new = text[:at] + chr(byte) + text[at + 1 :]
        db.execute(f"UPDATE {table} SET value_json = ? WHERE rowid = ?", (new, row))
        db.commit()
    return new != text


@cache
def unchanged(study):
    return inside("report", study, "--format", "json")[1]


INDEXES = {  # an index, and a text in it of which a byte is changed
    "names of studies": ("ix_studies_study_name", b"tiny/outer-1"),
    "records of trials": ("sqlite_autoindex_trial_user_attributes_1", b"tuner:record"),
}


@pytest.mark.torture
@pytest.mark.parametrize("what", INDEXES)
def test_a_changed_byte_of_an_index_is_told(finished, tmp_path, what):
    """By which rows are found: some would be missing without a word."""
    index, text = INDEXES[what]
    study = tmp_path / "study.db"
    shutil.copy(finished, study)
    with closing(sqlite3.connect(study)) as db:
        (page,) = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (index,)).fetchone()
        (size,) = db.execute("PRAGMA page_size").fetchone()
    raw = bytearray(study.read_bytes())
    place = raw.find(text, (page - 1) * size)
    raw[place] ^= 32
    study.write_bytes(raw)
    for verb in ("report", "status", "studies"):
        err = survived(*inside(verb, study), expected=4)
        assert "is damaged, or cannot be read: " in err and "restore it from a copy" in err
    before = study.read_bytes()
    path = write_space(tmp_path)
    survived(*inside("search", path, "--study", study, "--workers", 0), expected=4)
    assert study.read_bytes() == before


@pytest.mark.slow
@pytest.mark.torture
@settings(deadline=None, max_examples=150)
@given(kept=st.sampled_from(KEPT), place=st.floats(0, 1, exclude_max=True), byte=st.integers(32, 126))
def test_a_changed_byte_is_told(finished, tmp_path_factory, kept, place, byte):
    study = tmp_path_factory.mktemp("flip") / "study.db"
    shutil.copy(finished, study)
    if flipped(study, *kept, place, byte):
        with pytest.raises(StorageError, match=r"damaged|older|newer|cannot be read"):
            load(study)
        code, out, _ = inside("report", study, "--format", "json")
        assert code == 4 or out == unchanged(finished)  # curves that are not shown are not read


def test_the_verbs_refuse_a_header_that_has_changed(finished, tmp_path):
    study = tmp_path / "study.db"
    shutil.copy(finished, study)
    execute(study, "UPDATE study_user_attributes SET value_json = replace(value_json, 'accuracy', 'Accuracy')")
    for verb in ("report", "status", "curve", "importance"):
        survived(*inside(verb, study), expected=4)


MOVED = {
    "chains swapped": "UPDATE trials SET study_id = CASE study_id WHEN 1 THEN 2 WHEN 2 THEN 1 ELSE study_id END",
    "trials swapped": "UPDATE trials SET number = 1 - number WHERE number < 2",
    "refits of another chain": "UPDATE OR REPLACE study_user_attributes SET study_id = 3 "
                               "WHERE study_id = 1 AND key LIKE 'tuner:refit:%'",
    "a refit of another trial": "UPDATE study_user_attributes SET key = 'tuner:refit:99' WHERE rowid = "
                                "(SELECT max(rowid) FROM study_user_attributes WHERE key LIKE 'tuner:refit:%')",
    "a chain called otherwise": "UPDATE studies SET study_name = 'tiny/outer-7' WHERE study_name = 'tiny/outer-2'",
    "a study called otherwise": "UPDATE studies SET study_name = replace(study_name, 'tiny/', 'other/')",
    "a chain that is gone": "DELETE FROM studies WHERE study_name = 'tiny/outer-2'",
    "a key called otherwise": "UPDATE trial_user_attributes SET key = 'tuner:recorD' WHERE rowid = 1",
}  # fmt: skip


@pytest.mark.parametrize("case", MOVED)
def test_what_has_moved_within_the_file_is_damage(finished, tmp_path, case):
    study = tmp_path / "study.db"
    shutil.copy(finished, study)
    execute(study, MOVED[case])
    for verb in ("report", "status"):
        err = survived(*inside(verb, study), expected=4)
        assert "is damaged, or cannot be read: " in err and "restore it from a copy" in err


def test_a_record_may_have_settings_of_any_name():
    """Also those by which a record is cut where its curves begin."""
    configuration = Configuration({"name": "x.py:Net", "curves": 3, "checksum": "y"}, {})
    told, curves = 'a text, "curves": {}, "checksum":"', FoldCurves(((0.5,),), ((0.5,),), ((0.25,),))
    made = TrialRecord(0, "complete", {"model.curves": 3}, configuration, 0.1, 0.5, details=told, curves=curves)
    assert trial_from_json(to_json(made, "final"), "final", 0) == made


@given(arrays.arrays(st.sampled_from(["<f4", "<f8", "i1", "<i4", "?"]), arrays.array_shapes(min_dims=0, min_side=0)))
def test_packed_numbers_come_back(numbers):
    found = unpack(pack(numbers))
    assert (found.dtype, found.shape, found.tobytes()) == (numbers.dtype, numbers.shape, numbers.tobytes())
    assert found.flags.writeable


def claimed(shape):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return b64encode(zlib.compress(file.getvalue() + bytes(16))).decode()


def zeros(count):
    packer = zlib.compressobj()
    parts = [packer.compress(bytes(2**24)) for _ in range(count // 2**24)]
    return b64encode(b"".join([*parts, packer.flush()])).decode()


BROKEN = {  # made when they are needed, not while tests are collected
    "no letters of ours": lambda: "???",
    "no zlib": lambda: b64encode(b"abc").decode(),
    "cut off": lambda: b64encode(b64decode(pack(np.arange(99)))[:-9]).decode(),
    "no array": lambda: b64encode(zlib.compress(b"abc")).decode(),
    "a shape that is larger than its numbers": lambda: claimed((10**12,)),
    "a shape of nonsense": lambda: claimed((-1, 2)),
    "a bomb": lambda: zeros(2 * MOST),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", BROKEN)
def test_what_is_no_packed_array_is_refused(case):
    with pytest.raises(StorageError, match="packed numbers in the study are damaged"):
        unpack(BROKEN[case]())
