"""Text files in other encodings, and what stands above their rows: the same table as without it."""

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.cli.console import error_text
from tuner.data.check import check
from tuner.errors import DataError
from tuner.sources import corpus, forecast, pairs, ratings, sequences, table, texts
from tuner.sources.loading.guess import guess

ROWS = "größe,farbe,label\n" + "".join(f"{n / 8},{'blé'[n % 3]},{'ab'[n % 2]}\n" for n in range(30))


def read(folder, raw, name="t.csv", **wish):
    (folder / name).write_bytes(raw)
    return table.load(table.Settings(path=name, target="label", **wish), folder)


def assert_same(dataset, rows=ROWS):
    plain = pd.read_csv(io.StringIO(rows))
    expected = pd.get_dummies(plain.drop(columns="label"), prefix_sep="=").astype(float)
    assert dataset.inputs.names == tuple(expected.columns)
    np.testing.assert_array_equal(dataset.features, expected.to_numpy())
    assert [dataset.classes[code] for code in dataset.targets] == list(plain["label"])


@pytest.mark.parametrize(
    "encoding", ["cp1252", "latin-1", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp437"]
)
def test_a_table_is_the_same_in_every_encoding(tmp_path, encoding):
    assert_same(read(tmp_path, ROWS.encode(encoding), encoding=encoding))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_says_the_encoding(tmp_path, encoding):
    assert_same(read(tmp_path, ROWS.encode(encoding)))


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
def test_the_encoding_of_a_western_text_is_proposed(tmp_path, encoding):
    (tmp_path / "t.csv").write_bytes(ROWS.encode(encoding))
    proposed, *_ = guess(tmp_path / "t.csv", "label")
    assert_same(table.load(table.Settings(**proposed), tmp_path))


def test_what_is_neither_utf8_nor_western_is_refused_with_the_setting_to_write(tmp_path):
    cases = [("größe", "cp1252", "cp1252; or save it as UTF-8"), ("размер", "cp1251", "the encoding in which it is")]
    for text, encoding, hint in cases:
        with pytest.raises(DataError) as caught:
            read(tmp_path, ROWS.replace("größe", text).replace("é", "e").encode(encoding))
        told = error_text(caught.value)
        assert "t.csv is not UTF-8 (byte " in told and f"dataset.encoding: {hint}" in told
    with pytest.raises(DataError) as caught:
        read(tmp_path, ROWS.encode("cp1252"), encoding="ascii")
    assert "t.csv is not ASCII (byte 2, line 1)" in error_text(caught.value)
    with pytest.raises(ValueError, match="unknown encoding"):
        table.Settings(path="t.csv", target="label", encoding="ansi")


def test_every_source_of_text_files_has_an_encoding(tmp_path):
    files = {
        "t.tsv": "Grüße an alle\tgut\nnein, nicht so\tschlecht\n" * 3,
        "c.txt": "Größe und Straße. " * 20,
        "p.tsv": "Grüße\tbonjour l'été\nja\toui\n",
        "r.csv": "userId,movieId,rating\n" + "".join(f"Jürgen{n % 3},f{n % 4},{n % 5}\n" for n in range(12)),
        "s.csv": "wert,größe\n" + "".join(f"{n},{n}\n" for n in range(20)),
        "q.csv": "id,größe,label\n" + "".join(f"{n // 3},{n},{'ab'[n // 3 % 2]}\n" for n in range(18)),
    }
    for name, text in files.items():
        (tmp_path / name).write_bytes(text.encode("cp1252"))
    wishes = [
        (texts, {"path": "t.tsv"}, "Grüße".lower()),
        (corpus, {"path": "c.txt", "length": 10}, "ö"),
        (pairs, {"path": "p.tsv"}, "grüße"),
        (ratings, {"path": "r.csv"}, "Jürgen1"),
    ]
    for source, wish, word in wishes:
        dataset = check(source.load(source.Settings(**wish, encoding="cp1252"), tmp_path))
        assert word in dataset.vocabularies[0]
    wish = {"path": "s.csv", "target": "größe", "history": 2, "horizon": 1, "encoding": "cp1252"}
    assert "größe t" in forecast.load(forecast.Settings(**wish), tmp_path).inputs.names
    wish = {"path": "q.csv", "id": "id", "target": "label", "encoding": "cp1252"}
    assert sequences.load(sequences.Settings(**wish), tmp_path).inputs.names == ("größe",)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.sampled_from(["# made by a logger", "# unit: mV", "# a, b, c, d, e, f, g", "", "  "]), max_size=4),
    st.booleans(), st.sampled_from(",;\t|"), st.sampled_from(["\n", "\r\n", "\r"]), st.integers(0, 2),
)  # fmt: skip
def test_comments_blank_lines_and_empty_names_change_nothing(tmp_path_factory, above, declared, separator, end, blank):
    folder = tmp_path_factory.mktemp("t")
    first, *rest = ROWS.replace(",", separator).splitlines()
    lines = [*([f"sep={separator}"] if declared else []), *above, first + separator * blank, *rest]
    wish = {} if declared else {"separator": separator}
    dataset = read(folder, (end.join(lines) + end).encode(), **wish)
    assert_same(dataset)
    comments = sum(line.startswith("#") for line in above)
    assert any("above the header" in note for note in dataset.notes) == (comments > 0)
    assert any("without a name" in note for note in dataset.notes) == (blank > 0)


