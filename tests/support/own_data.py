"""Somebody's own loaders, and experiments with them."""

import textwrap

from helpers import write_space

from tuner.sources.custom import loader as own

DATA = textwrap.dedent('''
    import sys
    from pathlib import Path
    from typing import Literal

    import numpy as np
    import pandas as pd
    import torch
    from torch.utils.data import Dataset, IterableDataset, TensorDataset
    from helper_of_data import CLASSES

    random = np.random.default_rng(0)
    X = random.normal(size=(36, 3)).astype(np.float32)
    Y = np.arange(36) % CLASSES
    FRAME = pd.DataFrame({"a": X[:, 0], "kind": pd.Categorical(["u", "v", "w"] * 12), "when": range(36), "y": Y})

    def load(rows: int = 36, kind: Literal["plain", "noisy"] = "plain"):
        print("what a loader prints")
        return X[:rows], Y[:rows]

    def required(rows: int): return X[:rows], Y[:rows]
    def beside(folder: Path): return np.loadtxt(folder / "numbers.txt"), Y
    def tensors(): return torch.from_numpy(X), torch.from_numpy(Y), torch.arange(36) // 2
    def lists(): return X.tolist(), [("no", "yes", "maybe")[y] for y in Y]
    def named(): return {"features": X.reshape(36, 3, 1), "target": Y, "lengths": Y + 1, "weights": Y / 2, "time": -Y}
    def frame(): return FRAME
    def frame_and_series(): return FRAME.drop(columns="y"), FRAME["y"]
    def frame_and_groups(): return FRAME[["a"]], Y.astype(float) / 7, np.arange(36) // 3
    def tensor_dataset(): return TensorDataset(torch.from_numpy(X), torch.from_numpy(Y))

    class Pairs(Dataset):
        def __init__(self, shape=lambda i: 4): self.shape = shape
        def __len__(self): return 36
        def __getitem__(self, i): return torch.full((1, 4, self.shape(i)), float(i)), i % 3
    def pairs(): return Pairs()
    def list_of_pairs(): return list(zip(X, Y))
    def masks(): return np.zeros((36, 1, 2, 2)), np.array([[[-1, 4], [0, i % 2 * 4]] for i in range(36)])
    def ragged(): return Pairs(lambda i: 4 + (i == 6))
    class Endless(IterableDataset):
        def __iter__(self):
            while True: yield X[0], 0
    def endless(): return Endless()
    def typo(): return {"features": X, "targets": Y}
    def nothing(): pass
    def short(): return X, Y[:-1]
    def texts(): return X.astype(str), Y
    def long(): return {"features": X[:, :, None], "target": Y, "lengths": Y + 2}
    def heavy(): return {"features": X, "target": Y, "weights": Y - 1.0}
    def weightless(): return {"features": X, "target": Y, "weights": Y * 0}
    def odd_masks(): return np.zeros((36, 1, 2, 2)), np.full((36, 2, 2), -5)
    def reversed_rows(): return X[::-1], Y[::-1]
    def locked():
        x = X.copy()
        x.setflags(write=False)
        return x, Y
    def uneven(): return [[1, 2], [3]] * 18, Y
    def raises(): raise ValueError("no such patient\\nas this")
    def leaves(): sys.exit(3)
    def unclear(rws): return X, Y
    def taken(target: str): return X, Y
    def cells(): return pd.DataFrame({"a": [[1]] * 36, "y": Y})
    def twice(): return pd.DataFrame(X, columns=["a", "b", "a"]).assign(y=Y)
    def empty(): return FRAME[:0]
    def split_already(): return X[:24], X[24:], Y[:24], Y[24:]
    def batches(): return torch.utils.data.DataLoader(tensor_dataset())
    def two_inputs(): return {"features": {"image": X, "table": X}, "target": Y}
    def shuffled_labels(): return FRAME[["a"]], FRAME["y"].sample(frac=1, random_state=0)
''')  # fmt: skip


def written(folder):
    """The folder with somebody's loaders in it."""
    (folder / "my_data.py").write_text(DATA)
    (folder / "helper_of_data.py").write_text("CLASSES = 3\n")
    own._load.cache_clear()
    return folder


def space(folder, **dataset):
    return write_space(folder, dataset=dataset)
