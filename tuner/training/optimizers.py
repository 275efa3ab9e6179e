"""Optimizers: torch's own functions on stacked weights (K, P), which is the same as K separate ones (elementwise)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from pydantic import Field
from torch import Tensor
from torch.optim.adagrad import adagrad
from torch.optim.adam import adam
from torch.optim.adamw import adamw
from torch.optim.nadam import nadam
from torch.optim.rmsprop import rmsprop
from torch.optim.sgd import sgd

from tuner.experiment.settings import ABOVE_ZERO, Settings, used_when

UpdateFunction = Callable[[Tensor, Tensor, list[Tensor], float], None]


class LaneOptimizer(Protocol):
    """What a stack asks of an optimizer."""

    @property
    def learning_rate(self) -> float | None: ...
    def step(self, weights: Tensor, gradients: Tensor, factor: float | Tensor = 1.0) -> None: ...
    def select(self, lanes: Tensor) -> None: ...


@dataclass
class Optimizer:
    """Updates the weights of K lanes in place; each tensor in `history` (momentum, second moments, …) has one row per
    lane.

    Calls torch's functional optimizers: the classes add 0.1 ms to 0.04 ms of arithmetic per step, and building the
    first one imports a compiler for 2 s.
    """

    learning_rate: float
    update: UpdateFunction
    history: list[Tensor]

    @torch.no_grad()
    def step(self, weights: Tensor, gradients: Tensor, factor: float | Tensor = 1.0) -> None:
        """Update `weights` (K, P) in place; `factor` of the learning rate: of all, of each lane (K, 1), or of each
        weight (1, P) or (K, P).

        Every update is linear in the learning rate, so such factors can be applied afterwards.
        """
        if isinstance(factor, float):
            self.update(weights, gradients, self.history, self.learning_rate * factor)
            return
        before = weights.clone()
        self.update(weights, gradients, self.history, self.learning_rate)
        weights.sub_(before).mul_(factor).add_(before)

    def select(self, lanes: Tensor) -> None:
        """Go on with these lanes only."""
        self.history = [rows[lanes] for rows in self.history]


def _rate(default: float) -> float:
    rate: float = Field(default, gt=0, le=100, description="step size")
    return rate


def _eps(default: float = 1e-8) -> float:
    eps: float = Field(default, gt=0, le=1, description="added to the root of the squares that a step is divided by")
    return eps


class Sgd(Settings):
    """Stochastic gradient descent, with momentum (Polyak 1964), Nesterov's if asked (Sutskever et al. 2013)."""

    name: Literal["sgd"] = "sgd"
    learning_rate: float = _rate(1e-2)
    momentum: float = Field(0.0, ge=0, lt=1, description="share of the last step that is kept")
    nesterov: bool = Field(
        False, description="take the gradient where momentum leads", json_schema_extra=used_when(momentum=ABOVE_ZERO)
    )

    def build(self, weights: Tensor, weight_decay: float) -> Optimizer:
        """Fused, one pass over each tensor (CPU, six tensors of five lanes: 0.08 ms a step against 0.15)."""
        nesterov = self.nesterov and self.momentum > 0

        def update(weights: Tensor, gradients: Tensor, history: list[Tensor], rate: float) -> None:
            steps: list[Tensor | None] = [*history] or [None]
            sgd([weights], [gradients], steps, fused=True, lr=rate, momentum=self.momentum,
                weight_decay=weight_decay, dampening=0.0, nesterov=nesterov, maximize=False)  # fmt: skip

        return Optimizer(self.learning_rate, update, [torch.zeros_like(weights)] if self.momentum else [])


class Adagrad(Settings):
    """Adagrad (Duchi, Hazan & Singer 2011)."""

    name: Literal["adagrad"] = "adagrad"
    learning_rate: float = _rate(1e-2)
    lr_decay: float = Field(0.0, ge=0, le=1, description="learning rate after t steps: divided by 1 + (t − 1) · this")
    eps: float = _eps(1e-10)

    def build(self, weights: Tensor, weight_decay: float) -> Optimizer:
        """The sum of squares begins at 0."""
        steps = torch.zeros((), device=weights.device)

        def update(weights: Tensor, gradients: Tensor, history: list[Tensor], rate: float) -> None:
            adagrad([weights], [gradients], history, [steps], foreach=False, lr=rate, weight_decay=weight_decay,
                    lr_decay=self.lr_decay, eps=self.eps, maximize=False)  # fmt: skip

        return Optimizer(self.learning_rate, update, [torch.zeros_like(weights)])