def test_a_header_that_begins_with_the_sign_of_comments_is_one(tmp_path):
    dataset = read(tmp_path, ("#" + ROWS).encode())
    assert dataset.inputs.names[0] == "#größe" and len(dataset) == 30


def test_a_row_that_is_short_is_told_with_its_line_below_comments(tmp_path):
    with pytest.raises(DataError) as caught:
        read(tmp_path, ("# one\n" + ROWS + "1,b\n").encode())
    assert "line 33 has 2 fields, and the first 3" in error_text(caught.value)


@pytest.mark.parametrize("separator", ["\t", ";", "|", ","])
def test_a_text_file_whose_lines_have_the_same_cells_below_names_is_proposed_as_a_table(tmp_path, separator):
    (tmp_path / "t.txt").write_text(ROWS.replace(",", separator))
    proposed, *_ = guess(tmp_path / "t.txt", "label")
    assert_same(table.load(table.Settings(**proposed), tmp_path))


def test_thousands_are_proposed_and_settle_what_a_comma_means(tmp_path):
    amounts = [49_481, 1_200, 7_350, 12_001, 880_000, 3_100]
    rows = "".join(f'"{amount:,}",{"ab"[n % 2]}\n' for n, amount in enumerate(amounts))
    with pytest.raises(DataError, match="comma with two meanings"):
        read(tmp_path, f"pay,label\n{rows}".encode())
    proposed, *_ = guess(tmp_path / "t.csv", "label")
    assert proposed["thousands"] == ","
    assert table.load(table.Settings(**proposed), tmp_path).features[:, 0].tolist() == amounts


def test_a_text_that_begins_with_a_hashtag_is_no_comment_and_what_is_one_is_told(tmp_path):
    rows = "".join(f"text number {n} here,{'ab'[n % 2]}\n" for n in range(12))
    (tmp_path / "t.csv").write_text(f"# from lab A, 2020\ntext,label\n{rows}")
    dataset = texts.load(texts.Settings(path="t.csv"), tmp_path)
    assert len(dataset) == 12 and any("comment above the header" in note for note in dataset.notes)
    (tmp_path / "t.csv").write_text(f"#so happy, really, today,a\n{rows}")
    with pytest.raises(DataError, match="line 2 has 2 fields, and the first 4"):
        texts.load(texts.Settings(path="t.csv"), tmp_path)


def test_what_numpy_writes_as_a_comment_is_the_header(tmp_path):
    numbers = np.random.default_rng(0).normal(size=(20, 3))
    np.savetxt(tmp_path / "t.csv", numbers, delimiter=",", header="a,b,c")
    dataset = table.load(table.Settings(path="t.csv", target="c"), tmp_path)
    assert dataset.inputs.names == ("# a", "b") and len(dataset) == 20


@pytest.mark.parametrize("cells", ["5.678,'1,2'", "5.678,'3,4'", "1.5,'1,234'"])
def test_a_sign_that_can_be_read_in_two_ways_is_not_proposed(tmp_path, cells):
    (tmp_path / "t.csv").write_text("x,tags,label\n" + (cells.replace("'", '"') + ",a\n") * 20)
    assert "decimal" not in guess(tmp_path / "t.csv", "label").settings


def test_a_tsv_of_decimal_commas_is_no_file_of_the_archive(tmp_path):
    (tmp_path / "t.tsv").write_text("".join(f"{n % 2}\t" + "\t".join(["0,5"] * 12) + "\n" for n in range(9)))
    assert guess(tmp_path / "t.tsv", None).settings["name"] != "sequences"
    (tmp_path / "u.tsv").write_text("1\t" + "\t".join(["0.5"] * 12) + "\n2\t" + "\t".join(["0,5"] * 12) + "\n")
    with pytest.raises(DataError, match="line 2: it holds ','"):
        sequences.load(sequences.Settings(path="u.tsv"), tmp_path)
    (tmp_path / "v.tsv").write_text("1\t0.5\t0.6\n\t0.5\t0.6\n")
    with pytest.raises(DataError, match="line 2: the label is missing"):
        sequences.load(sequences.Settings(path="v.tsv"), tmp_path)
