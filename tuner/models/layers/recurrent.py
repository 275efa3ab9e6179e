"""Recurrent layers of K lanes: RNN (Elman 1990), GRU (Cho et al. 2014), LSTM (Hochreiter & Schmidhuber 1997)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from tuner.models.layers.lanes import Lanes
from tuner.models.layers.readout import backwards, last

Cell = Literal["rnn", "gru", "lstm"]
State = tuple[Tensor, ...]  # h (K, B, H); of an lstm also c
Step = Callable[[Tensor, State], State]
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

    def __init__(self, cell: Cell, input_size: int, hidden_size: int, lanes: Lanes, forget_bias: float = 0.0) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        rows, bound = GATES[cell] * hidden_size, 1 / math.sqrt(hidden_size)
        self.weight_ih = nn.Parameter(lanes.matrix(rows, input_size, bound=bound, blocks=GATES[cell]))
        self.weight_hh = nn.Parameter(lanes.matrix(rows, hidden_size, bound=bound, blocks=GATES[cell]))
        self.bias_ih = nn.Parameter(lanes.bias(rows, bound=bound))
        self.bias_hh = nn.Parameter(lanes.bias(rows, bound=bound))
        if cell == "lstm":  # gates in torch's order: input, forget, cell, output
            self.bias_ih.data[:, hidden_size : 2 * hidden_size] += forget_bias
        self.cell = cell
        self._step: Step = {"rnn": self._rnn, "gru": self._gru, "lstm": self._lstm}[cell]

    def forward(self, x: Tensor, truncate: int | None = None) -> Tensor:
        """`truncate`: gradients flow back over so many steps at most, then the state goes on without its history
        (truncated backpropagation through time, Williams & Peng 1990)."""
        if truncate is None or truncate >= x.shape[2]:
            return self._run(x, None)[0]
        states, state = [], None
        for part in torch.split(x, truncate, dim=2):
            out, state = self._run(part, state)
            states.append(out)
            state = tuple(each.detach() for each in state)
        return torch.cat(states, dim=2)

    def start(self, batch: int) -> State:
        """The state before the first step: zeros (K, B, H)."""
        zeros = self.weight_hh.new_zeros(len(self.weight_hh), batch, self.hidden_size)
        return (zeros, zeros) if self.cell == "lstm" else (zeros,)

    def step(self, x: Tensor, state: State) -> State:
        """One step: (K, B, D) and the state → the next one, whose first part (K, B, H) is what the layer says."""
        return self._step(torch.baddbmm(self.bias_ih[:, None], x, self.weight_ih.mT), state)

    def _run(self, x: Tensor, state: State | None) -> tuple[Tensor, State]:
        state = self.start(x.shape[1]) if state is None else state
        if self.cell == "lstm":
            return self._fused(x, state)
        states = []
        for projected in self._projected(x):
            state = self._step(projected, state)
            states.append(state[0])
        return torch.stack(states, dim=2), state

    def _projected(self, x: Tensor) -> tuple[Tensor, ...]:
        """x_t W_ihᵀ + b_ih for every step, in one product: T tensors (K, B, gates · H)."""
        lanes, batch, steps, features = x.shape
        rows = x.transpose(1, 2).reshape(lanes, steps * batch, features)
        projected = torch.baddbmm(self.bias_ih[:, None], rows, self.weight_ih.mT)
        return projected.view(lanes, steps, batch, -1).unbind(1)

    def _hidden(self, h: Tensor) -> Tensor:
        """h W_hhᵀ + b_hh."""
        return torch.baddbmm(self.bias_hh[:, None], h, self.weight_hh.mT)

    def _rnn(self, x: Tensor, state: State) -> State:
        """h_t = tanh(x_t W_ihᵀ + b_ih + h_{t−1} W_hhᵀ + b_hh)."""
        return (torch.tanh(torch.baddbmm(x + self.bias_hh[:, None], state[0], self.weight_hh.mT)),)

    def _gru(self, x: Tensor, state: State) -> State:
        """h_t = (1 − z) n + z h_{t−1}, with reset and update gates r, z and n = tanh(x_n + r · (h W_hnᵀ + b_hn))."""
        (h,), size = state, 2 * self.hidden_size
        hidden = self._hidden(h)
        r, z = torch.sigmoid(x[..., :size] + hidden[..., :size]).chunk(2, dim=-1)
        n = torch.tanh(torch.addcmul(x[..., size:], r, hidden[..., size:]))
        return (torch.lerp(n, h, z),)

    def _lstm(self, x: Tensor, state: State) -> State:
        """c_t = f c_{t−1} + i g and h_t = o tanh(c_t), with gates i, f, o and g = tanh of what comes in."""
        h, c = state
        i, f, g, o = (x + self._hidden(h)).chunk(4, dim=-1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c

    def _fused(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        # unbind, not indexing: its backward stacks K gradients once instead of adding K stacks
        weights = zip(*(w.unbind() for w in (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)), strict=True)
        starts = zip(*(each[:, None].unbind() for each in state), strict=True)
        outputs, *ends = zip(
            *(
                torch.lstm(lane, list(start), list(w), True, 1, 0.0, self.training, False, True)
                for lane, w, start in zip(x.unbind(), weights, starts, strict=True)
            ),
            strict=True,
        )
        return torch.stack(outputs), tuple(torch.cat(end) for end in ends)


class Directions(nn.Module):
    """A recurrent layer that reads forwards, or in both directions (Schuster & Paliwal 1997).

    (K, B, T, D), of lengths (K, B) if not all steps count → the states of all steps (K, B, T, S) and the last of each
    direction (K, B, S), both directions side by side.
    """

    # parameters: those of a layer, as in torch
    def __init__(
        self, cell: Cell, input_size: int, hidden_size: int, lanes: Lanes, forget_bias: float, *, bidirectional: bool
    ) -> None:
        super().__init__()
        self.size = 2 * hidden_size if bidirectional else hidden_size
        self.ahead = Recurrent(cell, input_size, hidden_size, lanes, forget_bias)
        self.back = Recurrent(cell, input_size, hidden_size, lanes, forget_bias) if bidirectional else None

    def forward(self, x: Tensor, lengths: Tensor | None = None, truncate: int | None = None) -> tuple[Tensor, Tensor]:
        """Run all cells in both directions, or one.

        Args:
            x: (K, B, T, D).
            lengths: (K, B), steps of each row; None: all T.
            truncate: gradients flow back over at most this many steps; None: all.

        Returns:
            states: (K, B, T, S), all hidden states; S = H, or 2H if bidirectional.
            last: (K, B, S), the last state of each direction.
        """
        ahead = self.ahead(x, truncate)
        end = last(ahead, lengths)
        if self.back is None:
            return ahead, end
        back = backwards(self.back(backwards(x, lengths), truncate), lengths)
        return torch.cat([ahead, back], dim=-1), torch.cat([end, back[:, :, 0]], dim=-1)  # it read the first one last
