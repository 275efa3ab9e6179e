"""The YAML reader: YAML 1.2 values, the place of every node, one caret per problem, and no file that breaks it."""

import json
import math
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tuner.cli.console import error_text
from tuner.errors import ExperimentError, Problem
from tuner.experiment.yaml_file import Node, at, read, render

FEW = settings(deadline=None, max_examples=50)
LETTERS = st.text(st.characters(max_codepoint=0x24F, exclude_categories=["Cc"]), max_size=8)
NUMBERS = st.integers(-(10**12), 10**12) | st.floats(allow_nan=False, allow_infinity=False)
TREES = st.recursive(
    st.none() | st.booleans() | NUMBERS | LETTERS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(LETTERS, inner, max_size=3),
    max_leaves=12,
)


def document(text):
    """The document of a file with this text (or these bytes)."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "e.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read(path)


def refusal(text):
    """What is said about a file that cannot be read, the folder taken off."""
    with pytest.raises(ExperimentError) as caught:
        document(text)
    assert caught.value.exit_code == 2
    return "e.yaml" + error_text(caught.value).partition("e.yaml")[2]


def value(text):
    """The value of `a` in a file."""
    return document(f"a: {text}\n").root.plain()["a"]


@FEW
@given(st.dictionaries(LETTERS, TREES, max_size=4), st.sampled_from([None, 1, 4]))
def test_json_is_yaml(tree, indent):
    assert document(json.dumps(tree, indent=indent, ensure_ascii=False)).root.plain() == tree


@FEW
@given(st.dictionaries(LETTERS, TREES, min_size=1, max_size=4), st.sampled_from([None, 2]))
def test_every_node_stands_where_it_says(tree, indent):
    text = json.dumps(tree, indent=indent, ensure_ascii=False)
    lines = text.split("\n")

    def visit(node):
        if isinstance(node.value, str):
            written = lines[node.line][node.column : node.column + node.width]
            assert written == json.dumps(node.value, ensure_ascii=False)
        for name, entry in node.entries.items():
            place = lines[entry.key.line][entry.key.column : entry.key.column + entry.key.width]
            assert place == json.dumps(name, ensure_ascii=False)
            visit(entry)
        for item in node.value if isinstance(node.value, list) else ():
            visit(item)

    visit(document(text).root)


@FEW
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace")))
@example(b"a: !!float abc")
@example(b"a: !!float ''")
@example(b"a: !!int {b: c}")
@example(b"a: *a")
@example(b"&a [*a]")
@example(b"%TAG ! !\n---\na: 1")
@example(b"a: 0x" + b"f" * 5000)
def test_no_bytes_break_the_reader(raw):
    try:
        found = document(raw)
    except ExperimentError as error:
        assert "error: " in error_text(error)
    else:
        assert isinstance(found.root.plain(), dict)
        assert found.root.text() == "a mapping"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("1e-4", 1e-4),
        ("1E3", 1000.0),
        ("+2.5", 2.5),
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("010", 10),
        ("1:30", "1:30"),
        ("07:00", "07:00"),
        ("0x1F", 31),
        ("0o17", 15),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        (".inf", math.inf),
        ("-.inf", -math.inf),
        ("'1'", "1"),
        ("2026-01-02", "2026-01-02"),
        ("[1, 1.0, '1']", [1, 1.0, "1"]),
    ],
)
def test_values_are_yaml_1_2(text, meant):
    assert value(text) == meant
    assert type(value(text)) is type(meant)


def test_nan_is_read_as_nan():
    assert math.isnan(value(".nan"))


def test_a_byte_order_mark_and_windows_lines_are_fine():
    assert document(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n").root.plain() == {"a": 1, "b": 2}


def test_an_alias_stands_for_its_anchor():
    assert document("a: &x [1, 2]\nb: *x\n").root.plain() == {"a": [1, 2], "b": [1, 2]}


def test_text_in_errors_is_short():
    assert Node("x" * 100, 0, 0).text() == "'" + "x" * 57 + "…'"
    assert [Node(v, 0, 0).text() for v in (None, True, [], {}, 1.5)] == ["null", "true", "a list", "a mapping", "1.5"]


def test_a_long_whole_number_is_short_in_errors_too():
    assert len(Node(10**350, 0, 0).text()) <= 80


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: !foo 1\n", "e.yaml:1:4: error: the tag !foo is not allowed here\n   |\n 1 | a: !foo 1\n   |    ^"),
        ("a: *b\n", "e.yaml:1:4: error: not valid YAML: found undefined alias 'b'\n   |\n 1 | a: *b\n   |    ^"),
        ("? [x]\n: 1\n", "e.yaml:1:3: error: a key must be text\n   |\n 1 | ? [x]\n   |   ^^^"),
        ("a: 1\n---\nb: 2\n",
         "e.yaml: error: an experiment is one YAML mapping (key: value); this file holds 2 documents\n"
         "  = start from a shipped one: tuner init"),
        ("", "e.yaml: error: an experiment is one YAML mapping (key: value); this file is empty\n"
         "  = start from a shipped one: tuner init"),
        (b"a: \xff", "e.yaml: error: not UTF-8 (byte 3)\n  = save it as UTF-8"),
        (b"a: \x00", "e.yaml: error: contains NUL bytes, so it is not a text file"),
        (b"#" * 2_000_000, "e.yaml: error: larger than 1,000,000 bytes, so it is not an experiment file"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_said_in_full(text, said):
    assert refusal(text) == said


@pytest.mark.parametrize(("text", "tree", "said"), [
    ("a: 1\nb: 2\na: 3\n", {"a": 1, "b": 2}, "e.yaml:3:1: error: 'a' is given twice\n   |\n 3 | a: 3\n   | ^\n"
     "   = the first one is on line 1"),
    ("a: {b: 1, c: 2, b: 3}\n", {"a": {"b": 1, "c": 2}},
     "e.yaml:1:17: error: 'b' is given twice\n   |\n 1 | a: {b: 1, c: 2, b: 3}\n   |                 ^\n"
     "   = the first one is on line 1"),
])  # fmt: skip
def test_a_repeated_key_does_not_end_the_reading(text, tree, said):
    document = read(Path("e.yaml"), text)
    assert document.render(document.repeated) == said
    assert document.root.plain() == tree


def test_an_unclosed_quote_is_shown_where_it_opens():
    assert refusal("a: 1\nb: 'oops\nc: 3\n").startswith("e.yaml:2:4: error: not valid YAML: ")


def test_a_tab_is_shown_and_the_cure_named():
    said = refusal("a:\n\tb: 1\n")
    assert said.startswith("e.yaml:2:1: error: not valid YAML: ")
    assert "spaces" in said


@pytest.mark.parametrize(
    "tagged",
    ["!!python/object:os.system [x]", "!!python/name:os.system ''", "!!python/object/apply:os.system {a: b}", "!x [1]",
     "!x {b: 1}", "!!python/tuple [1, 2]"],
)  # fmt: skip
def test_a_tag_is_refused_on_any_value(tagged):
    assert refusal(f"a: {tagged}\n").startswith("e.yaml:1:4: error: the tag ")


def test_an_alias_bomb_is_one_problem():
    rows = ["a: &a [x,x,x,x,x,x,x,x,x]"]
    rows += [f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]" for old, new in zip("abcdefgh", "bcdefghi", strict=True)]
    said = refusal("\n".join(rows))
    assert said.count("error:") == 1
    assert "more than 20,000 values (aliases expanded)" in said


def test_a_list_that_holds_itself_is_one_problem():
    said = refusal("a: &a {b: *a}\n")
    assert said.count("error:") == 1
    assert "nested deeper than 40 levels" in said


@pytest.mark.parametrize("text", ["a: " + "[" * 300 + "]" * 300, "".join(" " * i + "a:\n" for i in range(300))])
def test_deep_nesting_is_refused(text):
    assert "error: nested deeper than 40 levels" in refusal(text)


def test_a_form_feed_is_placed():
    assert refusal("a: 1\nb: 2 \x0c\n").startswith("e.yaml:2:6: error: not valid YAML: ")


def test_missing_and_unreadable_files(tmp_path):
    with pytest.raises(ExperimentError, match=r"no.yaml: error: no such file\n  = shipped spaces: tuner list spaces"):
        read(tmp_path / "no.yaml")
    with pytest.raises(ExperimentError, match=r"error: cannot be read: Is a directory"):
        read(tmp_path)


@FEW
@given(st.text("abcdefg", min_size=1, max_size=300), st.data())
def test_the_caret_stands_under_its_letter(line, data):
    column = data.draw(st.integers(0, len(line) - 1))
    width = data.draw(st.integers(1, len(line) - column))
    rows = render(Path("e.yaml"), f"x\n{line}\n", [Problem(1, column, "bad", width=width)]).split("\n")
    assert rows[0] == f"e.yaml:2:{column + 1}: error: bad"
    carets = [i for i, letter in enumerate(rows[3]) if letter == "^"]
    shown = "".join(rows[2][i] for i in carets)
    assert shown
    assert line[column : column + width].startswith(shown)
    assert len(shown) == width or carets[-1] == len(rows[2]) - 1, "cut only where the line is cut"
    assert len(rows[2]) <= 120


def test_problems_are_told_once_in_file_order():
    problems = [Problem(2, 0, "third"), Problem(0, 3, "second"), Problem(0, 1, "first"), Problem(2, 0, "third")]
    said = render(Path("e.yaml"), "abcdef\nb\nc\n", problems)
    assert [line.partition("error: ")[2] for line in said.split("\n") if "error" in line] == [
        "first",
        "second",
        "third",
    ]


def test_a_warning_says_so_and_a_gutter_grows():
    said = render(Path("e.yaml"), "a\n" * 12, [at(Node("a", 10, 0), "odd", "look", warning=True)])
    assert said == "e.yaml:11:1: warning: odd\n    |\n 11 | a\n    | ^\n    = look"
