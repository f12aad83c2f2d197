"""LAMP's lesion network: what the paper says of it, its loss, its measures, and its task in a few steps."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from lymphoma.errors import NotComputable
from lymphoma.segmentation import network as network_module
from lymphoma.segmentation.network import PAPER_SIZE, Decoded, LampNetwork, LampShape, LesionMaps, image_of
from lymphoma.segmentation.task import LampTask, LesionLoss, lesion_probability
from lymphoma.segmentation.train import main
from lymphoma.simulation.cohort import VirtualCohort
from lymphoma.simulation.protocol import Protocol
from lymphoma.training.case import Case, Subject
from lymphoma.training.config import OptimiserConfig, RunConfig, TrainConfig, read_config
from lymphoma.training.images import segmentation_loss
from lymphoma.training.legs import read_handover
from lymphoma.training.result import last_weights
from lymphoma.training.task import Draw
from lymphoma.training.trainer import Trainer
from lymphoma.training.working import ToWorkingGrid

pytestmark = pytest.mark.unit

SMALL = LampShape(widths=(4, 6, 8), last_single=5, last_fused=9, supervised=2, edge_mm=10.0, window=(16, 16, 16))
COHORT = VirtualCohort("few", range(80, 83), protocol=Protocol((8.0, 8.0, 8.0), 64, ct_on_pet_grid=True))


@cache
def read(subject: Subject) -> Case:
    return ToWorkingGrid(SMALL.edge_mm)(COHORT.load(subject))


def small_task() -> LampTask:
    return LampTask(COHORT.subjects[:2], COHORT.subjects[2:], read, batch_size=2, shape=SMALL)


@pytest.fixture
def network() -> LampNetwork:
    torch.manual_seed(4)
    return LampNetwork(SMALL).eval()


def maps_of(network: LampNetwork, image: torch.Tensor) -> LesionMaps:
    with torch.no_grad():
        maps = network(image)
    assert isinstance(maps, LesionMaps)
    return maps


def weights_of(module: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


@pytest.mark.paper("lamp-widths")
def test_last_blocks_have_32_32_and_64_channels_at_full_size() -> None:
    maps = maps_of(LampNetwork(LampShape()), torch.randn(1, 2, 16, 24, 16))
    assert maps.ct.features.shape == (1, 32, 16, 24, 16)
    assert maps.pet.features.shape == (1, 32, 16, 24, 16)
    assert maps.fused.features.shape == (1, 64, 16, 24, 16)
    assert maps.log_probability.shape == (1, 2, 16, 24, 16)


@pytest.mark.paper("lamp-base")
def test_the_widths_of_the_paper_need_no_widening() -> None:
    with torch.device("meta"):
        paper = LampNetwork(PAPER_SIZE)
    for decoder, width in ((paper.decoder_ct, 32), (paper.decoder_pet, 32), (paper.decoder_fused, 64)):
        first, second = decoder.levels[0]
        assert (first.conv.out_channels, second.conv.in_channels, second.conv.out_channels) == (width, width, width)


@pytest.mark.paper("lamp-eq1")
def test_features_are_128_in_the_order_fused_pet_ct() -> None:
    maps = maps_of(LampNetwork(LampShape()), torch.randn(1, 2, 16, 8, 8))
    assert maps.features.shape[1] == 128
    assert torch.equal(maps.features[:, :64], maps.fused.features)
    assert torch.equal(maps.features[:, 64:96], maps.pet.features)
    assert torch.equal(maps.features[:, 96:], maps.ct.features)


@pytest.mark.paper("lamp-encoders")
def test_the_encoder_is_one_and_is_counted_once(network: LampNetwork) -> None:
    # two 3x3x3 convolutions without bias and two affine normalisations a level
    by_hand = sum(27 * (before * width + width * width) + 4 * width for before, width in ((1, 4), (4, 6), (6, 8)))
    assert weights_of(network.encoder) == by_hand
    parts = (network.encoder, network.decoder_ct, network.decoder_pet, network.decoder_fused, network.weigh)
    assert weights_of(network) == sum(weights_of(part) for part in parts)
    assert {name.split(".")[0] for name, _ in network.named_parameters()} == {
        *("encoder", "decoder_ct", "decoder_pet", "decoder_fused", "weigh"),
    }


@pytest.mark.paper("lamp-encoders")
def test_equal_images_are_encoded_equally_and_both_teach_the_encoder(network: LampNetwork) -> None:
    seen: list[list[torch.Tensor]] = []
    network.encoder.register_forward_hook(lambda _module, _given, made: seen.append(made))
    one = torch.randn(1, 1, 8, 8, 8)
    network(torch.cat([one, one], dim=1))
    assert len(seen) == 2
    assert all(torch.equal(pet, ct) for pet, ct in zip(*seen, strict=True))
    image = torch.randn(1, 2, 8, 8, 8)
    maps = network(image)
    weight = network.encoder.levels[0][0].conv.weight
    for single in (maps.ct, maps.pet):
        (gradient,) = torch.autograd.grad(single.logits[0][:, 1].sum(), weight, retain_graph=True)
        assert float(gradient.abs().max()) > 0.0


@pytest.mark.paper("lamp-decoders")
def test_each_single_decoder_sees_its_own_modality_alone(network: LampNetwork) -> None:
    image, other = torch.randn(2, 1, 2, 8, 8, 8)
    mixed = torch.cat([image[:, :1], other[:, 1:]], dim=1)
    maps, changed = maps_of(network, image), maps_of(network, mixed)
    assert torch.equal(maps.pet.logits[0], changed.pet.logits[0])
    assert not torch.equal(maps.ct.logits[0], changed.ct.logits[0])
    assert not torch.equal(maps.fused.logits[0], changed.fused.logits[0])


@pytest.mark.paper("lamp-weights")
def test_the_fused_answer_is_the_weighted_sum_of_three_probabilities(network: LampNetwork) -> None:
    maps = maps_of(network, 3.0 * torch.randn(2, 2, 8, 8, 8))
    weights = maps.weights.numpy().astype(np.float64)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-6)
    assert weights.std(axis=(2, 3, 4)).min() > 1e-4  # a map, not one number a modality
    given = [one.logits[0].numpy().astype(np.float64) for one in (maps.ct, maps.pet, maps.fused)]
    lesion = np.stack([1.0 / (1.0 + np.exp(logits[:, 0] - logits[:, 1])) for logits in given], axis=1)
    expected = (weights * lesion).sum(axis=1)
    np.testing.assert_allclose(maps.log_probability[:, 1].exp().numpy(), expected, atol=1e-6)
    np.testing.assert_allclose(maps.log_probability[:, 0].exp().numpy(), 1.0 - expected, atol=1e-6)


def test_answers_at_half_and_quarter_size() -> None:
    maps = maps_of(LampNetwork(LampShape()), torch.randn(1, 2, 32, 16, 16))
    for decoded in (maps.ct, maps.pet, maps.fused):
        sizes = [tuple(one.shape) for one in decoded.logits]
        assert sizes == [(1, 2, 32, 16, 16), (1, 2, 16, 8, 8), (1, 2, 8, 4, 4)]


def test_z_scores_of_known_values() -> None:
    suv = np.array([[[0.41, 1.61, 30.0, 90.0, -1.0]]], np.float32)
    ct = np.array([[[-624.0, -143.0, 1024.0, 3000.0, -2000.0]]], np.float32)
    image = image_of(suv, ct)
    np.testing.assert_allclose(image[0, 0, 0, :2], [0.0, 1.0], atol=1e-5)
    np.testing.assert_allclose(image[1, 0, 0, :2], [0.0, 1.0], atol=1e-5)
    assert image[0, 0, 0, 3] == image[0, 0, 0, 2]
    assert image[0, 0, 0, 4] == pytest.approx(-0.41 / 1.20)
    assert image[1, 0, 0, 3] == image[1, 0, 0, 2]
    assert image[1, 0, 0, 4] == pytest.approx((-1024.0 + 624.0) / 481.0)


def right_answer(label: torch.Tensor) -> torch.Tensor:
    return 20.0 * torch.cat([1.0 - 2 * label, 2.0 * label - 1], dim=1)


@pytest.mark.paper("lamp-decoders")
def test_each_answer_has_its_own_term_and_a_right_one_costs_nothing() -> None:
    label = torch.zeros(1, 1, 8, 8, 8, dtype=torch.int64)
    label[..., :4, :, :] = 1
    right = Decoded(torch.zeros(1), (right_answer(label), right_answer(label[..., ::2, ::2, ::2])))
    wrong = Decoded(torch.zeros(1), tuple(-one for one in right.logits))
    maps = LesionMaps(right, wrong, right, torch.zeros(1), torch.log_softmax(right.logits[0], dim=1))
    terms = LesionLoss()(maps, label)
    assert {name: round(float(term), 3) for name, term in terms.items()} == {
        "final": 0.0,
        "ct": 0.0,
        "pet": 41.0,  # Dice loss 1, cross-entropy the gap of 40 between the logits, at each size
        "fused": 0.0,
    }


def test_deep_supervision_weighs_1_a_half_a_quarter_normalised() -> None:
    label = torch.zeros(1, 1, 8, 8, 8, dtype=torch.int64)
    label[..., :4, :, :] = 1
    right = [right_answer(label[..., ::step, ::step, ::step]) for step in (1, 2, 4)]
    loss = segmentation_loss(classes=2, deep_supervision=True)
    costs = [float(loss([-one if at == level else one for at, one in enumerate(right)], label)) for level in range(3)]
    np.testing.assert_allclose(costs, [41.0 * 4 / 7, 41.0 * 2 / 7, 41.0 / 7], rtol=1e-3)


@pytest.mark.paper("lamp-patches")
def test_windows_of_a_whole_body_are_averaged_as_probabilities(network: LampNetwork) -> None:
    """Convolutions see the edge of a window, so the equality is that of a network of one voxel's reach."""

    class Pointwise(torch.nn.Module):
        def forward(self, image: torch.Tensor) -> LesionMaps:
            logits = torch.cat([-image[:, :1], image[:, :1]], dim=1)
            decoded = Decoded(image, (logits,))
            return LesionMaps(decoded, decoded, decoded, image, torch.log_softmax(logits, dim=1))

    image = np.random.default_rng(3).normal(size=(2, 40, 20, 24)).astype(np.float32)
    found = lesion_probability(Pointwise(), image, (16, 16, 16), device=torch.device("cpu"))
    np.testing.assert_allclose(found, 1.0 / (1.0 + np.exp(-2.0 * image[0].astype(np.float64))), atol=1e-6)
    by_network = lesion_probability(network, image, SMALL.window, device=torch.device("cpu"))
    assert by_network.shape == (40, 20, 24)
    assert 0.0 <= by_network.min() <= by_network.max() <= 1.0


