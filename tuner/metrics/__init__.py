"""Metrics of a set of rows, in NumPy and float64. Each file here holds metrics of one kind, in its tuple `METRICS`."""

from tuner import registry
from tuner.metrics.parts.metric import Metric


def _by_name() -> dict[str, Metric]:
    """The metrics of every file, by name."""
    found: dict[str, Metric] = {}
    for kind in registry.names(__name__):
        for metric in registry.load(__name__, kind).METRICS:
            if metric.name in found:
                raise ValueError(f"two metrics of {__name__} are called {metric.name}; one is in {kind}.py")
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
