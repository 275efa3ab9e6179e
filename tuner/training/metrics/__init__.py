"""Metrics of many sets of rows at once, in float64 on the CPU; each kind in a file of its own."""

from tuner.training.metrics import classes, numbers, rankings, texts
from tuner.training.metrics.metric import Metric

METRICS: dict[str, Metric] = {
    metric.name: metric for kind in (classes, numbers, texts, rankings) for metric in kind.METRICS
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
