"""The same answer from scikit-learn: `cross_val_score(GridSearchCV(MLPClassifier))`, then the final search."""

from __future__ import annotations

import json
import warnings

from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

GRID = {
    "mlpclassifier__hidden_layer_sizes": [(32, 32), (64, 64)],
    "mlpclassifier__learning_rate_init": [1e-3, 1e-2],
    "mlpclassifier__alpha": [0.0, 1e-3],
}


def search(folds: int, jobs: int | None) -> GridSearchCV:
    """A grid search over 15-epoch Adam trainings."""
    net = MLPClassifier(solver="adam", batch_size=32, max_iter=15, n_iter_no_change=16, random_state=0)
    cut = StratifiedKFold(folds, shuffle=True, random_state=1)
    return GridSearchCV(make_pipeline(StandardScaler(), net), GRID, cv=cut, n_jobs=jobs)


def main() -> None:
    """Nested scores over two processes, then the search on all rows."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    import os

    os.environ["PYTHONWARNINGS"] = "ignore"
    x, y = load_digits(return_X_y=True)
    outer = StratifiedKFold(5, shuffle=True, random_state=0)
    scores = cross_val_score(search(4, None), x, y, cv=outer, n_jobs=2)
    search(5, 2).fit(x, y)
    print(json.dumps({"outer": scores.tolist()}))


if __name__ == "__main__":
    main()
