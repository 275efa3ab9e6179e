"""A setting that nothing would use is an error at its place, not ignored; so is a model that cannot answer."""

import json
from dataclasses import asdict

import pytest
from helpers import inside, write_space
from toy_data import changed

from tuner.experiment.experiment import load
from tuner.experiment.grid import cells as cells_of
from tuner.search.catalogue import catalogue
from tuner.search.own_kinds import CodeHere
from tuner.sources import planted_ratings as ratings

RATINGS = {"name": "planted_ratings"}
RNN = {"dataset": {"name": "digits", "layout": "rows"}}


def said(folder, model, dataset, training=None):
    path = folder / "space.yaml"
    path.write_text(json.dumps({"model": model, "dataset": dataset, "training": training or {}}))
    return inside("check", path)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({**RNN, "model": {"name": "rnn", "cell": "gru", "forget_bias": 1.0}},
         "forget_bias is used only with cell lstm, and here cell is gru"),
        ({**RNN, "model": {"name": "rnn", "cell": ["rnn", "gru"], "forget_bias": [0.0, 1.0]}},
         "forget_bias is used only with cell lstm, and here cell is rnn or gru"),
        ({**RNN, "model": {"name": "rnn", "embedding_size": 9}},
         "embedding_size is used only with layout tokens, and here layout is sequence"),
        ({**RNN, "model": {"name": "rnn", "tied": True}},
         "tied is used only with task language, and here task is classification"),
        ({"dataset": {"name": "characters", "rows": 50}, "model": {"name": "rnn", "bidirectional": [True, False]}},
         "bidirectional is used only with task classification, multilabel, regression or tagging, and here task is "
         "language"),
        ({"dataset": {"name": "copy"}, "model": {"name": "transformer", "readout": "max"}},
         "readout is used only with task classification, multilabel or regression, and here task is tagging"),
        ({"dataset": RATINGS, "model": {"name": "recommender", "num_layers": {"low": 1, "high": 3}}},
         "num_layers is used only with interaction mlp, and here interaction is dot"),
        ({"dataset": RATINGS, "model": {"name": "recommender", "initialization": {"name": "he"}}},
         "initialization is used only with interaction mlp, and here interaction is dot"),
        ({"dataset": {"name": "diabetes"}, "model": {"name": "mlp"}, "training": {"class_weight": "balanced"}},
         "class_weight is used only with task classification, tagging or segmentation, and here task is regression"),
        ({"dataset": {"name": "strokes", "rows": 20}, "model": {"name": "unet"},
          "training": {"class_weight": "balanced", "loss": {"name": "dice_cross_entropy"}}},
         "class_weight is used only with loss null, cross_entropy, binary_cross_entropy or focal, and here loss is "
         "dice_cross_entropy"),
        ({"dataset": {"name": "copy"}, "model": {"name": "rnn"}, "training": {"input_noise": 0.1}},
         "input_noise is used only with layout flat, sequence or image, and here layout is tokens"),
        ({"dataset": {"name": "diabetes"}, "model": {"name": "mlp"}, "training": {"loss": "focal"}},
         "focal is not a loss for regression"),
        ({"dataset": {"name": "iris"}, "model": {"name": "mlp"}, "training": {"loss": {"choose": ["focal", "huber"]}}},
         "huber is not a loss for classification"),
        ({"dataset": "iris", "model": {"name": "mlp", "num_layers": 0, "dropout": 0.1}},
         "dropout is used only with num_layers above 0, and here num_layers is 0"),
        ({"dataset": "iris", "model": "mlp", "training": {"optimizer": {"name": "sgd", "nesterov": True}}},
         "nesterov is used only with momentum above 0, and here momentum is 0.0"),
        ({"dataset": "iris", "model": "mlp", "training": {"optimizer": {"choose": {"sgd": {"nesterov": [True, False]},
                                                                                   "adam": {}}}}},
         "nesterov is used only with momentum above 0, and here momentum is 0.0"),
        ({"dataset": "iris", "model": "mlp", "training": {"warmup": {"low": 20, "high": 30}, "epochs": [10, 20]}},
         "a warm-up of 20 epochs leaves nothing of 20 epochs"),
        ({"dataset": {"name": "iris"}, "model": {"name": "recommender"}},
         "model 'recommender' reads rows of layout ids; iris has flat rows of 4"),
        ({"dataset": {"name": "dates", "rows": 50}, "model": {"name": "rnn"}},
         "model 'rnn' is for classification, multilabel, regression, tagging or language; dates is a translation "
         "task"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told(tmp_path, changes, what):
    code, _, err = said(tmp_path, **changes)
    assert code == 2
    assert f"error: {what}\n" in err


@pytest.mark.parametrize(
    "changes",
    [
        {**RNN, "model": {"name": "rnn", "cell": ["lstm", "gru"], "forget_bias": [0.0, 1.0]}},
        {**RNN, "model": {"name": "rnn", "cell": "gru", "forget_bias": 0.0}},  # what it is anyway
        {**RNN, "model": {"choose": {"rnn": {"cell": "lstm", "forget_bias": 1.0}, "transformer": {}}}},
        {"dataset": "iris", "model": {"name": "mlp", "num_layers": {"low": 0, "high": 2}, "dropout": [0.0, 0.5]},
         "training": {"warmup": [0, 40], "epochs": [20, 30], "optimizer": {
             "choose": {"sgd": {"momentum": {"low": 0.0, "high": 0.9}, "nesterov": True}, "adam": {}}}}},
        {"dataset": {"name": "strokes", "rows": 20}, "model": {"name": "unet"},
         "training": {"class_weight": ["none", "balanced"], "loss": {"choose": ["dice", "cross_entropy"]}}},
        {"dataset": {"name": "iris"}, "model": {"name": "mlp"},
         "training": {"loss": {"choose": {"focal": {"gamma": {"low": 0, "high": 3}}, "cross_entropy": {}}}}},
    ],
)  # fmt: skip
def test_what_is_used_somewhere_is_not(tmp_path, changes):
    code, _, err = said(tmp_path, **changes)
    assert (code, err.count("error:")) == (0, 0), err


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"dataset": "iris", "model": "mlp"}, "nothing is searched: all 30 trials train the same configuration"),
        ({"dataset": "iris", "model": "mlp", "training": {"optimizer": {"choose": ["adam", "adamw"]}}},
         "adamw with weight_decay: 0 is the same as adam"),
        ({"dataset": "iris", "model": {"name": "mlp", "normalization": ["batch", "none"]},
          "training": {"batch_size": [1, 8]}}, "batch normalisation of a batch of 1 row removes"),
    ],
)  # fmt: skip
def test_what_is_hardly_meant_is_warned_of(tmp_path, changes, what):
    code, out, err = said(tmp_path, **changes)
    assert code == 0 and f"warning: {what}" in out + err
    meant = {**changes, "training": {"weight_decay": 0.01, "batch_size": [4, 8], **changes.get("training", {})}}
    meant["training"]["batch_size"] = {"low": 4, "high": 8}
    assert "warning" not in "".join(said(tmp_path, **meant)[1:])


