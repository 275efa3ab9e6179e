"""Expected errors: each is a `TunerError` that says what is wrong, where, and how to fix it."""

from __future__ import annotations

import difflib
import errno
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path


class TunerError(Exception):
    """A mistake or limit that the user can act on; `hint` says what to do. Anything else is a bug."""

    exit_code = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(TunerError):
    """The command line has a mistake."""

    exit_code = 2


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake (or warning) at one place of an experiment file; lines and columns count from 0."""

    line: int
    column: int
    message: str
    hint: str | None = None
    width: int = field(default=1, compare=False)
    warning: bool = field(default=False, compare=False)


class ExperimentError(TunerError):
    """The experiment file has mistakes; `message` shows them all, each at its line with a caret. `problems` are those
    that have a place in the file."""

    exit_code = 2

    def __init__(self, message: str, problems: Iterable[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class DataError(TunerError):
    """The data cannot be read, or does not fit the experiment; `key` is the setting at fault, and `others` are the
    errors that were found with this one."""

    exit_code = 2

    def __init__(self, message: str, hint: str | None = None, key: str | None = None) -> None:
        super().__init__(message, hint)
        self.key = key
        self.others: tuple[DataError, ...] = ()


class ColumnError(DataError):
    """A setting names a column that does not exist, or that another setting names."""


class ManyTextsError(DataError):
    """A column has too many different texts for categories: it is probably an id, or free text."""

    def __init__(self, message: str, hint: str, column: str) -> None:
        super().__init__(message, hint)
        self.column = column


class DataErrors:
    """Collects the `DataError`s of several checks, to raise them together."""

    def __init__(self) -> None:
        self._found: list[DataError] = []

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Keep a `DataError` that is raised inside."""
        try:
            yield
        except DataError as error:
            self._found += (error, *error.others)

    def raise_all(self) -> None:
        """Raise the first error that was kept, with the others; do nothing if there is none."""
        if self._found:
            first, *others = self._found
            first.others = tuple(others)
            raise first


@contextmanager
def at(key: str) -> Iterator[None]:
    """Let a `DataError` that is raised inside, and names no setting, name the setting `key`."""
    try:
        yield
    except DataError as error:
        for each in (error, *error.others):
            each.key = each.key or key
        raise


class NotTrusted(TunerError):
    """A study from another place names code."""

    exit_code = 2


class LimitReached(TunerError):
    """A limit was reached with work left; the same command goes on."""

    exit_code = 3


class TimeIsOver(LimitReached):
    """The time limit of this run."""


class StorageError(TunerError):
    """The study file cannot be read or written."""

    exit_code = 4


class NoStudyYet(StorageError):
    """The file is a study file without a study in it."""


class NoResultError(TunerError):
    """The search ended without a usable result."""

    exit_code = 5


class StudyBusy(TunerError):
    """Another run holds the study (sysexits' EX_TEMPFAIL: try later)."""

    exit_code = 75


PROCESSES = "the machine allows no more processes or threads (ulimit -u, or the container's limit of pids)"
RESOURCE_ERRORS = {  # error numbers of exhausted resources, and their descriptions
    errno.EAGAIN: PROCESSES,
    errno.EMFILE: "no more files may be open (ulimit -n)",
    errno.ENFILE: "the machine has no more files to open",
    errno.ENOSPC: "a disk is full",
    errno.EDQUOT: "the quota of a disk is used up",
    errno.ENOMEM: "the machine has no more memory",
    errno.EFBIG: "a file would become larger than is allowed (ulimit -f)",
}
NO_SHARED_MEMORY = "there is no room in shared memory (df /dev/shm)"
RESOURCE_MESSAGES = {  # the exhausted resource, by words in the messages of libraries
    "can't start new thread": PROCESSES,
    "Resource temporarily unavailable": PROCESSES,
    "Too many open files": RESOURCE_ERRORS[errno.EMFILE],
    "failed to map segment": RESOURCE_ERRORS[errno.ENOMEM],
    "No space left on device": RESOURCE_ERRORS[errno.ENOSPC],
    "unable to allocate shared memory": NO_SHARED_MEMORY,
    "unable to open shared memory": NO_SHARED_MEMORY,
}


def lacking(error: BaseException) -> str | None:
    """The fault of the machine that caused an exception, such as an exhausted resource; None for other errors."""
    if isinstance(error, OSError) and error.errno:
        if error.errno == errno.ENOENT and error.filename is None and not _has_working_directory():
            return "the working directory no longer exists"
        found = RESOURCE_ERRORS.get(error.errno)
        return f"{found}: {error.filename}" if found and error.filename else found
    if isinstance(error, MemoryError):
        return RESOURCE_ERRORS[errno.ENOMEM]
    if isinstance(error, OverflowError) and "timestamp" in str(error):
        return "the system clock is set to 2262 or later, which timestamps cannot represent"
    if isinstance(error, OSError | RuntimeError | ImportError):
        text = str(error)
        return next((lack for words, lack in RESOURCE_MESSAGES.items() if words in text), None)
    return None


def _has_working_directory() -> bool:
    with suppress(OSError):
        return bool(Path.cwd())
    return False


def first_line(error: BaseException) -> str:
    """The type of an exception and the first line of its text, at most 300 letters, even if its `str` fails."""
    try:
        text = str(error)
    except Exception:
        text = "(it has no text)"
    kind = type(error).__name__.partition("\n")[0]
    return f"{kind}: {text.partition(chr(10))[0]}"[:300]


