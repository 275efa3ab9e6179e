"""Sources of texts: however people write them, the same texts and labels; each bad file is told in a sentence."""

import csv
import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.cli.console import error_text
from tuner.data.check import check
from tuner.errors import DataError
from tuner.sources import corpus, pairs, texts
from tuner.sources.readers.lines import text_frame

PLAIN = [("Wow, a great film!", "good"), ('He said "no" to me.', "bad"), ("It isn't bad; not at all", "good")] * 2


def write(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def load(folder, files, module=texts, **wish):
    write(folder, files)
    return check(module.load(module.Settings(**{"path": next(iter(files)), **wish}), folder))


def said(dataset, row):
    length = None if dataset.lengths is None else dataset.lengths[row]
    return [dataset.vocabularies[0][code] for code in dataset.features[row, :length]]


def tabbed(rows=PLAIN, head=None):
    return "".join("\t".join(row) + "\n" for row in ([head] if head else []) + rows)


def quoted(rows=PLAIN, head=("text", "label")):
    lines = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in [head, *rows]]
    return "\n".join(lines) + "\n"


WRITTEN = {
    "tabs without a header": ({"t.txt": tabbed()}, {}),
    "tabs and a header": ({"t.tsv": tabbed(head=("Text", "Label"))}, {}),
    "a header of other names": ({"t.tsv": tabbed(head=("what", "how"))}, {"text": "what", "target": "how"}),
    "labels first": ({"t.txt": tabbed([row[::-1] for row in PLAIN])}, {}),
    "columns by number": ({"t.txt": tabbed([("7", *row) for row in PLAIN])}, {"text": "2", "target": "3"}),
    "a CSV": ({"t.csv": quoted()}, {}),
    "gzip": ({"t.csv.gz": gzip.compress(quoted().encode())}, {}),
    "Windows lines": ({"t.txt": tabbed().replace("\n", "\r\n")}, {}),
    "a byte order mark": ({"t.txt": "\ufeff" + tabbed()}, {}),
    "a file of labels": (
        {"t.txt": "".join(text + "\n" for text, _ in PLAIN), "l.txt": "".join(label + "\n" for _, label in PLAIN)},
        {"labels": "l.txt"},
    ),
    "fastText": ({"t.txt": "".join(f"__label__{label} {text}\n" for text, label in PLAIN)}, {}),
    "two files": ({"a.txt": tabbed(PLAIN[:2]), "b.txt": tabbed(PLAIN[2:])}, {"path": ("a.txt", "b.txt")}),
}


@pytest.mark.parametrize("case", WRITTEN)
def test_the_same_texts_however_they_are_written(tmp_path, case):
    files, wish = WRITTEN[case]
    dataset = load(tmp_path, files, **wish)
    assert dataset.classes == ("bad", "good") and dataset.targets.tolist() == [1, 0, 1] * 2
    assert said(dataset, 0) == ["wow", ",", "a", "great", "film", "!"]
    assert said(dataset, 1) == ["he", "said", '"', "no", '"', "to", "me", "."]
    assert said(dataset, 2) == ["it", "isn't", "bad", ";", "not", "at", "all"]
    assert dataset.vocabularies[0][:2] == ("<padding>", "<unknown>")
    assert list(dataset.vocabularies[0][2:]) == sorted({word for row in range(6) for word in said(dataset, row)})


FOLDERS = {
    "a file per text": {f"d/{label}/{i}.txt": text for i, (text, label) in enumerate(PLAIN)},
    "a file per class": {
        f"d/{label}.txt": "".join(text + "\n" for text, own in PLAIN if own == label) for label in ("good", "bad")
    },
    "a suffix per class": {
        f"d/polarity.{label}": "".join(text + "\n" for text, own in PLAIN if own == label) for label in ("good", "bad")
    },
}


