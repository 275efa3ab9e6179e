"""Every mistake in an experiment file is told at once, in place, with its cure, before anything is written."""

import subprocess
import sys

import pytest

from tuner.cli.app import run
from tuner.errors import did_you_mean
from tuner.metrics import METRICS as ALL

NAME = "name must be text of 1 … 100 printable characters without '/' or '..', and no space at its ends"
HEAD = "dataset: {name: iris}\nmodel: {name: mlp}\n"


@pytest.fixture
def told(tmp_path, capsys, monkeypatch):
    """What `tuner search` says about a file with this text; it must end with 2 and leave nothing behind."""
    monkeypatch.chdir(tmp_path)

    def search(text):
        (tmp_path / "e.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
        code = run(["search", "e.yaml", "--workers", "0", "--trials", "1"])
        said = capsys.readouterr()
        assert (code, said.out) == (2, ""), said.err
        assert names(tmp_path) == ["e.yaml"], "nothing is written"
        return said.err.rstrip("\n")

    return search


def names(folder):
    """What lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


def model(settings):
    """A file whose model has these settings, on line 2."""
    return f"dataset: iris\nmodel: {{name: mlp, {settings}}}\n"


def placed(line, column, message, source, width=1, hint=None):
    """One problem as rustc would write it, for lines below 10."""
    text = f"e.yaml:{line}:{column}: error: {message}\n   |\n {line} | {source}\n   | {' ' * (column - 1)}{'^' * width}"
    return text + (f"\n   = {hint}" if hint else "")


METRICS = did_you_mean("zzz", ALL)
FULL = [  # text; line and column; the whole sentence; what the caret underlines; hint
    (HEAD + "serach: {trials: 3}", (3, 1), "unknown key 'serach'", "serach", "did you mean 'search'?"),
    ("dataset: iris\nmodel: {name: mpl}", (2, 15), "unknown model 'mpl'", "mpl", "did you mean 'mlp'?"),
    ("dataset: irris\nmodel: mlp", (1, 10), "unknown dataset 'irris'", "irris", "did you mean 'iris'?"),
    (HEAD + "metric: acuracy", (3, 9), "unknown metric 'acuracy'", "acuracy", "did you mean 'accuracy'?"),
    (HEAD + "metric: zzz", (3, 9), "unknown metric 'zzz'", "zzz", METRICS),
    (HEAD + "training: {lr: 0.1}", (3, 12), "unknown key 'lr' in training", "lr",
     "optimizer: {name: adam, learning_rate: 0.1}"),
    (HEAD + "training: {early_stopping: 5}", (3, 28), "training.early_stopping must be a mapping of settings, not 5",
     "5", "early_stopping: {patience: 5}"),
    (HEAD + "training: {early_stopping: true}", (3, 28),
     "training.early_stopping must be a mapping of settings, not true", "true", "early_stopping: {patience: 5}"),
    (HEAD + 'training: {batch_size: "32"}', (3, 24),
     "training.batch_size must be 'full' or a whole number, not '32'", '"32"', "write 32 without quotes"),
    (HEAD + "metric: f1", (3, 9), "unknown metric 'f1'", "f1", "did you mean 'macro_f1'?"),
    (model("widths: [64]"), (2, 29), 'model.widths must be one text such as "64-32-16", or "16", not 64', "64", None),
    ("dataset: iris\nmodel: {choose: [{name: rnn}, mlp]}", (2, 18),
     "model: a choice is among names, and a mapping is not a name",
     "{name: rnn}", "with settings of their own: model: {choose: {NAME: {setting: …}, …}}"),
    (model("hiden_size: 3"), (2, 20), "unknown key 'hiden_size' in model", "hiden_size", "did you mean 'hidden_size'?"),
    (model("hidden_size: {low: 1, hgih: 9, high: 9}"), (2, 42), "unknown key 'hgih' in model.hidden_size", "hgih",
     "did you mean 'high'?"),
    (model("hidden_size: big"), (2, 33), "model.hidden_size must be a whole number, not 'big'", "big", None),
    (model("hidden_size: 1.5"), (2, 33), "model.hidden_size must be a whole number, not 1.5", "1.5", None),
    (model("hidden_size: true"), (2, 33), "model.hidden_size must be a whole number, not true", "true", None),
    (model("dropout: 1.5"), (2, 29), "model.dropout must be less than 1, not 1.5", "1.5", None),
    (model("dropout: .nan"), (2, 29), "model.dropout must be finite, not nan", ".nan", None),
    (model("activation: []"), (2, 32), "model.activation has no choices", "[]",
     "a list is a choice: give it at least one value"),
    (model("activation: {low: 1, high: 2}"), (2, 32), "model.activation is not a number, so it has no range",
     "{low: 1, high: 2}", "a list of: relu, tanh, sigmoid, leaky_relu, elu, selu, gelu, swish, mish"),
    (model("num_layers: [1, 2, 1]"), (2, 39), "model.num_layers offers 1 twice", "1", None),
    (model("hidden_size: {low: 9, high: 3}"), (2, 39), "model.hidden_size: low 9 is greater than high 3", "9",
     "swap them"),
    (model("hidden_size: {low: 9}"), (2, 33), "model.hidden_size needs high", "{low: 9}",
     "a range is {low: …, high: …}; a list is a choice"),
    (model("dropout: {low: 0, high: 0.3, log: true}"), (2, 35), "model.dropout: a log range needs low > 0, not 0", "0",
     "for zero or a log range, write a low above 0 and or: 0"),
    (model("dropout: {low: .nan, high: 0.3}"), (2, 35), "model.dropout.low must be finite, not nan", ".nan", None),
    (model("dropout: {low: 0, high: .inf}"), (2, 44), "model.dropout.high must be finite, not inf", ".inf", None),
    (model("hidden_size: {low: 1, high: 9, step: 0}"), (2, 57), "model.hidden_size.step must be greater than 0", "0",
     None),
    (model("hidden_size: {low: 1, high: 9, step: 2, points: 3}"), (2, 68), "model.hidden_size has both step and points",
     "3", "keep one of them"),
    (HEAD + "metric: rmse", (3, 1), "rmse is a metric of regression, and iris is a classification task", "metric",
     "metric: accuracy, or another "
     + did_you_mean("", [m.name for m in ALL.values() if "classification" in m.tasks and m.name != "accuracy"])),
    ("dataset: iris\nmodel: rnn", (2, 1),
     "model 'rnn' reads rows of layout sequence or tokens; iris has flat rows of 4", "model",
     "model: mlp or one of your own; or another layout of the data"),
    (HEAD + "search: {sampler: tpee}", (3, 19), "search.sampler must be one of 'grid', 'random', 'tpe' or 'gp', not"
     " 'tpee'", "tpee", "did you mean 'tpe'?"),
    (HEAD + "search: {seed: -1}", (3, 16), "search.seed must be at least 0, not -1", "-1", None),
    (HEAD + "resampling: {outer: 0}", (3, 21), "resampling.outer must be at least 2, not 0", "0", None),
    (HEAD + "resampling: {outer: 1}", (3, 21), "resampling.outer must be at least 2, not 1", "1", None),
    (HEAD + "resampling: {outer: {folds: 1}}", (3, 29), "resampling.outer.folds must be at least 2, not 1", "1", None),
    (HEAD + "resampling: {outer: [3, 5]}", (3, 21),
     "resampling.outer cannot be searched, so it must be one value, not a list", "[3, 5]", None),
    (HEAD + "training: {epochs: 0}", (3, 20), "training.epochs must be at least 1, not 0", "0", None),
    (HEAD + "training: {batch_size: 0}", (3, 24), "training.batch_size must be at least 1, not 0", "0", None),
    (HEAD + "name: ../x", (3, 7), NAME, "../x", None),
    (HEAD + "name: a..b", (3, 7), NAME, "a..b", None),
    (HEAD + "limits: {time: 7x}", (3, 16), "limits.time must be a duration such as 7h, 90m, 1h30m or 45s, not '7x'",
     "7x", None),
    (HEAD + 'limits: {until: "25:00"}', (3, 17), 'limits.until must be a time of day such as "07:00", not \'25:00\'',
     '"25:00"', None),
    (HEAD + 'constraints: ["model.hidden_size <"]', (3, 15), "'model.hidden_size <' is not an expression: invalid"
     " syntax", '"model.hidden_size <"', None),
    (HEAD + 'constraints: ["model.hiden_size < 3"]', (3, 15), "'model.hiden_size' is not a setting of this experiment",
     '"model.hiden_size < 3"', "did you mean 'model.hidden_size'?"),
    (HEAD + "constraints: [5]", (3, 15), "an expression is text, not 5", "5", 'quote it: "model.num_layers > 1"'),
    (model("dropout: {low: 0.0, high: 0.5}") + "search: {sampler: grid}", (2, 29),
     "grid needs points or step on the range model.dropout", "{low: 0.0, high: 0.5}",
     "write dropout: {low: 0.0, high: 0.5, points: 5}, or list the values"),
    (model('hidden_size: {low: 1, high: 9, when: "model.hidden_size > 0"}'), (2, 57),
     "'model.hidden_size > 0' is circular: the setting depends on itself", '"model.hidden_size > 0"', None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "place", "message", "under", "hint"), FULL, ids=[row[2][:50] for row in FULL])
def test_the_whole_sentence(told, text, place, message, under, hint):
    source = text.splitlines()[place[0] - 1]
    assert source[place[1] - 1 :].startswith(under), "the table itself is right"
    assert told(text) == placed(*place, message, source, len(under), hint)


def test_all_mistakes_at_once_in_file_order(told):
    text = (
        "datset: iris\ndataset: {name: irris}\nsearch: {sampler: tpee, trials: 0}\n"
        "model: {name: mlp, hiden_size: 3, dropout: 1.5}\ntraining:\n  epochs: 0\n"
        "  optimizer: {choose: {adm: {}, sgd: {momentm: 0.1}}}\nmetric: acuracy\nconstraints: ['model.x > 1', 'a <']\n"
    )
    lines = [line for line in told(text).splitlines() if line.startswith("e.yaml:")]
    assert [line.split(": error: ")[0] for line in lines] == [
        "e.yaml:1:1", "e.yaml:2:17", "e.yaml:3:19", "e.yaml:3:33", "e.yaml:4:20", "e.yaml:4:44", "e.yaml:6:11",
        "e.yaml:7:24", "e.yaml:7:39", "e.yaml:8:9", "e.yaml:9:15", "e.yaml:9:30",
    ]  # fmt: skip


def test_mistakes_of_space_and_search_are_told_together(told):
    said = told(model("dropout: {low: 0.0, high: 0.5}, hidden_size: {low: 1, high: 9}") + "search: {sampler: grid}")
    assert said.count("grid needs points or step") == 2


def test_what_is_missing_is_told(told):
    said = told("metric: accuracy\n")
    assert "error: dataset is missing" in said
    assert "= model: {name: …}, one of: cnn, mlp, recommender, rnn, seq2seq, transformer, unet" in said


CIRCLE = """dataset: iris
model:
  name: mlp
  hidden_size: {low: 1, high: 9, when: "model.num_layers > 0"}
  num_layers: {low: 0, high: 9, when: "model.hidden_size > 0"}
"""
REFUSED = {
    "unclosed quote": HEAD + "metric: 'accuracy\n",
    "unclosed brace": HEAD + "search: {trials: 3\n",
    "duplicate key": HEAD + "metric: accuracy\nmetric: accuracy\n",
    "two documents": HEAD + "---\n" + HEAD,
    "tab": "dataset: iris\nmodel:\n\tname: mlp\n",
    "not UTF-8": HEAD.encode() + b"# \xff\n",
    "NUL": HEAD.encode() + b"# \x00\n",
    "python object": HEAD + "metric: !!python/object/apply:os.system ['touch pwned']\n",
    "deep": HEAD + "x: " + "[" * 400 + "]" * 400,
    "2 MB": HEAD + "#" * 2_000_000,
    "empty": "",
    "a list": "- a\n",
    "circular when": CIRCLE,
    "call": HEAD + "constraints: [\"__import__('os').system('touch pwned')\"]\n",
    "deep expression": HEAD + 'constraints: ["' + "-" * 990 + '1"]\n',
    "350 digits": model("dropout: {low: 0, high: " + "9" * 350 + "}"),
    "350 digits, whole": model("hidden_size: {low: 1, high: " + "9" * 350 + "}"),
    "5,000 hexadecimal digits": model("hidden_size: 0x" + "f" * 5000),
    "not a float": HEAD + "metric: !!float abc\n",
    "beyond 2^53": model("hidden_size: {low: 1, high: 9007199254740993}"),
    "step beyond 2^53": model("hidden_size: {low: 1, high: 9, step: 9007199254740993}"),
    "step beyond the range": model("hidden_size: {low: 1, high: 9, step: 100}"),
    "model twice": "dataset: iris\nmodel: [mlp, mlp]\n",
    "1 and 1.0": HEAD + "training: {optimizer: {name: adam, learning_rate: [1, 1.0]}}\n",
    "tag on a list": model("num_layers: !x [1, 2]"),
    "folds and holdout": HEAD + "resampling: {inner: {folds: 3, holdout: 0.5}}\n",
    "text for a number": HEAD + "search: {trials: '3'}\n",
    "null section": HEAD + "training:\n",
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_is_refused(told, text):
    said = told(text)
    assert said.startswith("e.yaml")
    assert "error: " in said
    assert all(len(line) < 300 for line in said.splitlines()), "an error can be read"


def test_mistakes_of_the_space_the_metric_and_the_cut_are_told_together(told):
    text = "dataset: iris\nmodel: {name: mlp, dropout: {low: 0, high: 0.5}}\nmetric: rmse\n"
    said = told(text + "resampling: {outer: 200}\nsearch: {sampler: grid}\n")
    assert [line for line in said.splitlines() if "error" in line] == [
        "e.yaml:2:29: error: grid needs points or step on the range model.dropout",
        "e.yaml:3:1: error: rmse is a metric of regression, and iris is a classification task",
        "e.yaml:4:1: error: 150 rows cannot be cut into 200 folds",
    ]


def test_two_settings_that_exclude_each_other_are_told_at_their_place(told):
    said = told(HEAD + "resampling: {outer: 5, inner: {folds: 3, holdout: 0.5}}\n")
    assert said.startswith("e.yaml:3:24: error: resampling: folds and holdout exclude each other: leave one out")


def test_a_key_of_a_section_at_the_top_is_sent_home(told):
    assert told(HEAD + "trials: 30\n").endswith("= search: {trials: 30}")


def test_a_wrong_column_is_told_where_it_is_named(told, tmp_path):
    said = told(f"dataset: {{name: table, path: {__file__}x, target: y}}\nmodel: mlp\n")
    assert said.startswith("e.yaml:1:24: error: ") and "no such file" in said


def test_a_seed_beyond_the_limit_names_the_limit(told):
    said = told(HEAD + f"search: {{seed: {2**70}}}\nresampling: {{seed: {2**70}}}\n")
    assert "search.seed must be at most 9007199254740992, not 1180591620717411303424" in said
    assert "resampling.seed must be at most 4294967295, not 1180591620717411303424" in said


def test_a_when_whose_operands_do_not_fit_is_told_in_place(told):
    said = told(model('num_layers: [1, 2], hidden_size: {low: 1, high: 9, when: "model.activation > 3"}'))
    assert said.startswith("e.yaml:2:77: error: 'model.activation > 3' cannot be evaluated: ")


def test_the_constraint_that_cannot_be_worked_out_is_told_in_place(told):
    said = told(HEAD + 'constraints: ["model.num_layers > 0", "model.activation * 2 > 3"]\n')
    assert said.startswith("e.yaml:3:39: error: 'model.activation * 2 > 3' cannot be evaluated: ")


def test_a_constraint_that_fails_only_elsewhere_is_no_bug_of_tuner(tmp_path, capsys, monkeypatch):
    # the default configuration has one layer; with none, the division fails
    monkeypatch.chdir(tmp_path)
    text = model("num_layers: [1, 0]") + "training: {epochs: 1, batch_size: full}\nresampling: {outer: 3}\n"
    text += 'search: {sampler: grid}\nconstraints: ["1 / model.num_layers > 0"]\n'
    (tmp_path / "e.yaml").write_text(text)
    code = run(["search", "e.yaml", "--workers", "0"])
    assert "a bug in tuner" not in capsys.readouterr().err
    assert code in (0, 2)


def test_a_constraint_can_read_a_setting_that_the_file_leaves_out(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "e.yaml").write_text(HEAD + 'constraints: ["training.optimizer.learning_rate < 1"]\n')
    code = run(["check", "e.yaml"])
    assert code == 0, capsys.readouterr().err


def test_a_huge_grid_is_counted_not_listed(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = model("hidden_size: {low: 1, high: 10000, step: 1}, num_layers: {low: 1, high: 100, step: 1}, "
                 "dropout: {low: 0.0, high: 0.9, points: 1000}")  # fmt: skip
    text += "training: {epochs: {low: 1, high: 1000, step: 1}}\nsearch: {sampler: grid, trials: 5}\n"
    (tmp_path / "e.yaml").write_text(text)
    assert run(["check", "e.yaml"]) == 0
    said = capsys.readouterr()
    assert "the grid has 1,000,000,000,000 cells, and trials: 5 covers only the first of them" in said.out + said.err
    assert "5 trials per chain of 1,000,000,000,000 cells" in said.out
    assert names(tmp_path) == ["e.yaml"]


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["search", "check"])
def test_the_real_command_ends_with_2_and_writes_nothing(tmp_path, verb):
    (tmp_path / "e.yaml").write_text("dataset: iris\nmodel: {name: mpl}\n")
    done = subprocess.run([sys.executable, "-m", "tuner", verb, "e.yaml"], cwd=tmp_path, capture_output=True, text=True)
    hint = "did you mean 'mlp'?"
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == placed(2, 15, "unknown model 'mpl'", "model: {name: mpl}", 3, hint) + "\n"
    assert names(tmp_path) == ["e.yaml"]


@pytest.mark.slow
def test_two_thousand_brackets_are_refused_soon(tmp_path):
    (tmp_path / "e.yaml").write_text("x: " + "[" * 2000 + "]" * 2000)
    done = subprocess.run(
        [sys.executable, "-m", "tuner", "check", "e.yaml"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "nested deeper than 40 levels" in done.stderr


def test_a_file_that_is_not_there(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for word, hint in (("nope", "one of: cnn, "), ("rnm", "did you mean 'rnn'?")):
        assert run(["search", word]) == 2
        said = capsys.readouterr().err
        assert said.startswith(f"error: {word}: no such file, and no shipped space of that name\n  = {hint}")
    assert names(tmp_path) == []