def test_a_case_without_a_reference_is_refused() -> None:
    task = replace(small_task(), read=lambda subject: replace(read(subject), lesions=None))
    with pytest.raises(NotComputable, match="REFERENCE_MISSING"):
        task.batch(Draw(1, 0, 0, 0))


def test_a_few_steps_lower_the_loss(tmp_path: Path) -> None:
    task = small_task()
    config = TrainConfig(
        steps=40,
        seed=3,
        clip_norm=12.0,
        optimiser=OptimiserConfig(name="AdamW", learning_rate=0.005),
        run=RunConfig(device="cpu", tensorboard=False),
    )
    losses: list[float] = []
    result = Trainer(task, config, tmp_path / "run", on_update=lambda done: losses.append(done.values["loss"])).run()
    assert np.mean(losses[-8:]) < 0.9 * np.mean(losses[:4])
    assert set(result.metrics) == {"dice", "false_positive_ml", "false_negative_ml"}
    trained = task.network()
    trained.load_state_dict(last_weights(tmp_path / "run"))
    assert float(task.loss(trained, task.batch(Draw(9, 0, 0, 0))).total.detach()) < losses[0]


def test_the_command_makes_the_shipped_network_and_hands_it_over(tmp_path: Path) -> None:
    """A leg without time for a step: all is put together, and what it leaves fits the network."""
    assert main(["--run", str(tmp_path / "run"), "--cache", str(tmp_path / "cache"), "--leg-minutes", "1e-9"]) == 0
    config = read_config(tmp_path / "run" / "train.yaml")
    given = read_handover(tmp_path / "run" / "handover", config)
    LampNetwork(LampShape()).load_state_dict(given.network)
    assert (given.state.step, config.steps) == (0, 2_800)


@pytest.mark.paper("lamp-base")
def test_the_shipped_configuration_is_that_of_the_budget() -> None:
    config = read_config(Path(network_module.__file__).with_name("train.yaml"))
    assert (config.steps, config.batch_size, config.validation.metric) == (2_800, 1, "dice")
    assert LampShape().widths == (16, 32, 64, 128)