OTHER_NAMES = {  # names in papers and other libraries
    "lr": "learning_rate", "wd": "weight_decay", "l2": "weight_decay", "bs": "batch_size", "num_epochs": "epochs",
    "n_layers": "num_layers", "units": "hidden_size", "hidden_dim": "hidden_size", "silu": "swish",
    "momentum": "sgd", "nesterov": "sgd", "lstm": "rnn", "gru": "rnn", "resnet": "cnn", "bert": "transformer",
    "estimator": "model", "network": "model", "data": "dataset", "logistic": "sigmoid", "glorot_uniform": "xavier",
    "glorot_normal": "xavier", "sparse_categorical_crossentropy": "cross_entropy",
    "categorical_crossentropy": "cross_entropy", "binary_crossentropy": "binary_cross_entropy",
    "bcewithlogitsloss": "binary_cross_entropy", "smoothl1loss": "huber", "l1loss": "mae",
    "ashascheduler": "halving", "hyperbandscheduler": "halving", "asynchyperbandscheduler": "halving",
    "successivehalvingpruner": "halving", "cmaessampler": "tpe", "optuna": "tpe",
    "bce": "binary_cross_entropy", "ce": "cross_entropy", "nll_loss": "cross_entropy", "sigma": "std", "betas": "beta1",
    "gradient_clipping": "clip_grad_norm", "grad_clip": "clip_grad_norm", "gamma": "factor", "onecycle": "one_cycle",
    "kaiming": "he", "glorot": "xavier", "plateau": "reduce_on_plateau", "linear": "mlp", "l1": "mae", "l2_loss": "mse",
    "safetensors": "arrays", "mnist": "images",
    "text": "texts", "time_series": "forecast", "timeseries": "forecast", "movielens": "ratings", "imdb": "huggingface",
    "fetch_california_housing": "fetch", "california_housing": "fetch", "20newsgroups": "newsgroups",
    "f1": "macro_f1", "recall": "macro_recall", "precision": "macro_precision", "auc": "roc_auc", "nll": "log_loss",
    "acc": "accuracy", "mse": "rmse", "val_acc": "accuracy", "val_accuracy": "accuracy", "test_accuracy": "accuracy",
    "accuracy_score": "accuracy", "auroc": "roc_auc", "rocauc": "roc_auc", "pr_auc": "average_precision",
    "auprc": "average_precision", "ap": "average_precision", "f1_macro": "macro_f1", "f1_weighted": "weighted_f1",
    "f1_micro": "micro_f1", "neg_log_loss": "log_loss", "neg_mean_squared_error": "mse", "mean_squared_error": "mse",
    "neg_root_mean_squared_error": "rmse", "root_mean_squared_error": "rmse", "neg_mean_absolute_error": "mae",
    "mean_absolute_error": "mae", "r2_score": "r2", "matthews_corrcoef": "mcc", "kappa": "cohen_kappa",
    "jaccard": "iou", "tpesampler": "tpe", "bayes": "tpe", "bayesian": "tpe", "bayesopt": "tpe", "gpsampler": "gp",
    "randomsampler": "random", "randomsearch": "random", "gridsearch": "grid", "gridsampler": "grid", "bo": "gp",
    "bayesianoptimization": "tpe", "hyperopt": "tpe", "anneal": "tpe", "hyperband": "halving", "asha": "halving",
    "hyperbandpruner": "halving", "successivehalving": "halving", "medianpruner": "median", "medianstop": "median",
    "npz": "arrays", "npy": "arrays", "csv": "table", "parquet": "table", "excel": "table",
}  # fmt: skip


def either(values: Iterable[object]) -> str:
    """Different values in words, such as "gru", "gru or lstm", "rnn, gru or lstm"."""
    words = ["null" if value is None else str(value) for value in dict.fromkeys(values)]
    return " or ".join([*filter(None, [", ".join(words[:-1])]), *words[-1:]])


def plain_name(word: str) -> str:
    """A name in small letters, without signs between its words."""
    return re.sub(r"[_\-. ]", "", word.lower())


def closest(word: str, options: Iterable[str]) -> str | None:
    """The option that `word` was most likely meant to be, or None."""
    by_lower = {option.lower(): option for option in options}
    other = OTHER_NAMES.get(word.lower(), OTHER_NAMES.get(plain_name(word)))
    if other in by_lower and word.lower() not in by_lower:
        return by_lower[other]
    same = next((name for name in by_lower if plain_name(name) == plain_name(word)), None)
    if found := same or _contained(word, by_lower):
        return by_lower[found]
    near = difflib.get_close_matches(word.lower(), list(by_lower), n=1, cutoff=0.6)
    return by_lower[near[0]] if near else None


def _contained(word: str, options: Iterable[str]) -> str | None:
    """The longest option with which the words of a name begin, as mlp in MLPClassifier; else one with which they end,
    as accuracy in mean_accuracy."""
    name = "_".join(re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z\d]+|[A-Z\d]+", word)).lower()
    options = sorted(options, key=len, reverse=True)
    begins = (option for option in options if name.startswith(f"{option}_"))
    return next(begins, next((option for option in options if name.endswith(f"_{option}")), None))


def did_you_mean(word: str, options: Iterable[str]) -> str:
    """A hint for an unknown name: the nearest option, else the options, a dozen at most."""
    options = list(options)
    near = closest(word, options)
    more = ", …" if len(options) > 12 else ""
    return f"did you mean '{near}'?" if near else f"one of: {', '.join(options[:12])}{more}"
