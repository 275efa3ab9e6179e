"""Parameter groups against those of torch's optimizers."""

import pytest
import torch
from torch import nn

from tuner.errors import UsageError
from tuner.models.layers import Copies, Lanes
from tuner.models.layers.groups import groups_of
from tuner.training.flat import FlatWeights
from tuner.training.group_rates import GroupRates
from tuner.training.optimizers import Adam, AdamW, RMSprop, Sgd

GROUPS = [("backbone", 0.003, 0), ("norm", None, 2), ("slow", 0.001, 1)]  # name, learning rate, frozen epochs
RATE, EPOCHS, STEPS = 0.02, 4, 3


class Net(nn.Module):
    def __init__(self, groups=GROUPS):
        super().__init__()
        self.backbone, self.norm, self.slow, self.head = (
            nn.Linear(5, 4),
            nn.LayerNorm(4),
            nn.Linear(4, 4),
            nn.Linear(4, 3),
        )
        self.named = groups

    def forward(self, x):
        return self.head(self.slow(self.norm(self.backbone(x))))

    def parameter_groups(self):
        found = []
        for name, rate, frozen in self.named:
            group = {"params": getattr(self, name).parameters(), "frozen_epochs": frozen}
            found.append(group if rate is None else group | {"learning_rate": rate})
        return found


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (Sgd(learning_rate=RATE, momentum=0.9), lambda groups: torch.optim.SGD(groups, RATE, 0.9, weight_decay=0.1)),
        (Adam(learning_rate=RATE), lambda groups: torch.optim.Adam(groups, RATE, weight_decay=0.1)),
        (AdamW(learning_rate=RATE), lambda groups: torch.optim.AdamW(groups, RATE, weight_decay=0.1)),
        (RMSprop(learning_rate=RATE), lambda groups: torch.optim.RMSprop(groups, RATE, weight_decay=0.1)),
    ],
)
def test_groups_are_those_of_torch(ours, theirs):
    """A frozen group is one of learning rate 0, which keeps its moments up to date."""
    model = Copies(Net, Lanes((1, 2)))
    flat = FlatWeights(model)
    plain = Net()
    for parameter, stacked in zip(plain.parameters(), model.parameters(), strict=True):
        parameter.data = stacked[1].detach().clone()
    groups = [{"params": [*getattr(plain, name).parameters()]} for name, _, _ in GROUPS]
    optimizer = theirs([*groups, {"params": [*plain.head.parameters()]}])
    steps, rates = ours.build(flat.weights, 0.1), GroupRates(groups_of(model), flat, RATE)
    generator = torch.Generator().manual_seed(0)
    for epoch in range(EPOCHS):
        for group, (_, rate, frozen) in zip(optimizer.param_groups, GROUPS, strict=False):
            group["lr"] = 0.0 if epoch < frozen else rate or RATE
        for _ in range(STEPS):
            for parameter, gradient in zip(plain.parameters(), flat.last_gradients, strict=True):
                gradient.copy_(torch.randn(gradient.shape, generator=generator))
                parameter.grad = gradient[1].clone()
            optimizer.step()
            steps.step(flat.weights, flat.gradients, rates.applied(1.0, epoch))
    for parameter, stacked in zip(plain.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(stacked[1], parameter, rtol=2e-4, atol=2e-6)


def test_a_factor_of_each_lane_goes_with_groups():
    model = Copies(Net, Lanes((1, 2)))
    flat = FlatWeights(model)
    both = GroupRates(groups_of(model), flat, RATE).applied(torch.tensor([[1.0], [0.5]]), 1)
    (weight, *_) = flat.views(both)
    torch.testing.assert_close(weight[:, 0, 0], torch.tensor([0.003, 0.0015]) / RATE)


class Strange(Net):
    def __init__(self, returned):
        super().__init__()
        self.returned = returned

    def parameter_groups(self):
        return self.returned(self)


@pytest.mark.parametrize(
    ("returned", "told", "cure"),
    [
        (lambda net: net.head.parameters(), "must return a list of dicts such as", "return a list of dicts"),
        (lambda net: [{"params": net.head.weight, "lr": 0.1}], "unknown key 'lr' in a group", "write learning_rate"),
        (
            lambda net: [{"params": [nn.Parameter(torch.ones(1))]}],
            "something that is not a parameter of Strange",
            "'params'",
        ),
        (lambda net: [{"learning_rate": 0.1}], "a group has no params", "for example"),
        (lambda net: [{"params": net.head.weight}] * 2, "a parameter is in two groups", "name it once"),
        (
            lambda net: [{"params": net.head.weight, "learning_rate": -1}],
            "a number from 0 to 100, not -1",
            "give a number",
        ),
        (
            lambda net: [{"params": net.head.weight, "frozen_epochs": 0.5}],
            "a whole number from 0, not 0.5",
            "give the number",
        ),
    ],
)
def test_what_are_no_groups_is_refused(returned, told, cure):
    with pytest.raises(UsageError) as caught:
        Copies(lambda: Strange(returned), Lanes((1, 2)))
    assert told in caught.value.message
    assert cure in caught.value.hint


def test_frozen_parameters_need_no_group():
    """A parameter with `requires_grad_(False)` is never trained; a group may contain it, and it is left out."""

    class Frozen(Net):
        def __init__(self):
            super().__init__()
            self.backbone.requires_grad_(False)

    model = Copies(Frozen, Lanes((1, 2)))
    assert [len(group.parameters) for group in model.lane_groups] == [0, 2, 2]


def test_groups_can_be_chosen_by_shape():
    """The parameters have their values when the method is called."""

    class ByShape(Net):
        def parameter_groups(self):
            return [{"params": [each for each in self.parameters() if each.ndim > 1], "learning_rate": 0.1}]

    model = Copies(ByShape, Lanes((1, 2)))
    assert [each.shape[1:] for each in model.lane_groups[0].parameters] == [(4, 5), (4, 4), (3, 4)]