@pytest.mark.parametrize(
    ("model", "dataset", "what", "hint"),
    [
        ({"name": "cnn", "stages": 5}, {"name": "digits", "layout": "image"}, "8×8 cannot be halved 4 times",
         "at most 3 more stages than the first"),
        ({"name": "unet", "depth": 6}, {"name": "strokes", "rows": 20, "size": 17}, "17×17 cannot be halved 6 times",
         "a depth of at most 5"),
    ],
)  # fmt: skip
def test_a_model_is_no_deeper_than_its_images(tmp_path, model, dataset, what, hint):
    code, _, err = said(tmp_path, model, dataset)
    assert code == 2 and f"error: {what}" in err and f"= {hint}" in err


def test_a_branch_is_judged_by_its_own_settings(tmp_path):
    choose = {"rnn": {"cell": "gru", "forget_bias": 1.0}, "transformer": {}}
    code, _, err = said(tmp_path, **RNN, model={"choose": choose})
    assert code == 2
    assert "forget_bias is used only with cell lstm" in err


def test_a_setting_of_another_branch_of_a_sibling_is_neither_searched_nor_reported(tmp_path):
    """Each of these grids has the cells that differ, and no more."""
    cases = [
        ({**RNN, "model": {"name": "rnn", "cell": ["gru", "lstm", "rnn"], "forget_bias": [0.0, 1.0]}}, 4),
        ({"dataset": "iris", "model": {"name": "mlp", "widths": ["16", None], "hidden_size": [4, 8],
                                       "num_layers": [1, 2]}}, 5),
        ({"dataset": {**RATINGS, "rows": 50}, "model": {
            "name": "recommender", "interaction": ["dot", "mlp"], "hidden_size": [4, 8],
            "initialization": {"choose": ["he", "xavier"]}}}, 5),
    ]  # fmt: skip
    for tree, cells in cases:
        path = tmp_path / "space.yaml"
        path.write_text(json.dumps({**tree, "search": {"sampler": "grid"}}))
        code, out, err = inside("check", path)
        assert code == 0, err
        assert f" of {cells} cells" in out
        space = load(path, catalogue(CodeHere(tmp_path))).space
        found = [json.dumps(asdict(space.configuration(cell)), sort_keys=True) for cell in cells_of(space)]
        assert len(found) == len(set(found)) == cells


