"""Training the head: accumulation, where it starts, what it learns, and when it says that it did not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from lymphoma.errors import ConfigInvalid
from lymphoma.lamp.arms import ARMS, Arm, train_config
from lymphoma.lamp.network import HeadShape
from lymphoma.lamp.organs import rows_for
from lymphoma.lamp.task import HeadTask, LearningSet, risk_of, train_in_memory, train_on_all
from lymphoma.prognosis.survival_loss import nll
from lymphoma.survival.concordance import harrell
from lymphoma.survival.follow_up import FollowUp
from lymphoma.training.batches import draws_of
from lymphoma.training.trainer import Trainer

from tests.unit.lamp.made_up import ORGANS, learning, patients

pytestmark = pytest.mark.unit


def small(name: str, features: int = 8) -> Arm:
    arm = ARMS[name]
    return replace(arm, shape=replace(arm.shape, features=features))


def task(arm: Arm, count: int = 300, features: int = 8, effect: float = 1.5) -> HeadTask:
    return HeadTask(arm, learning(1, count, features, effect), learning(2, 150, features, effect))


@pytest.mark.paper("lamp-adam")
def test_accumulating_32_patients_is_the_mean_of_their_gradients() -> None:
    arm = replace(small("paper"), shape=HeadShape(features=8, gate_dropout=0.0))
    one = task(arm, 64)
    network = one.network()
    draws = draws_of(train_config(arm, 7), 0)
    batches = [one.batch(draw) for draw in draws]
    assert len(batches) == 32
    separate = []
    for batch in batches:
        network.zero_grad()
        one.loss(network, batch).total.backward()
        separate.append(torch.cat([weight.grad.flatten() for weight in network.parameters()]))
    mean = torch.stack(separate).mean(dim=0)
    network.zero_grad()
    for batch in batches:
        (one.loss(network, batch).total / 32).backward()
    accumulated = torch.cat([weight.grad.flatten() for weight in network.parameters()])
    assert torch.allclose(accumulated, mean, atol=1e-7)
    padded = replace(one, arm=replace(arm, batch_size=32, accumulation=1))
    network.zero_grad()
    padded.loss(network, padded.batch(draws_of(train_config(padded.arm, 7), 0)[0])).total.backward()
    together = torch.cat([weight.grad.flatten() for weight in network.parameters()])
    assert torch.allclose(together, mean, atol=1e-6), "one padded batch has the same patients and the same gradient"


@pytest.mark.paper("lamp-head")
def test_the_head_starts_at_the_constant_hazard_null() -> None:
    """Where intercepts and slopes are as torch draws them, the loss starts far above that of constant hazards."""
    gaps = {}
    for starts in (True, False):
        torch.manual_seed(1)
        one = task(replace(small("paper"), start_at_hazards=starts))
        start = one.validate(one.network().eval(), torch.device("cpu"))["nll"]
        gaps[starts] = start - one.null_loss.value
    assert gaps[True] == pytest.approx(0, abs=1e-6)
    assert gaps[False] > 0.5


def test_the_null_is_the_training_fold_s_hazards_on_the_validation_patients() -> None:
    one = task(small("paper"))
    follow_up = one.validation.follow_up
    at = torch.tensor(one.bins.of(follow_up.months))
    wanted = nll(one.hazards.expand(follow_up.n, -1), at, torch.tensor(follow_up.event))
    assert one.null_loss.value == pytest.approx(wanted.item())
    other = replace(one, validation=learning(9, 40, 8))
    assert other.bins == one.bins, "nothing is fitted on validation patients"
    assert other.hazards.tolist() == one.hazards.tolist()


@pytest.mark.parametrize("name", ["extension", "extension_cox", "abmla"])
def test_an_effect_is_learnt(name: str) -> None:
    arm = replace(small(name), learning_rate=3e-3, steps=200, validate_every=20)
    trained = train_in_memory(task(arm), 0)
    test = learning(5, 400, 8)
    assert trained.trained
    assert trained.nll < trained.null_nll
    assert harrell(test.follow_up, risk_of(trained.network, test.bags)) > 0.65


def test_a_run_on_chance_is_not_trained() -> None:
    """Outcomes that belong to nobody: at a rate that overfits at once, no validation lies far below the null."""
    arm = replace(small("extension"), learning_rate=1e-2, steps=60)
    one = task(arm, 80)
    order = np.random.default_rng(0).permutation(80)
    shuffled = LearningSet(one.training.bags, one.training.follow_up.take(order))
    trained = train_in_memory(replace(one, training=shuffled, validation=learning(2, 400, 8, 0.0)), 0)
    assert trained.nll > trained.null_nll - 0.005


def test_few_patients_are_all_learnt_from() -> None:
    arm = replace(small("extension"), learning_rate=3e-3, steps=150)
    patients = learning(1, 120, 8, 2.0)
    trained = train_on_all(arm, patients, 0)
    test = learning(5, 400, 8, 2.0)
    assert trained.trained
    assert 0 < trained.kept_step <= trained.steps
    assert torch.allclose(trained.network.lesion_centre, patients.bags.lesions[patients.bags.is_lesion].mean(dim=0))
    assert harrell(test.follow_up, risk_of(trained.network, test.bags)) > 0.6


def test_few_patients_with_chance_outcomes_are_judged_the_same() -> None:
    """What the folds do not support is not learnt: all have the same risk."""
    arm = replace(small("extension"), learning_rate=1e-2, steps=30)
    trained = train_on_all(arm, learning(1, 60, 8, 0.0), 0)
    found = risk_of(trained.network, patients(4, 20, 8))
    assert trained.trained == (trained.kept_step > 0)
    assert (np.ptp(found) == 0) == (trained.kept_step == 0)


def test_runs_repeat() -> None:
    one = task(replace(small("extension"), steps=30))
    test = patients(4, 20, 8)
    first, second, other = (risk_of(train_in_memory(one, seed).network, test) for seed in (0, 0, 1))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


def test_a_cox_head_needs_patients_to_compare() -> None:
    arm = replace(small("extension_cox"), batch_size=1, accumulation=32)
    with pytest.raises(ConfigInvalid, match="batch"):
        task(arm)


def test_the_trainer_trains_it_too(tmp_path: Path) -> None:
    arm = replace(small("extension"), steps=30)
    one = task(arm)
    config = train_config(arm, 3)
    config = replace(config, run=replace(config.run, tensorboard=False, device="cpu"))
    result = Trainer(one, config, tmp_path).run()
    assert result.null_loss == pytest.approx(one.null_loss.value)
    assert result.step == 30
    assert result.metrics["nll"] < result.null_loss
    assert train_in_memory(one, 3).nll == pytest.approx(result.metrics["nll"], abs=1e-6)


def test_organs_of_others_and_mean_organs() -> None:
    bags, training = patients(6, 30, 8), patients(7, 50, 8)
    assert rows_for(bags, "own", training, 0) is bags
    shuffled = rows_for(bags, "shuffled", training, 0)
    same = (shuffled.organs == bags.organs).all(dim=2).all(dim=1)
    assert not same.any(), "nobody keeps the own organs"
    firsts = (shuffled.organs[:, 0, 0], bags.organs[:, 0, 0])
    assert torch.equal(*(values.sort().values for values in firsts)), "everybody's organs go to somebody"
    mean = rows_for(bags, "mean", training, 0)
    for organ in range(ORGANS):
        there = training.organs[training.present[:, organ], organ]
        assert torch.allclose(mean.organs[0, organ], there.mean(dim=0), atol=1e-6)
    assert torch.equal(mean.organs[0], mean.organs[-1])


def test_mean_organs_leave_out_absent_ones() -> None:
    training = patients(8, 4, 8)
    training.present[:3, 1] = False
    training.present[:, 2] = False
    mean = rows_for(training, "mean", training, 0)
    assert torch.allclose(mean.organs[0, 1], training.organs[3, 1])
    assert mean.present[0].tolist() == [True, True, False, True, True]


def test_a_bin_of_each_patient_agrees_with_the_loss() -> None:
    one = task(small("paper"), 64)
    batch = one.batch(draws_of(train_config(one.arm, 0), 0)[0])
    network = one.network().eval()
    wanted = nll(network(batch.bags).logits, torch.tensor(one.bins.of(batch.months.numpy())), batch.event)
    assert one.loss(network, batch).total.item() == pytest.approx(wanted.item())


def test_outcomes_must_fit_the_patients() -> None:
    with pytest.raises(ValueError, match="outcomes"):
        LearningSet(patients(0, 3, 8), FollowUp(np.ones(2), np.ones(2, dtype=bool)))