@pytest.mark.parametrize("case", FOLDERS)
def test_folders_of_classes(tmp_path, case):
    dataset = load(tmp_path, FOLDERS[case], path="d")
    rows = sorted((" ".join(said(dataset, row)), dataset.classes[dataset.targets[row]]) for row in range(6))
    expected = [
        ('he said " no " to me .', "bad"),
        ("it isn't bad ; not at all", "good"),
        ("wow , a great film !", "good"),
    ]
    assert rows == sorted(expected * 2)


def test_aclimdbs_layout_with_folders_chosen_and_what_lies_beside_them_told(tmp_path):
    inside = {"pos/0_9.txt": "good", "neg/0_1.txt": "bad", "unsup/0_0.txt": "?", "urls_pos.txt": "http"}
    files = {f"{part}/{name}": text for part in ("train", "test") for name, text in inside.items()}
    dataset = load(tmp_path, files, path=("train", "test"), classes=("neg", "pos"))
    assert [said(dataset, row)[0] for row in range(4)] == ["bad", "good"] * 2
    assert dataset.classes == ("neg", "pos")
    assert "train: the 1 files beside the folders of classes are not read" in dataset.notes


def test_which_of_two_columns_is_the_text_is_told_where_their_length_decides(tmp_path):
    note = "t.txt: column '1', which is longer, is taken as the text, and '2' as the target; else dataset.text: 2"
    assert load(tmp_path, {"t.txt": tabbed()}).notes == (note,)
    assert load(tmp_path, {"t.txt": tabbed()}, text="1").notes == ()
    assert load(tmp_path, {"t.txt": tabbed(NUMBERED)}).notes == ()
    assert load(tmp_path, {"t.csv": quoted()}).notes == ()


def test_links_of_folders_are_followed_but_not_back(tmp_path):
    write(tmp_path, {"d/a/1.txt": "one", "d/b/2.txt": "two", "more/deep/3.txt": "three", "more/.hidden/4.txt": "no"})
    (tmp_path / "d" / "a" / "more").symlink_to(tmp_path / "more")
    (tmp_path / "more" / "again").symlink_to(tmp_path / "more")
    (tmp_path / "d" / "a" / "up").symlink_to(tmp_path / "d")
    dataset = load(tmp_path, {"d/b/2.txt": "two"}, path="d")
    assert [said(dataset, row) for row in range(len(dataset))] == [["one"], ["three"], ["two"]]
    assert dataset.targets.tolist() == [0, 0, 1]


def test_what_is_named_twice_is_refused(tmp_path):
    files = {"d/a/1.txt": "x", "d/b/1.txt": "y"}
    (tmp_path / "e").symlink_to(tmp_path / "d")
    for paths, words in (
        (("d", "./d"), "d is named twice"),
        (("d", "e"), "e and d are the same"),
        (("d/a/1.txt", "d"), "d/a/1.txt is read twice, as it is in d"),
    ):
        with pytest.raises(DataError) as caught:
            load(tmp_path, files, corpus, path=paths)
        assert words in error_text(caught.value).replace(f"{tmp_path}/", "")


def test_labels_that_are_amounts_are_rated(tmp_path):
    rows = [(f"text {i}", str(i / 7)) for i in range(30)]
    dataset = load(tmp_path, {"t.txt": tabbed(rows)})
    assert dataset.task == "regression" and dataset.targets[:, 0].tolist() == pytest.approx([i / 7 for i in range(30)])