class RMSprop(Settings):
    """RMSprop (Tieleman & Hinton 2012)."""

    name: Literal["rmsprop"] = "rmsprop"
    learning_rate: float = _rate(1e-2)
    alpha: float = Field(0.99, ge=0, lt=1, description="decay of the mean squared gradient")
    momentum: float = Field(0.0, ge=0, lt=1, description="share of the last step that is kept")
    eps: float = _eps()
    centered: bool = Field(False, description="divide by the gradient's standard deviation, not its root mean square")

    def build(self, weights: Tensor, weight_decay: float) -> Optimizer:
        """A row each for the mean square, for momentum and for the mean, where they are asked for."""
        steps = torch.zeros((), device=weights.device)

        def update(weights: Tensor, gradients: Tensor, history: list[Tensor], rate: float) -> None:
            squares, *others = history
            momenta = [others.pop()] if self.momentum else []
            rmsprop([weights], [gradients], [squares], others, momenta, [steps], foreach=False, lr=rate,
                    alpha=self.alpha, eps=self.eps, weight_decay=weight_decay, momentum=self.momentum,
                    centered=self.centered)  # fmt: skip

        rows = 1 + self.centered + (self.momentum > 0)
        return Optimizer(self.learning_rate, update, [torch.zeros_like(weights) for _ in range(rows)])


class _Moments(Settings):
    """Settings shared by the optimizers of the Adam family."""

    learning_rate: float = _rate(1e-3)
    beta1: float = Field(0.9, ge=0, lt=1, description="decay of the mean gradient")
    beta2: float = Field(0.999, ge=0, lt=1, description="decay of the mean squared gradient")
    eps: float = _eps()


class Adam(_Moments):
    """Adam (Kingma & Ba 2015)."""

    name: Literal["adam"] = "adam"

    def build(self, weights: Tensor, weight_decay: float) -> Optimizer:
        """Fused (CPU, six tensors of five lanes: 0.14 ms a step against 0.38)."""
        return _adam(adam, self, weights, weight_decay)


class AdamW(_Moments):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""

    name: Literal["adamw"] = "adamw"

    def build(self, weights: Tensor, weight_decay: float) -> Optimizer:
        """Fused, as Adam."""
        return _adam(adamw, self, weights, weight_decay)


def _adam(function: Callable[..., None], settings: _Moments, weights: Tensor, weight_decay: float) -> Optimizer:
    steps = torch.zeros((), device=weights.device)

    def update(weights: Tensor, gradients: Tensor, history: list[Tensor], rate: float) -> None:
        mean, square = history
        function([weights], [gradients], [mean], [square], [], [steps], fused=True, lr=rate, beta1=settings.beta1,
                 beta2=settings.beta2, weight_decay=weight_decay, eps=settings.eps, amsgrad=False,
                 maximize=False)  # fmt: skip

    return Optimizer(settings.learning_rate, update, [torch.zeros_like(weights), torch.zeros_like(weights)])


class NAdam(_Moments):
    """Adam with Nesterov's momentum (Dozat 2016)."""

    name: Literal["nadam"] = "nadam"
    momentum_decay: float = Field(4e-3, ge=0, le=1, description="how fast momentum grows to beta1")

    def build(self, weights: Tensor, weight_decay: float) -> Optimizer:
        """Momentum's product over steps begins at 1."""
        steps, product = (torch.full((), value, device=weights.device) for value in (0.0, 1.0))

        def update(weights: Tensor, gradients: Tensor, history: list[Tensor], rate: float) -> None:
            mean, square = history
            nadam([weights], [gradients], [mean], [square], [product], [steps], foreach=False, lr=rate,
                  beta1=self.beta1, beta2=self.beta2, weight_decay=weight_decay, momentum_decay=self.momentum_decay,
                  eps=self.eps)  # fmt: skip

        return Optimizer(self.learning_rate, update, [torch.zeros_like(weights), torch.zeros_like(weights)])


AnyOptimizer = Sgd | Adagrad | RMSprop | Adam | AdamW | NAdam