def test_all_are_told_at_once(tmp_path):
    code, _, err = said(tmp_path, **RNN, model={"name": "rnn", "tied": True, "embedding_size": 5, "forget_bias": 1.0})
    assert code == 2
    assert err.count("is used only with") == 3


WRONG_EVERYWHERE = """\
dataset: {name: table, path: data.csv, target: labl, groups: pateint, drop: [x, z], impute: meen, weights_for: training}
model: {name: rnn, cell: gru, hidden_size: many, forget_bias: 1.0}
training: {epochs: {low: 5}, optimizer: {name: sgd, nesterov: true}}
metric: acuracy
resampling: {outer: one}
search: {sampler: bayes}
limits: {time: soon, time: 1h}
constraints: ["training.epochs <"]
"""


def mistakes(folder, text):
    """The line and the message of every error, for a table of 20 rows."""
    path = folder / "space.yaml"
    path.write_text(text)
    rows = "".join(f"{i},{i % 7},{'ab'[i % 2]}\n" for i in range(20))
    (folder / "data.csv").write_text(f"x,patient,label\n{rows}")
    code, _, err = inside("check", path)
    assert code == 2
    found = [line.split(":", 2) for line in err.replace(f"{folder}/no", "no").splitlines() if ": error: " in line]
    return [(int(row), rest.split(": error: ")[1]) for _, row, rest in found]


def test_one_mistake_hides_no_other(tmp_path):
    """Neither wrong types nor wrong sections hide the columns that are missing, or the settings that are not used."""
    assert mistakes(tmp_path, WRONG_EVERYWHERE) == [
        (1, "data.csv has no column 'labl'"),
        (1, "data.csv has no column 'pateint'"),
        (1, "data.csv has no column 'z'"),
        (1, "dataset.impute must be one of 'none', 'mean' or 'median', not 'meen'"),
        (1, "weights_for is used only when weights is set, and here it is not"),
        (2, "model.hidden_size must be a whole number, not 'many'"),
        (2, "forget_bias is used only with cell lstm, and here cell is gru"),
        (3, "training.epochs needs high"),
        (3, "nesterov is used only with momentum above 0, and here momentum is 0.0"),
        (4, "unknown metric 'acuracy'"),
        (5, "resampling.outer must be 'none', a whole number or a mapping of settings, not 'one'"),
        (6, "search.sampler must be one of 'grid', 'random', 'tpe' or 'gp', not 'bayes'"),
        (7, "limits.time must be a duration such as 7h, 90m, 1h30m or 45s, not 'soon'"),
        (7, "'time' is given twice"),
        (8, "'training.epochs <' is not an expression: invalid syntax"),
    ]


def test_what_depends_on_the_data_is_told_together(tmp_path):
    """The data is right, and model, metric, split and a section do not fit it."""
    text = """\
dataset: {name: table, path: data.csv, target: label}
model: {choose: {cnn: {}, mlp: {}, rnn: {}}}
metric: rmse
resampling: {outer: 2, kind: groups}
search: {threshold: tuned, trials: none}
"""
    assert mistakes(tmp_path, text) == [
        (2, "model 'cnn' reads rows of layout sequence, tokens or image; data.csv has flat rows of 2"),
        (2, "model 'rnn' reads rows of layout sequence or tokens; data.csv has flat rows of 2"),
        (3, "rmse is a metric of regression, and data.csv is a classification task"),
        (4, "resampling.kind: groups needs groups, and the data has none"),
        (5, "search.trials must be a whole number, not 'none'"),
    ]


