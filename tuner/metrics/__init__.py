"""Metrics of a set of rows, in NumPy and float64. Each file here holds metrics of one kind, in its tuple `METRICS`."""

from tuner import registry
from tuner.errors import UsageError
from tuner.metrics.parts.metric import Metric


def _by_name() -> dict[str, Metric]:
    """The metrics of every file, by name. Raises `UsageError` for a file without metrics, or with a name twice."""
    found: dict[str, Metric] = {}
    for kind in registry.names(__name__):
        metrics = getattr(registry.load(__name__, kind), "METRICS", None)
        if not metrics or not all(isinstance(metric, Metric) for metric in metrics):
            raise UsageError(f"{__name__}.{kind} does not define METRICS, a tuple of Metric", "add it to the file")
        for metric in metrics:
            if metric.name in found:
                raise UsageError(f"two metrics are called {metric.name}; one is in {__name__}.{kind}", "rename it")
            found[metric.name] = metric
    return found


METRICS = _by_name()
DEFAULT = {
    "classification": "accuracy",
    "tagging": "accuracy",
    "segmentation": "dice",
    "language": "perplexity",
    "translation": "exact_match",
    "multilabel": "macro_f1",
    "regression": "rmse",
}

__all__ = ["DEFAULT", "METRICS", "Metric"]