@given(st.lists(st.tuples(st.text(alphabet='ab"\t, \n', min_size=1), st.sampled_from("xy")), min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_what_the_csv_module_writes_is_read_back(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("f") / "t.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    frame = text_frame(path, None, ("text", "label"), ())
    assert list(frame.itertuples(index=False, name=None)) == [tuple(row) for row in rows]


def test_a_blank_line_between_tabs_hides_no_rows_behind_a_quote_that_runs_on(tmp_path):
    rows = [("a", "x"), ('"b', "y"), ("c", "x"), ('d"', "y"), ("e", "x")]
    lines = tabbed(rows).splitlines()
    write(tmp_path, {"t.tsv": "\n".join([*lines[:3], "", *lines[3:]])})
    assert list(text_frame(tmp_path / "t.tsv", None, (), ()).itertuples(index=False, name=None)) == rows


@pytest.mark.parametrize("name", ["t.tsv", "p.tsv"])
def test_no_column_is_named_twice(tmp_path, name):
    wish = {"text": "1", "target": "1"} if name == "t.tsv" else {"source": "1", "target": "1"}
    with pytest.raises(DataError, match=r"column '1' is named twice, by (text|source) and by target"):
        load(tmp_path, {name: tabbed()}, texts if name == "t.tsv" else pairs, **wish)


NUMBERED = [(f"text {i}", str(i / 7)) for i in range(30)]


@pytest.mark.parametrize("wish", [{}, {"text": "1", "target": "2"}, {"text": "what", "target": "how"}])
def test_a_first_label_that_is_the_only_one_without_a_number_is_the_header(tmp_path, wish):
    dataset = load(tmp_path, {"t.txt": tabbed(NUMBERED, head=("what", "how"))}, **wish)
    assert dataset.targets[:, 0].tolist() == pytest.approx([i / 7 for i in range(30)])


@pytest.mark.parametrize("head", [("review_text", "polarity"), ("Text", "Points")])
def test_more_names_of_columns_are_known(tmp_path, head):
    assert len(load(tmp_path, {"t.tsv": tabbed(head=head)})) == len(PLAIN)


@pytest.mark.parametrize("head", ["v1,v2,,,", "what,how"])
def test_two_words_above_texts_and_few_labels_are_taken_as_the_header_and_it_is_told(tmp_path, head):
    rows = "".join(f"{['ham', 'spam'][n % 2]},text {n} of many{',' * (head.count(',') - 1)}\n" for n in range(9))
    dataset = load(tmp_path, {"t.csv": f"{head}\n{rows}"})
    first, second = head.split(",")[:2]
    assert len(dataset) == 9 and dataset.classes == ("ham", "spam")
    assert f"t.csv: line 1, '{first}' and '{second}', is taken as the header" in dataset.notes[0]
    plain = load(tmp_path, {"t.csv": f"{head}\n{rows}"}, text="2", target="1")
    assert len(plain) == 10


def test_a_first_label_that_is_meant_can_be_told(tmp_path):
    assert len(load(tmp_path, {"t.txt": "odd\tnever\n" + LINES}, text="1", target="2")) == 7


@pytest.mark.parametrize(("second", "text"), [
    ("x y\tp\n \tq\n", "b.tsv: the text of data row 2 is empty"),
    ("x\tp\ny\t\n", "b.tsv: the target of data row 2 is missing"),
])  # fmt: skip
def test_of_two_files_the_one_that_is_wrong_is_named_and_its_own_row(tmp_path, second, text):
    with pytest.raises(DataError) as caught:
        load(tmp_path, {"a.tsv": LINES, "b.tsv": second}, path=("a.tsv", "b.tsv"))
    assert text in error_text(caught.value) and "a.tsv" not in error_text(caught.value)


def test_a_column_that_could_group_is_hinted_at(tmp_path):
    rows = [(*row, f"a{i // 2}", "2024") for i, row in enumerate(PLAIN)]
    files = {"t.tsv": tabbed(rows, head=("text", "label", "author", "year"))}
    (hint,) = load(tmp_path, files).hints
    assert hint.startswith("column 'author' has 3 values in 6 rows; if they belong together, dataset.groups: author")
    assert load(tmp_path, files, text="text", target="label", groups="author").hints == ()


def test_names_of_languages_are_a_header_and_one_alone_is_asked_about(tmp_path):
    rows = [("Go.", "Va !"), ("Run fast!", "Cours !")]
    plain = load(tmp_path, {"p.tsv": tabbed(rows)}, pairs)
    for head in (("english", "french"), ("EN", "fr")):
        assert load(tmp_path, {"p.tsv": tabbed(rows, head=head)}, pairs).targets_digest() == plain.targets_digest()
    odd = {"p.tsv": tabbed(rows, head=("english", "darija"))}
    with pytest.raises(DataError, match=r"p\.tsv: is line 1, 'english' and 'darija', a header\?"):
        load(tmp_path, odd, pairs)
    assert len(load(tmp_path, odd, pairs, source="1", target="2")) == 3


def test_characters_and_capital_letters_on_wish(tmp_path):
    dataset = load(tmp_path, {"t.txt": tabbed()}, tokens="character", lowercase=False)
    assert "".join(said(dataset, 1)) == 'He said "no" to me.'


def test_a_corpus_is_asked_for_what_comes_next_and_its_neighbours_stay_together(tmp_path):
    text = "".join(np.random.default_rng(0).choice(list("abcd efgh"), 3000))
    dataset = load(tmp_path, {"a.txt": text, "b.txt": text[:500]}, corpus, path=("a.txt", "b.txt"), length=20)
    whole = " ".join(text.split())
    first = ["".join(said(dataset, row)) for row in range(len(dataset)) if dataset.roles.groups[row] < 50]
    assert "".join(first) == whole[: len("".join(first))]
    for row in range(len(dataset)):
        words = dataset.classes
        following = "".join(words[code] for code in dataset.targets[row])
        assert "".join(said(dataset, row))[1:] == following[:-1]
    assert (np.diff(dataset.roles.groups) >= 0).all() and len(np.unique(dataset.roles.groups)) > 50


def test_files_too_short_for_a_corpus_are_counted(tmp_path):
    files = {f"d/{i}.txt": "abcde" for i in range(5)} | {"d/long.txt": "abc" * 40}
    (note,) = load(tmp_path, files, corpus, path="d", length=5).notes
    assert (
        note == "left out, as no longer than 5 characters: 5 files with 25 characters in all (0.txt, 1.txt, 2.txt, …)"
    )
    assert load(tmp_path, files, corpus, path="d", length=4).notes == ()


def test_pairs_of_a_table_and_of_two_files_are_the_same(tmp_path):
    rows = [("Go.", "Va !"), ("Go.", "Marche."), ("Run fast!", "Cours !")]
    table = load(tmp_path, {"p.tsv": tabbed([(*row, "CC-BY") for row in rows])}, pairs)
    files = {"a.en": "".join(a + "\n" for a, _ in rows), "b.fr": "".join(b + "\n" for _, b in rows)}
    other = load(tmp_path, files, pairs, answers="b.fr")
    named = load(tmp_path, {"n.csv": quoted(rows, ("en", "fr"))}, pairs, source="en", target="fr")
    assert table.fingerprint() == other.fingerprint() == named.fingerprint()
    assert said(table, 2) == ["run", "fast", "!"]
    assert [table.classes[code] for code in table.targets[0]] == ["va", "!", "<end>"]
    assert table.roles.groups.tolist() == [0, 0, 1]  # two translations of one text stay together
    back = load(tmp_path, {"p.tsv": tabbed(rows)}, pairs, source="2", target="1")
    assert said(back, 0) == ["va", "!"]


LINES = "a b\tx\n" * 6
REFUSED = {
    "no file": (texts, {"t.txt": LINES}, {"path": "u.txt"}, "u.txt: no such file"),
    "an empty file": (texts, {"t.txt": ""}, {}, "t.txt is empty"),
    "an empty text": (texts, {"t.txt": LINES + " \ty\n"}, {}, "t.txt: the text of data row 7 is empty"),
    "an empty label": (texts, {"t.txt": LINES + "a\t\n"}, {},
                       "t.txt: the target of data row 7 is missing (1 of 7 rows)"),
    "three columns": (texts, {"t.txt": "a\tb\tc\n" * 4}, {}, "which is the text and which the target?"),
    "an unknown column": (texts, {"t.txt": LINES}, {"text": "body"}, "t.txt has no column 'body'"),
    "a header of unknown names": (
        texts, {"t.txt": "the phrase\tpolarity\n" + LINES}, {},
        "t.txt: no other row has the label 'polarity' of line 1, which looks like a header",
    ),
    "a line with more": (
        texts, {"t.csv": "text,label\na,x\nb,c,y\n"}, {}, "line 3 has 3 fields, and the first 2"
    ),
    "an open quote": (
        texts, {"t.csv": 'text,label\n"a,x\nb,y\n'}, {}, "t.csv, line 2: the quote mark of field 1 is not closed"
    ),
    "Latin-1": (texts, {"t.txt": "café\tx\n".encode("latin-1") * 3}, {}, "t.txt is not UTF-8 (byte 3, line 1)"),
    "NUL": (texts, {"t.txt": LINES + "a\0\ty\n"}, {}, "t.txt holds NUL bytes (line 7)"),
    "labels that do not fit": (
        texts, {"t.txt": "a\nb\n", "l.txt": "x\n"}, {"labels": "l.txt"}, "t.txt has 2 lines and l.txt has 1"
    ),
    "half a gzip": (texts, {"t.txt": gzip.compress(LINES.encode())[:-9]}, {}, "t.txt cannot be read: "),
    "an empty class": (texts, {"d/a/1.txt": "x", "d/b/.hidden": "y"}, {"path": "d"}, "d/b has no files"),
    "an empty document": (texts, {"d/a/1.txt": "x", "d/b/1.txt": " "}, {"path": "d"}, "d/b/1.txt is empty"),
    "no such class": (texts, {"d/a/1.txt": "x"}, {"path": "d", "classes": ("c",)}, "d has nothing called 'c'"),
    "a corpus too short": (corpus, {"t.txt": "abc"}, {}, "no text is longer than 50 characters"),
    "pairs of one column": (pairs, {"t.tsv": "a\nb\n"}, {}, "t.tsv has one column"),
    "an empty translation": (
        pairs, {"t.tsv": "a\tb\nc\t\n"}, {}, "t.tsv, the translations: the text of data row 2 is empty"
    ),
    "files of other lengths": (
        pairs, {"a.en": "a\nb\n", "b.fr": "c\n"}, {"answers": "b.fr"}, "a.en has 2 lines and b.fr has 1"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_file_is_told_in_a_sentence(tmp_path, case):
    source, files, wish, expected = REFUSED[case]
    with pytest.raises(DataError) as caught:
        load(tmp_path, files, source, **wish)
    assert expected in error_text(caught.value)


def test_a_header_with_further_columns_is_one_and_a_wrong_name_in_it_is_told(tmp_path):
    rows = [(*row, "ann") for row in PLAIN]
    content = quoted(rows, ("text", "target", "author"))
    assert load(tmp_path, {"h.csv": content}).classes == ("bad", "good")
    for wish, words in (({"target": "targett"}, "has no column 'targett'"), ({"text": "Text"}, "did you mean 'text'?")):
        with pytest.raises(DataError) as caught:
            load(tmp_path, {"h.csv": content}, **{"text": "text", "target": "target", **wish})
        assert words in error_text(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [("__label__a b c\n__label__a __label__b d\n", "line 2: it has the labels __label__a and __label__b"),
     ("__label__a b c\nno label\n", "line 2: it has no label in front"),
     ("good film __label__a\n", "line 1: it has no label in front")],
)  # fmt: skip
def test_fasttext_asks_for_one_label_in_front(tmp_path, content, words):
    with pytest.raises(DataError, match=words):
        load(tmp_path, {"f.txt": content})


def test_a_folder_of_files_that_have_labels_is_no_folder_of_classes(tmp_path):
    files = {f"d/{name}.txt": tabbed([(f"{name} {i}", str(i % 2)) for i in range(20)]) for name in ("imdb", "yelp")}
    with pytest.raises(DataError, match="end in a tab and one of 2 labels") as caught:
        load(tmp_path, files, path="d")
    assert caught.value.hint == "dataset.path: [d/imdb.txt, d/yelp.txt]"