def test_columns_that_cannot_be_read_are_told_together(tmp_path):
    """A time that is no time, a weight below 0, and a target with a gap."""
    path = write_space(tmp_path, dataset={"name": "table", "path": "own.csv", "target": "y", "time": "t",
                                          "weights": "w"})  # fmt: skip
    (tmp_path / "own.csv").write_text("x,t,w,y\n1,soon,1,a\n2,later,-1,\n3,soon,1,b\n")
    code, _, err = inside("check", path)
    assert code == 2
    assert [line.split(": error: ")[1] for line in err.splitlines() if ": error: " in line] == [
        "own.csv: 'y' of data row 2 is missing (1 of 3 rows)",
        "own.csv: column 't' holds neither numbers nor dates such as 2024-03-25: 'soon' in data row 1",
        "own.csv: 'w' of data row 2 is '-1'",
    ]


@pytest.mark.parametrize(("text", "told"), [
    ("dataset: iris\nmodle: mlp\nresamplng: {outer: 3}\n",
     [(2, "unknown key 'modle'"), (3, "unknown key 'resamplng'")]),
    ("dataset: iris\nmodel: {hidden_size: 4}\nconstraints: ['model.hidden_size < 9']\n"
     "search: {default: {model.hidden_size: 4}}\n",
     [(2, "model needs a name")]),
    ("dataset: iris\nmodel: mlp\ntrainig: {epochs: [5, 9]}\nsearch: {default: {training.epochs: 5}}\n",
     [(3, "unknown key 'trainig'")]),
    ("dataset: {name: table, path: data.csv, target: label, weights: 3, weights_for: training}\nmodel: mlp\n",
     [(1, "dataset.weights must be text, not 3")]),
    ("dataset: iris\nmodel: {name: mlpp, hidden_size: 4}\nconstraints: ['model.hidden_size < 9']\n"
     "search: {default: {model.hidden_size: 4}}\n",
     [(2, "unknown model 'mlpp'")]),
    ("dataset: iris\nmodel: mlp\ntraining: {loss: mae, class_weight: balanced}\n",
     [(3, "mae is not a loss for classification")]),
    ("dataset: {name: table, path: data.csv, target: label, separator: 3}\nmodel: mlp\n",
     [(1, "dataset.separator must be one of ',', ';', '\\t' or '|', not 3")]),
    ("dataset: {name: table, path: no.csv, target: label}\nmodel: {name: mlp, hidden_size: [4, 8]}\n"
     "constraints: ['model.hidden_size < 3']\nresampling: {outer: none}\nsearch: {threshold: tuned}\n",
     [(1, "no.csv: no such file"), (3, "no configuration satisfies the constraints in 1,000 draws"),
      (5, "threshold: tuned needs outer folds: in a flat search, the rows that choose the threshold also score it")]),
])  # fmt: skip
def test_what_only_follows_from_a_mistake_is_not_told(tmp_path, text, told):
    assert mistakes(tmp_path, text) == told


def test_a_ranking_needs_users(tmp_path):
    code, _, err = inside("check", write_space(tmp_path, dataset={"name": "diabetes"}, metric="ndcg@10"))
    assert code == 2
    assert "ndcg@10 is a metric of ratings, which name a user, and diabetes is a regression" in err


@pytest.mark.parametrize("metric", ["recall@5", "ndcg@5"])
def test_a_metric_that_says_nothing_of_a_fold_is_refused_with_the_fold(tmp_path, metric):
    """Where every user has rated once, nothing is above a user's mean; and a gain of 0 is none."""
    wish = {
        "dataset": {**RATINGS, "rows": 30, "users": 100_000},
        "model": "recommender",
        "training": None,
    }
    code, _, err = inside("check", write_space(tmp_path, **wish, metric=metric))
    told = (
        "error: recall@5 cannot score the 10 rows of inner fold 1 of outer-1: no user rates some of them above others\n"
    )
    assert (code, told in err) == ((2, True) if metric == "recall@5" else (0, False))


def test_a_gain_is_no_less_than_nothing(tmp_path, monkeypatch):
    ours = ratings.load
    monkeypatch.setattr(ratings, "load", lambda *given: changed(own := ours(*given), targets=own.targets - 9))
    wish = {"dataset": {**RATINGS, "rows": 300}, "model": "recommender", "training": None}
    code, _, err = inside("check", write_space(tmp_path, **wish, metric="ndcg@10"))
    assert code == 2
    assert "error: ndcg@10 needs targets of at least 0; the lowest is -" in err
    assert inside("check", write_space(tmp_path, **wish, metric="recall@10"))[0] == 0


