"""Names of settings in other tools, and where the settings are in a file here."""

from __future__ import annotations

from tuner.errors import plain_name

OPTIMIZERS = "training.optimizer"
OPTIMIZER = f"{OPTIMIZERS}.learning_rate"
WEIGHT_DECAY, STOPPING, WIDTHS, SAMPLER, PRUNER = (
    "training.weight_decay",
    "training.early_stopping",
    "model.widths",
    "search.sampler",
    "search.pruner",
)
PLACES = {  # a name in small letters, without _ and -: the path of the setting
    **dict.fromkeys(("lr", "learningrate", "learningrateinit", "initlr", "initiallearningrate"), OPTIMIZER),
    **dict.fromkeys(("weightdecay", "wd", "l2", "l2reg", "alpha"), WEIGHT_DECAY),
    **dict.fromkeys(("epochs", "numepochs", "nepochs", "maxepochs", "numtrainepochs", "maxiter", "trainingiteration",
                     "maxt"), "training.epochs"),
    **dict.fromkeys(("batchsize", "bs", "trainbatchsize", "perdevicetrainbatchsize"), "training.batch_size"),
    **dict.fromkeys(("optimizer", "optim", "optimizername", "solver"), "training.optimizer"),
    **dict.fromkeys(("scheduler", "lrscheduler", "lrschedulertype", "schedule"), "training.schedule"),
    **dict.fromkeys(("loss", "criterion", "lossfunction", "lossfn"), "training.loss"),
    **dict.fromkeys(("clip", "gradclip", "clipnorm", "gradientclipval", "maxgradnorm"), "training.clip_grad_norm"),
    **dict.fromkeys(("clipvalue", "clipgradvalue"), "training.clip_grad_value"),
    **dict.fromkeys(("accumulategradbatches", "gradientaccumulationsteps"), "training.accumulate"),
    **dict.fromkeys(("patience", "earlystoppingpatience", "niternochange"), f"{STOPPING}.patience"),
    **dict.fromkeys(("earlystopping",), STOPPING),
    **dict.fromkeys(("classweight", "classweights"), "training.class_weight"),
    **dict.fromkeys(("warmupepochs",), "training.warmup"),
    **dict.fromkeys(("dropout", "dropoutrate", "dropoutp", "pdrop"), "model.dropout"),
    **dict.fromkeys(("activation", "activationfunction"), "model.activation"),
    **dict.fromkeys(("hiddensize", "hiddendim", "hiddenunits", "hiddenlayersize", "units"), "model.hidden_size"),
    **dict.fromkeys(("hiddensizes", "hiddenlayersizes", "layersizes", "widths"), WIDTHS),
    **dict.fromkeys(("numlayers", "nlayers", "depth"), "model.num_layers"),
    **dict.fromkeys(("initialization", "initializer", "kernelinitializer"), "model.initialization"),
    **dict.fromkeys(("folds", "nfolds", "numfolds", "kfold", "kfolds", "nsplits", "cv", "outer"), "resampling.outer"),
    **dict.fromkeys(("innerfolds", "innercv", "inner"), "resampling.inner"),
    **dict.fromkeys(("validationsplit", "valsplit", "validationfraction", "valsize"), "resampling.inner.holdout"),
    **dict.fromkeys(("stratify", "stratified"), "resampling.stratify"),
    **dict.fromkeys(("ntrials", "maxtrials", "numtrials", "trials", "numsamples", "runcap", "maxtrialnumber", "niter",
                     "maxevals", "ncalls", "maxtrialnum", "count", "numtrials"), "search.trials"),
    **dict.fromkeys(("sampler", "algorithm", "searchalg", "method", "strategy", "tuner", "searcher"), SAMPLER),
    **dict.fromkeys(("pruner", "earlyterminate", "assessor", "terminator"), PRUNER),
    **dict.fromkeys(("timeout", "maxtime", "timebudget", "timebudgets", "maxexperimentduration",
                     "maxexecduration"), "limits.time"),
    **dict.fromkeys(("trialtimeout", "maxtrialduration"), "limits.trial_time"),
    **dict.fromkeys(("label", "labels", "targetcolumn", "labelcolumn", "targetcol", "labelcol", "y"), "dataset.target"),
    **dict.fromkeys(("group", "groupcolumn", "groupcol"), "dataset.groups"),
}  # fmt: skip
ADVICE = {
    **dict.fromkeys(("device", "devices", "gpu", "gpus", "numgpus", "cuda", "accelerator"),
                    "on the command line: tuner search FILE --device cuda"),
    **dict.fromkeys(("njobs", "numworkers", "workers", "maxconcurrenttrials", "trialconcurrency", "nworkers"),
                    "on the command line: tuner search FILE --workers 4"),
    **dict.fromkeys(("direction", "directions", "mode", "goal", "optimizemode", "greaterisbetter"),
                    "leave it out: the direction of a metric is known"),
    **dict.fromkeys(("testsize", "testsplit"), "resampling: {outer: 5}: every row is tested once"),
    **dict.fromkeys(("program", "project", "entity", "command", "trialcommand", "trialcodedirectory", "verbose",
                     "trainingservice", "callbacks", "logger", "defaults", "overwrite", "projectname", "authorname",
                     "directory", "ckptpath", "refit", "executionspertrial", "precision", "hyperbanditerations",
                     "restorebestweights", "mindelta"),
                    "leave it out: nothing here needs it"),
    **dict.fromkeys(("resourcespertrial", "resources"),
                    "leave it out: the options --device and --workers choose the hardware"),
    **dict.fromkeys(("shuffle",), "leave it out: rows are split at random, or as resampling: {kind: …} says"),
    **dict.fromkeys(("storage",), "on the command line: tuner search FILE --study study.db"),
    **dict.fromkeys(("kfoldtype",), "resampling: {kind: groups}"),
}  # fmt: skip
METRICS = ("metric", "metrics", "objective", "monitor", "scoring", "evalmetric", "metricforbestmodel",
           "optimizedmetric")  # fmt: skip
