"""`.ts` files hold what numpy reads by hand; each bad one is told with file and line."""

import numpy as np
import pytest

from tuner.cli.console import error_text
from tuner.data.check import check
from tuner.errors import DataError
from tuner.sources import sequences
from tuner.sources.loading.guess import guess

HEAD = "# a comment\n@problemName toy\n@timeStamps false\n@dimensions 2\n@classLabel true b a\n@data\n"
PLAIN = HEAD + "1,2,3:4,5,6:b\n\n# more\n7:8:a\n9.5,?:NaN,-1e1:a\n"


def load(folder, *contents, **wish):
    names = []
    for number, content in enumerate(contents, start=1):
        names.append(f"s{number}.ts")
        (folder / names[-1]).write_bytes(content if isinstance(content, bytes) else content.encode())
    return sequences.load(sequences.Settings(path=tuple(names) if len(names) > 1 else names[0], **wish), folder)


def refused(folder, *contents, **wish):
    with pytest.raises(DataError) as caught:
        load(folder, *contents, **wish)
    return error_text(caught.value)


def test_unequal_sequences_are_padded_with_0_and_what_is_missing_is_nan(tmp_path):
    dataset = load(tmp_path, PLAIN, impute="mean")
    nan = np.nan
    expected = [[[1, 4], [2, 5], [3, 6]], [[7, 8], [0, 0], [0, 0]], [[9.5, nan], [nan, -10], [0, 0]]]
    np.testing.assert_array_equal(dataset.features, np.array(expected, np.float32))
    assert dataset.lengths.tolist() == [3, 1, 2]
    assert (dataset.classes, dataset.targets.tolist()) == (("a", "b"), [1, 0, 0])
    assert (dataset.task, dataset.layout) == ("classification", "sequence")
    check(dataset)
    with pytest.raises(DataError, match="2 values are missing, the first at data row 3, column 'channel 2'"):
        check(load(tmp_path, PLAIN))


def test_sequences_of_one_length_need_no_lengths(tmp_path):
    assert load(tmp_path, HEAD + "1,2:3,4:a\n5,6:7,8:b\n").lengths is None


def test_files_are_put_together_and_compressed_ones_unpacked(tmp_path):
    import gzip

    both = load(tmp_path, PLAIN, HEAD + "1,2,3,4:5,6,7,8:b\n")
    assert (len(both), both.features.shape[1:], both.targets.tolist()) == (4, (4, 2), [1, 0, 0, 1])
    (tmp_path / "s.ts.gz").write_bytes(gzip.compress(PLAIN.encode()))
    packed = sequences.load(sequences.Settings(path="s.ts.gz"), tmp_path)
    assert packed.fingerprint() == load(tmp_path, PLAIN).fingerprint()


def test_a_file_of_the_archive_without_a_header_is_read_as_its_ts_file(tmp_path):
    values = np.round(np.random.default_rng(0).normal(size=(12, 20)), 3)
    lengths, labels = np.arange(12) + 9, np.arange(12) % 3
    rows = [(str(label), [*map(str, row[:length])]) for label, row, length in zip(labels, values, lengths, strict=True)]
    lines = ["\t".join([label, *row, *["NaN"] * (20 - len(row))]) for label, row in rows]
    (tmp_path / "Toy_TRAIN.tsv").write_text("\n".join(lines) + "\n")
    proposed, *_ = guess(tmp_path / "Toy_TRAIN.tsv", None)
    assert proposed["name"] == "sequences"
    read = sequences.load(sequences.Settings(**proposed), tmp_path)
    head = HEAD.replace("@dimensions 2\n", "").replace("b a", "0 1 2")
    as_ts = load(tmp_path, head + "".join(f"{','.join(row)}:{label}\n" for label, row in rows))
    assert read.fingerprint() == as_ts.fingerprint() and read.lengths.tolist() == lengths.tolist()


