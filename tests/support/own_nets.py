"""Somebody's own models, and experiments with them."""

import json
import textwrap

NETS = textwrap.dedent('''
    from typing import Literal

    import torch
    from torch import nn
    from helper_of_nets import WIDTH

    class Plain(nn.Module):
        """A hidden layer."""
        def __init__(
            self, in_features, num_classes, hidden: int = WIDTH, bias: bool = True, kind: Literal["a", "b"] = "a"
        ):
            super().__init__()
            self.first, self.last = nn.Linear(in_features, hidden, bias), nn.Linear(hidden, num_classes)

        def forward(self, x):
            return self.last(torch.relu(self.first(x)))

    class Recurrent(nn.Module):
        """With batch normalisation, dropout and a fused lstm."""
        def __init__(self, in_features: int, num_classes: int, hidden: int = 6, dropout: float = 0.3):
            super().__init__()
            self.rnn = nn.LSTM(in_features, hidden, batch_first=True)
            self.norm, self.drop = nn.BatchNorm1d(hidden), nn.Dropout(dropout)
            self.head = nn.Linear(hidden, num_classes)

        def forward(self, x):
            return self.head(self.drop(self.norm(self.rnn(x)[0][:, -1])))

    class Tied(nn.Module):
        def __init__(self, in_features: int, out_features: int):
            super().__init__()
            self.one = nn.Linear(in_features, in_features)
            self.two, self.head = nn.Linear(in_features, in_features), nn.Linear(in_features, out_features)
            self.two.weight = self.one.weight

        def forward(self, x):
            return self.head(self.two(torch.tanh(self.one(x))))

    class Wrong(Plain):
        def forward(self, x):
            return super().forward(x)[:, :1]

    class Pair(Plain):
        def forward(self, x):
            print("what a model prints")
            return super().forward(x), x

    class Sized(nn.Module):
        def __init__(self, input_size: int, num_classes: int):
            super().__init__()

    class Pixels(nn.Module):
        """A convolution, as torch writes it: classes before places."""
        def __init__(self, in_channels: int, num_classes: int):
            super().__init__()
            self.one = nn.Conv2d(in_channels, num_classes, 3, padding=1)

        def forward(self, x):
            print("what a model prints")
            return self.one(x)

    class Number(nn.Module):
        def __init__(self, in_features: int):
            super().__init__()
            self.one = nn.Linear(in_features, 1)

        def forward(self, x):
            return self.one(x)[:, 0]

    class Mixed(Plain):
        def __init__(self, in_features, num_classes):
            super().__init__(in_features, num_classes)
            self.last = self.last.double()

    class Unclear(nn.Module):
        def __init__(self, in_featurs, num_classes):
            super().__init__()

    class Words(nn.Module):
        def __init__(self, vocabulary_size: int, num_classes: int):
            super().__init__()

    class Function:
        pass
''')  # fmt: skip


def space(folder, dataset="iris", trials=3, **model):
    path = folder / "space.yaml"
    training = {"epochs": 2, "optimizer": {"name": "adam", "learning_rate": {"low": 0.001, "high": 0.1, "log": True}}}
    path.write_text(json.dumps({
        "model": model, "dataset": dataset, "training": training, "resampling": {"outer": 3},
        "search": {"trials": trials},
    }))  # fmt: skip
    return path


def package(folder):
    """A package of two modules, one of which imports the other."""
    (folder / "package").mkdir()
    (folder / "package" / "__init__.py").write_text("")
    (folder / "package" / "sizes.py").write_text("WIDTH = 8\n")
    (folder / "package" / "nets.py").write_text(NETS.replace("from helper_of_nets", "from .sizes"))