SEEDS = ("seed", "randomstate", "randomseed", "seedeverything")
FIRST_TRIALS = ("initial", "start", "enqueue", "enqueuetrial", "pointstoevaluate", "initialpoints")
TITLES = ("study", "studyname", "experimentname")
SPACES = ("parameters", "searchspace", "paramgrid", "paramdistributions", "params", "hparams", "hyperparameters",
          "space", "config", "trainer", "sweeper", "hydra", "sweep", "tuneconfig", "paramspace", "stop",
          "runconfig")  # fmt: skip
FILES = {
    **dict.fromkeys(("csv", "tsv", "parquet", "feather", "arrow", "xlsx", "xls"), "table"),
    **dict.fromkeys(("npz", "npy", "safetensors"), "arrays"), "ts": "sequences", "txt": "corpus",
}  # fmt: skip
NOTES = {"alpha": "; scikit-learn divides alpha by the rows of a batch"}
COMPONENT_SETTINGS = {  # of an optimizer, a schedule, a pruner, …: the name that it has here
    **dict.fromkeys(("lr", "learningrate", "learningrateinit"), "learning_rate"),
    **dict.fromkeys(("eta", "reductionfactor"), "factor"),
    **dict.fromkeys(("miniter", "graceperiod", "minresource"), "first"),
    **dict.fromkeys(("nstartuptrials", "minsamplesrequired"), "warmup_trials"),
    **dict.fromkeys(("nwarmupsteps", "startstep"), "warmup_epochs"),
}


def place_of(key: str) -> str | None:
    """The path of the setting here that another tool calls so; a step of a pipeline or a group may stand before it."""
    return PLACES.get(plain_name(key)) or PLACES.get(plain_name(last_name(key)))


def last_name(key: str) -> str:
    """The last part of a name such as `mlp__alpha` or `training.batch_size`."""
    return key.rpartition("__")[2].rpartition(".")[2]