def test_a_target_of_numbers_is_a_regression(tmp_path):
    dataset = load(tmp_path, PLAIN.replace("@classLabel true b a", "@targetLabel true").replace(":b", ":2.5").replace(
        ":a", ":-1"))  # fmt: skip
    assert dataset.task == "regression"
    assert dataset.targets.tolist() == [[2.5], [-1], [-1]]


def test_classes_that_are_numbers_are_in_their_order(tmp_path):
    text = HEAD.replace("b a", "") + "".join(f"1:2:{label}\n" for label in (10, 9, 1, 10))
    assert load(tmp_path, text).classes == ("1", "9", "10")


REFUSED = {
    "no data": ("@classLabel true\n", "s1.ts has no line @data, so it is not a .ts file of the UEA and UCR archive"),
    "no header": ("x,y\n1,2\n", "s1.ts, line 1: no header line such as @classLabel"),
    "no sequences": (HEAD, "s1.ts has no sequences after @data"),
    "empty": ("", "s1.ts has no line @data"),
    "nothing to predict": (PLAIN.replace("true", "false"), "s1.ts says neither @classLabel true nor @targetLabel true"),
    "times": (PLAIN.replace("Stamps false", "Stamps true"), "s1.ts says @timeStamps true"),
    "times unsaid": (HEAD + "(0,1),(1,2):(0,1),(1,2):a\n", "s1.ts, line 7, channel 1: values with their times"),
    "text": (HEAD + "1,x:3,4:a\n", "s1.ts, line 7, channel 1, step 2: 'x' is not a number"),
    "channels": (HEAD + "1,2:3,4:a\n1,2:a\n", "s1.ts, line 8: 1 channels, and @dimensions says 2"),
    "channels unsaid": (HEAD.replace("@dimensions 2\n", "") + "1:3:a\n1,2:a\n",
                        "s1.ts, line 7: 1 channels, and the first sequence of s1.ts has 2"),
    "steps": (HEAD + "1,2:3:a\n", "s1.ts, line 7: channel 2 has 1 steps, and channel 1 has 2"),
    "no steps": (HEAD + "::a\n", "s1.ts, line 7, channel 1: no steps"),
    "an unknown label": (HEAD + "1:2:c\n", "s1.ts, line 7: label 'c' is not in @classLabel\n  = one of: b a"),
    "no label": (HEAD + "1:2:\n", "s1.ts, line 7: the label is missing"),
    "a label alone": (HEAD + "a\n", "s1.ts, line 7: no ':' before the label"),
    "bytes": (b"\xff\x00", "s1.ts is not UTF-8 (byte 0, line 1)"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_file_is_told_with_its_line(tmp_path, case):
    content, text = REFUSED[case]
    assert text in refused(tmp_path, content)


def test_files_that_do_not_go_together_are_told(tmp_path):
    other = PLAIN.replace("@dimensions 2", "@dimensions 1").replace("1,2,3:4,5,6", "1,2")
    assert "s2.ts, line 7: 1 channels, and the first sequence of s1.ts has 2" in refused(tmp_path, PLAIN, other)
    number = HEAD.replace("classLabel true b a", "targetLabel true") + "1:2:3\n"
    assert "s1.ts asks for classification and s2.ts asks for regression" in refused(tmp_path, PLAIN, number)
    (tmp_path / "t.csv").write_text("id,x,y\n")
    with pytest.raises(DataError, match="of two kinds"):
        sequences.load(sequences.Settings(path=("s1.ts", "t.csv")), tmp_path)


def test_a_ts_file_has_no_tags(tmp_path):
    assert "has one label for a sequence" in refused(tmp_path, PLAIN, task="tagging")


def test_one_endless_sequence_is_no_reason_to_fill_the_memory(tmp_path):
    short = "1:2:a\n" * 5000
    text = HEAD + short + ",".join(["1"] * 60_000) + ":" + ",".join(["1"] * 60_000) + ":b\n"
    assert "sequence 5001 has 60,000 steps, and the others are far shorter" in refused(tmp_path, text)
