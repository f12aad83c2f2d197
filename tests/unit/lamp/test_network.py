"""LACF and ABMLA against the paper's equations in NumPy, and what must not matter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from lymphoma.errors import NotComputable
from lymphoma.lamp.arms import ARMS
from lymphoma.lamp.bags import LesionBags, bag_of, pad_bags
from lymphoma.lamp.context import LesionAnatomyContext, LesionPerceptron
from lymphoma.lamp.network import HeadShape, LampHead
from lymphoma.prognosis.survival_loss import risk

from tests.unit.lamp.made_up import one_patient, patients

pytestmark = pytest.mark.unit


def parameters(module: torch.nn.Module | None) -> int:
    assert module is not None
    return sum(weight.numel() for weight in module.parameters())


def head(name: str = "paper") -> LampHead:
    torch.manual_seed(3)
    return LampHead(ARMS[name].shape).eval()


def softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def reordered(bags: LesionBags, lesions: list[int]) -> LesionBags:
    return replace(bags, lesions=bags.lesions[:, lesions], is_lesion=bags.is_lesion[:, lesions])


@pytest.mark.paper("lamp-eq3", "lamp-eq5")
def test_parameters_of_the_paper() -> None:
    net = head()
    assert parameters(net.context) == 49_152
    assert parameters(net.attention) == 65_921
    assert parameters(net.slope) + net.intercept.numel() == 1_028
    assert parameters(LampHead(HeadShape(gate_width=256)).attention) == 131_841
    assert parameters(LesionPerceptron(128)) == parameters(LesionAnatomyContext(128))


@pytest.mark.paper("lamp-eq3", "lamp-eq4", "lamp-eq5")
def test_equations_3_to_5_against_numpy() -> None:
    """Double precision on both sides; 1e-9 is far above its rounding over sums of 256."""
    net = head().double()
    bag = one_patient(np.random.default_rng(0), 6, present=(True, True, False, True, True))
    bag = replace(bag, lesions=bag.lesions.double(), organs=bag.organs.double())
    judged = net(bag)
    f, s = bag.lesions[0].numpy(), bag.organs[0].numpy()[[0, 1, 3, 4]]
    weights = {name: value.detach().numpy() for name, value in net.state_dict().items()}
    q, k, v = (
        f @ weights["context.query.weight"].T,
        s @ weights["context.key.weight"].T,
        s @ weights["context.value.weight"].T,
    )
    rows = softmax(q @ k.T / np.sqrt(128))
    z = np.concatenate((f, rows @ v), axis=1)
    content = np.tanh(z @ weights["attention.content.weight"].T + weights["attention.content.bias"])
    gate = 1 / (1 + np.exp(-(z @ weights["attention.gate.weight"].T + weights["attention.gate.bias"])))
    a = softmax((content * gate) @ weights["attention.weight.weight"][0] + weights["attention.weight.bias"][0])
    logits = weights["slope.weight"] @ (a @ z) + weights["intercept"]
    assert np.allclose(judged.organs[0].detach().numpy()[:, [0, 1, 3, 4]], rows, atol=1e-9)
    assert np.allclose(judged.attention[0].detach().numpy(), a, atol=1e-9)
    assert np.allclose(judged.logits[0].detach().numpy(), logits, atol=1e-9)


@pytest.mark.parametrize("name", sorted(ARMS))
@pytest.mark.paper("lamp-ablation")
def test_padded_patients_and_one_at_a_time_give_the_same(name: str) -> None:
    rng = np.random.default_rng(1)
    single = [one_patient(rng, count, present=(True, count > 2, True, False, True)) for count in (1, 2, 7, 4)]
    net = head(name)
    together = net(pad_bags(single))
    for row, bag in enumerate(single):
        alone = net(bag)
        assert torch.allclose(together.logits[row], alone.logits[0], atol=1e-6)
        if alone.attention is not None:
            count = bag.lesions.shape[1]
            assert torch.allclose(together.attention[row, :count], alone.attention[0], atol=1e-6)
            assert not together.attention[row, count:].any()


@pytest.mark.parametrize("name", sorted(ARMS))
def test_order_of_lesions_and_of_organs_does_not_matter(name: str) -> None:
    net, bag = head(name), one_patient(np.random.default_rng(2), 5, present=(True, True, False, True, True))
    turned = reordered(bag, [3, 0, 4, 1, 2])
    organs = [4, 2, 0, 3, 1]
    turned = replace(turned, organs=bag.organs[:, organs], present=bag.present[:, organs])
    assert torch.allclose(net(bag).logits, net(turned).logits, atol=1e-6)


def test_attention_follows_its_lesion_and_adds_up_to_one() -> None:
    net, bag = head(), one_patient(np.random.default_rng(4), 5)
    order = [3, 0, 4, 1, 2]
    plain, turned = net(bag).attention, net(reordered(bag, order)).attention
    assert torch.allclose(plain[:, order], turned, atol=1e-6)
    assert plain.sum().item() == pytest.approx(1.0, abs=1e-6)
    assert net(bag).organs.sum(dim=-1).allclose(torch.ones(1, 5), atol=1e-6)


def test_a_single_lesion_has_all_the_attention() -> None:
    assert head()(one_patient(np.random.default_rng(5), 1)).attention.tolist() == [[1.0]]


@pytest.mark.paper("lamp-null")
def test_a_patient_without_a_lesion_is_refused() -> None:
    with pytest.raises(NotComputable, match="NO_AVID_LESION"):
        bag_of(np.zeros((0, 128)), np.zeros((5, 128)), np.ones(5, dtype=bool))


@pytest.mark.parametrize("name", ["paper", "mean", "max"])
def test_all_lesions_twice_change_nothing(name: str) -> None:
    """An average and a maximum cannot count; that is a limit of the aggregation, shown here as it is."""
    net, bag = head(name), one_patient(np.random.default_rng(6), 4)
    assert torch.allclose(net(bag).logits, net(reordered(bag, [0, 1, 2, 3] * 2)).logits, atol=1e-6)


def test_one_lesion_twice_changes_an_average() -> None:
    bag = one_patient(np.random.default_rng(7), 4)
    for name, changes in (("mean", True), ("paper", True), ("max", False)):
        net = head(name)
        gap = (net(bag).logits - net(reordered(bag, [0, 0, 1, 2, 3])).logits).abs().max().item()
        assert (gap > 1e-4) == changes, name


@pytest.mark.paper("lamp-eq3")
def test_an_absent_organ_is_never_looked_at() -> None:
    net = head()
    bag = one_patient(np.random.default_rng(8), 3, present=(True, False, True, True, True))
    organs = bag.organs.clone()
    organs[:, 1] = 1e3
    other = net(replace(bag, organs=organs))
    assert torch.equal(net(bag).logits, other.logits)
    assert not other.organs[..., 1].any()


def test_without_any_organ_the_context_is_zero_and_learning_goes_on() -> None:
    net = head().train()
    bag = one_patient(np.random.default_rng(9), 3, present=(False,) * 5)
    judged = net(bag)
    assert not judged.organs.any()
    judged.logits.sum().backward()
    assert all(torch.isfinite(weight.grad).all() for weight in net.parameters() if weight.grad is not None)


def test_burden_is_read_only_where_asked() -> None:
    bag = one_patient(np.random.default_rng(10), 3)
    other = replace(bag, burden=bag.burden + 1)
    for name, changes in (("extension", False), ("extension_burden", True)):
        net = head(name)
        assert torch.equal(net(bag).logits, net(other).logits) != changes, name


def test_standardisation_is_of_the_training_patients() -> None:
    bags = patients(11, 40)
    net = head()
    net.standardise_by(bags)
    rows = bags.lesions[bags.is_lesion]
    assert torch.allclose(net.lesion_centre, rows.mean(dim=0), atol=1e-6)
    assert torch.allclose(net.lesion_scale, rows.std(dim=0, correction=0), atol=1e-5)
    wide = replace(bags, lesions=bags.lesions * 7 + 2)
    scaled = head()
    scaled.standardise_by(wide)
    # the units of the features do not matter once they are standardised
    assert torch.allclose(net(bags).logits, scaled(wide).logits, atol=1e-4)


def test_a_feature_that_never_changes_is_left_alone() -> None:
    bags = patients(12, 10)
    bags.lesions[..., 3] = 4.0
    net = head()
    net.standardise_by(bags)
    assert net.lesion_scale[3] == 1
    assert torch.isfinite(risk(net(bags).logits)).all()