def test_a_trial_that_is_too_deep_says_how_deep_it_may_be(tmp_path):
    wish = {"dataset": {"name": "digits", "layout": "image"}, "training": {"epochs": 1, "optimizer": None},
            "model": {"name": "cnn", "stages": [2, 5], "hidden_size": None, "activation": None}}  # fmt: skip
    path = write_space(tmp_path, **wish, search={"sampler": "grid", "trials": 2})
    inside("search", path, "--study", tmp_path / "study.db", "--workers", "0")
    (failure,) = json.loads(inside("report", tmp_path / "study.db", "--format", "json")[1])["failures"]
    assert failure["reason"] == "8×8 cannot be halved 4 times (at most 3 more stages than the first)"


def test_a_warm_up_that_may_be_off_is_searched(tmp_path):
    path = write_space(tmp_path, training={"epochs": 6, "warmup": {"low": 1, "high": 4, "or": 0}})
    code, out, err = inside("check", path)
    assert code == 0 and "training.warmup: 1 … 4" in out, err


UNUSED = {  # of a data source or section: its file, what is written, and every sentence
    "images in a CSV": (
        ("d.csv", "image,label\n"),
        {"dataset": {"name": "images", "path": "d.csv", "labels": "x", "masks": "y"}},
        ["labels applies only to IDX files, and this is a CSV",
         "masks applies only to a folder of images, and this is a CSV"],
    ),
    "images in folders": (
        None,
        {"dataset": {"name": "images", "path": ".", "groups": "who", "task": "regression", "ignore": 255}},
        ["groups applies only to a CSV, and this is a folder of images",
         "task applies only to a CSV, and this is a folder of images",
         "ignore applies only to masks, and this is a folder of images"],
    ),
    "an archive": (
        ("s.ts", "@data\n"),
        {"dataset": {"name": "sequences", "path": "s.ts", "id": "who", "drop": "x"}},
        [f"{key} applies only to a table, and this is a file of the UCR archive" for key in ("id", "drop")],
    ),
    "texts of Hugging Face": (
        None,
        {"dataset": {"name": "huggingface", "path": "imdb", "text": "t", "target": "y", "groups": "g",
                     "scale": "none"}},
        ["scale is not used when text is set, and here text is t",
         "groups is not used when text is set, and here text is t"],
    ),
    "a table of Hugging Face": (
        None,
        {"dataset": {"name": "huggingface", "path": "imdb", "target": "y", "max_length": 9}},
        ["max_length is used only when text is set, and here it is not"],
    ),
    "a number of OpenML": (
        None,
        {"dataset": {"name": "openml", "id": 31, "version": 2}},
        ["version is used only when data is set, and here it is not"],
    ),
    "faces": (
        None,
        {"dataset": {"name": "fetch", "set": "covtype", "faces": 9}},
        ["faces is used only with set lfw_people, and here set is covtype"],
    ),
    "a gap": (
        None, {"resampling": {"gap": 3}}, ["gap is used only with kind time, and here kind is random"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", UNUSED)
def test_what_a_source_or_section_does_not_use_is_told_at_once_at_its_place(case, tmp_path):
    file, changes, sentences = UNUSED[case]
    if file is not None:
        (tmp_path / file[0]).write_text(file[1])
    path = write_space(tmp_path, **changes)
    code, _, err = inside("check", path)
    assert code == 2
    for sentence in sentences:
        line = next(each for each in err.splitlines() if each.endswith(f"error: {sentence}"))
        column = int(line.split(":")[2])
        assert path.read_text()[column - 1 :].lstrip('"').startswith(sentence.partition(" ")[0])
    assert err.count("error: ") == len(sentences) and err.count("leave it out") == len(sentences)


def test_a_warning_hides_no_mistake_of_the_constraints(tmp_path):
    """A wide range without log is only a warning."""
    text = (
        "dataset: iris\nmodel: mlp\ntraining: {optimizer: {name: adam, learning_rate: {low: 0.0001, high: 1}}}\n"
        "constraints: ['training.optimizer.learning_rate > 5']\n"
    )
    assert mistakes(tmp_path, text) == [(4, "no configuration satisfies the constraints in 1,000 draws")]
