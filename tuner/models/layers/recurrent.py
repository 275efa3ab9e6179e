"""Recurrent layers of K lanes: RNN (Elman 1990), GRU (Cho et al. 2014), LSTM (Hochreiter & Schmidhuber 1997)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from tuner.models.layers.lanes import Lanes

Cell = Literal["rnn", "gru", "lstm"]
GATES = {"rnn": 1, "gru": 3, "lstm": 4}


class Recurrent(nn.Module):
    """One layer in one direction: (K, B, T, D) → the hidden states of all steps (K, B, T, H).

    Weights, their order and their start U(−1/√H, 1/√H) are those of `nn.RNN`, `nn.GRU`, `nn.LSTM`; h₀ is 0.
    On a CPU each cell has the form that `benchmarks/layers.py` found faster (forward and backward, T=20, B=16 and 64,
    H=8 … 256, K=2 … 10): RNN and GRU step all lanes together, 1.0 to 6.3 times as fast as lane by lane (but 0.9 for GRU
    at H=256, B=64, K=10: one form for all K, as a lane's bits may not depend on it); LSTM goes lane by lane through
    torch's fused kernel, 1.0 to 2.8 times as fast as stacked (but 0.9 at H=8, B=16, K=10). On a GPU nothing has been
    measured yet.
    """

    def __init__(
        self, cell: Cell, input_size: int, hidden_size: int, lanes: Lanes, forget_bias: float = 0.0
    ) -> None:  # fmt: skip
        super().__init__()
        self.hidden_size = hidden_size
        rows, bound = GATES[cell] * hidden_size, 1 / math.sqrt(hidden_size)
        self.weight_ih = nn.Parameter(lanes.matrix(rows, input_size, bound=bound, blocks=GATES[cell]))
        self.weight_hh = nn.Parameter(lanes.matrix(rows, hidden_size, bound=bound, blocks=GATES[cell]))
        self.bias_ih = nn.Parameter(lanes.bias(rows, bound=bound))
        self.bias_hh = nn.Parameter(lanes.bias(rows, bound=bound))
        if cell == "lstm":  # gates in torch's order: input, forget, cell, output
            self.bias_ih.data[:, hidden_size : 2 * hidden_size] += forget_bias
        self._run: Callable[[Tensor], Tensor] = {"rnn": self._rnn, "gru": self._gru, "lstm": self._lstm}[cell]

    def forward(self, x: Tensor) -> Tensor:
        return self._run(x)

    def _projected(self, x: Tensor) -> tuple[Tensor, ...]:
        """x_t W_ihᵀ + b_ih for every step, in one product: T tensors (K, B, gates · H)."""
        lanes, batch, steps, features = x.shape
        rows = x.transpose(1, 2).reshape(lanes, steps * batch, features)
        projected = torch.baddbmm(self.bias_ih[:, None], rows, self.weight_ih.mT)
        return projected.view(lanes, steps, batch, -1).unbind(1)

    def _rnn(self, x: Tensor) -> Tensor:
        """h_t = tanh(x_t W_ihᵀ + b_ih + h_{t−1} W_hhᵀ + b_hh)."""
        weight, bias = self.weight_hh.mT, self.bias_hh[:, None]
        h = x.new_zeros(len(x), x.shape[1], self.hidden_size)
        states = []
        for step in self._projected(x):
            h = torch.tanh(torch.baddbmm(step + bias, h, weight))
            states.append(h)
        return torch.stack(states, dim=2)

    def _gru(self, x: Tensor) -> Tensor:
        """h_t = (1 − z) n + z h_{t−1}, with reset and update gates r, z and n = tanh(x_n + r · (h W_hnᵀ + b_hn))."""
        size, weight, bias = self.hidden_size, self.weight_hh.mT, self.bias_hh[:, None]
        h = x.new_zeros(len(x), x.shape[1], size)
        states = []
        for step in self._projected(x):
            hidden = torch.baddbmm(bias, h, weight)
            r, z = torch.sigmoid(step[..., : 2 * size] + hidden[..., : 2 * size]).chunk(2, dim=-1)
            n = torch.tanh(torch.addcmul(step[..., 2 * size :], r, hidden[..., 2 * size :]))
            h = torch.lerp(n, h, z)
            states.append(h)
        return torch.stack(states, dim=2)

    def _lstm(self, x: Tensor) -> Tensor:
        start = x.new_zeros(1, x.shape[1], self.hidden_size)
        # unbind, not indexing: its backward stacks K gradients once instead of adding K stacks
        weights = zip(*(w.unbind() for w in (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)), strict=True)
        outputs = [
            torch.lstm(lane, (start, start), list(w), True, 1, 0.0, self.training, False, True)[0]
            for lane, w in zip(x.unbind(), weights, strict=True)
        ]
        return torch.stack(outputs)
