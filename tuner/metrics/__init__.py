"""Metrics of a set of rows, in NumPy and float64. Each file here holds metrics of one kind, in its tuple `METRICS`."""

from tuner import registry
from tuner.metrics.parts.metric import Metric

METRICS: dict[str, Metric] = {
    metric.name: metric for kind in registry.names(__name__) for metric in registry.load(__name__, kind).METRICS
}
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
