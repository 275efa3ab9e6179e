"""The small data sets that come with scikit-learn, as `Dataset`s."""

from __future__ import annotations

import numpy as np

from tuner.data.dataset import Dataset, NumberSettings
from tuner.data.precision import narrow


def bundled(name: str, settings: NumberSettings, shape: tuple[int, ...] | None = None) -> Dataset:
    """scikit-learn's `load_NAME`; `shape` is one row's shape where it is not flat."""
    import sklearn.datasets  # takes a second: not for the settings alone

    bunch = getattr(sklearn.datasets, f"load_{name}")()
    found = narrow(bunch.data)
    features = found.values
    target = np.asarray(bunch.target)
    classes = tuple(str(c) for c in bunch.target_names) if "target_names" in bunch and target.ndim == 1 else ()
    outputs = tuple(str(n) for n in bunch.target_names) if target.ndim == 2 else ("target",)
    names = tuple(str(n) for n in bunch.feature_names)
    if shape is not None:
        features = features.reshape(-1, *shape)
        names = ()
    return Dataset(
        name=name,
        task="classification" if classes else "regression",
        features=features,
        targets=target.astype(np.int64) if classes else target.astype(np.float64).reshape(len(target), -1),
        feature_names=names,
        target_names=outputs,
        classes=classes,
        scale=settings.scale,
        impute=settings.impute,
        offsets=found.offsets if shape is None else None,
        coarse=found.coarse if shape is None else None,
    )
