"""The anatomy network: its classes, its loss, its task in a few steps, and its way over a whole body."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from lymphoma.anatomy import network as network_module
from lymphoma.anatomy.classes import IGNORED, ClassTable, OrganClass, shipped_classes
from lymphoma.anatomy.network import AnatomyShape, NetworkAnatomy, build_network, image_of, most_likely_on
from lymphoma.anatomy.task import CT_DROPPED, AnatomyLoss, AnatomyTask, organ_dice
from lymphoma.anatomy.train import main
from lymphoma.imaging.volume import Volume
from lymphoma.inference.device import Processor
from lymphoma.inference.fallback import Attempt
from lymphoma.simulation.cohort import VirtualCohort
from lymphoma.simulation.protocol import Protocol
from lymphoma.simulation.tissues import ORGAN_NAMES
from lymphoma.training.case import Case, Subject
from lymphoma.training.config import OptimiserConfig, RunConfig, TrainConfig, read_config
from lymphoma.training.images import Patches
from lymphoma.training.legs import read_handover
from lymphoma.training.result import last_weights
from lymphoma.training.task import Draw
from lymphoma.training.trainer import Trainer
from lymphoma.training.working import ToWorkingGrid

pytestmark = pytest.mark.unit

SMALL = AnatomyShape(widths=(4, 8, 8), edge_mm=16.0, window=(16, 16, 16))
COHORT = VirtualCohort("few", range(70, 73), protocol=Protocol((8.0, 8.0, 8.0), 64, ct_on_pet_grid=True))
TABLE = shipped_classes()


@cache
def read(subject: Subject) -> Case:
    return ToWorkingGrid(SMALL.edge_mm)(COHORT.load(subject))


def small_task(table: ClassTable = TABLE) -> AnatomyTask:
    return AnatomyTask(COHORT.subjects[:2], COHORT.subjects[2:], read, table, batch_size=2, shape=SMALL)


def test_every_structure_of_the_generator_has_its_class() -> None:
    parts = [part for one in TABLE.classes for part in one.parts]
    assert sorted(parts) == sorted(ORGAN_NAMES.values())
    assert 36 <= len(TABLE) <= 40


def test_the_names_that_coverage_and_stations_ask_for_are_there() -> None:
    wanted = {"brain", "femur", "liver", "aorta", "spleen", "sacrum", "heart", "vertebrae_C", "vertebrae_L", "skull"}
    wanted |= {"lung_left", "lung_right", "tonsil", "pulmonary_artery", "inferior_vena_cava", "iliac_vessels"}
    assert wanted <= set(TABLE.names.values())


@pytest.mark.parametrize(
    "classes",
    [
        (OrganClass(0, "background", ()), OrganClass(2, "liver", ("liver",))),
        (OrganClass(0, "background", ("liver",)), OrganClass(1, "liver", ("liver",))),
    ],
)
def test_a_table_with_a_gap_or_a_structure_twice_is_refused(classes: tuple[OrganClass, ...]) -> None:
    with pytest.raises(ValueError, match=r"in order|two classes"):
        ClassTable(classes)


def test_parts_are_merged_and_what_is_not_known_teaches_nothing() -> None:
    names = {1: "lung_upper_lobe_left", 2: "lung_lower_lobe_left", 3: "skin", 4: "pineal_gland"}
    merged = TABLE.merged(np.array([0, 1, 2, 3, 4, 1]), names, np.array([0, 0, 0, 0, 0, 7]))
    left = next(label for label, name in TABLE.names.items() if name == "lung_left")
    assert merged.tolist() == [0, left, left, 0, IGNORED, IGNORED]


def test_air_and_a_missing_ct_are_nothing_and_soft_tissue_is_one() -> None:
    suv, ct = np.array([[[0.0, 1.0, 63.0]]], np.float32), np.array([[[-1024.0, -1000.0, 40.0]]], np.float32)
    image = image_of(suv, ct)
    np.testing.assert_allclose(image[0, 0, 0], [0.0, np.log(2.0), np.log(64.0)], rtol=1e-6)
    np.testing.assert_allclose(image[1, 0, 0], [0.0, 0.0, 1.0], atol=1e-6)
    assert image.dtype == np.float32


def test_the_network_gives_a_score_per_class_and_voxel_at_the_shipped_size() -> None:
    network = build_network(AnatomyShape(), len(TABLE))
    assert network(torch.zeros(1, 2, 16, 24, 16)).shape == (1, len(TABLE), 16, 24, 16)
    # 1.4 million weights: 2.8 MB in float16, far below the 16 MB of a shipped file
    assert sum(weight.numel() for weight in network.parameters()) == pytest.approx(1.40e6, rel=0.01)


def answer(label: torch.Tensor, classes: int) -> torch.Tensor:
    one_hot = torch.nn.functional.one_hot(label[:, 0].clamp(max=classes - 1), classes).movedim(-1, 1)
    return 40.0 * one_hot.float()


def test_loss_of_a_right_answer_is_nothing_and_ignored_voxels_do_not_count() -> None:
    label = torch.zeros(1, 1, 6, 6, 6, dtype=torch.int64)
    label[..., :2, :, :] = 2
    label[..., 4:, :, :] = IGNORED
    logits = answer(label, 4)
    logits[..., 4:, :, :] = torch.randn(1, 4, 2, 6, 6)
    logits.requires_grad_()
    dice, entropy = AnatomyLoss()(logits, label)
    assert float(dice.detach()) == pytest.approx(0.0, abs=1e-5)
    assert float(entropy.detach()) == pytest.approx(0.0, abs=1e-5)
    (dice + entropy).backward()
    assert float(logits.grad[..., 4:, :, :].abs().max()) == 0.0


def test_loss_of_half_an_organ_and_an_absent_one() -> None:
    """Two organs of 8 voxels: one found, one missed: Dice loss 1/2; the third organ is absent and does not count."""
    label = torch.zeros(1, 1, 2, 2, 8, dtype=torch.int64)
    label[..., :2] = 1
    label[..., 6:] = 2
    said = label.clone()
    said[..., 6:] = 0
    dice, entropy = AnatomyLoss()(answer(said, 4), label)
    assert float(dice) == pytest.approx(0.5, abs=1e-4)
    # a voxel weighs 1 / root of the voxels of its class: 16 of background, 8 of either organ
    weight = 8 / 8**0.5
    assert float(entropy) == pytest.approx(40.0 * weight / (16 / 16**0.5 + 2 * weight), rel=1e-3)


def test_a_patch_of_lesion_alone_teaches_nothing() -> None:
    label = torch.full((1, 1, 4, 4, 4), IGNORED)
    dice, entropy = AnatomyLoss()(torch.randn(1, 3, 4, 4, 4), label)
    assert (float(dice), float(entropy)) == (0.0, 0.0)


def test_dice_of_organs_that_are_there() -> None:
    counts = np.zeros((3, len(TABLE)), np.int64)
    counts[:, 1], counts[:, 2] = (30, 40, 60), (0, 5, 0)
    assert organ_dice(counts, TABLE) == {"brain": 0.6}


def test_one_patch_in_ten_has_no_ct() -> None:
    task = small_task()
    kept = [task.batch(Draw(1, step, 0, step)).image[:, 1].abs().amax((1, 2, 3)) > 0 for step in range(150)]
    share = 1.0 - float(torch.cat(kept).float().mean())
    assert share == pytest.approx(CT_DROPPED, abs=0.055)  # binomial with n = 300: three standard errors


def test_a_batch_follows_from_its_draw_alone() -> None:
    first, again = (small_task().batch(Draw(3, 5, 0, 5)) for _ in range(2))
    assert torch.equal(first.image, again.image)
    assert torch.equal(first.label, again.label)
    assert first.image.shape == (2, 2, 16, 16, 16)


def test_lesions_are_ignored_in_what_is_learnt() -> None:
    case = read(COHORT.subjects[0])
    assert case.lesions is not None
    assert (small_task().truth(case)[case.lesions.array > 0] == IGNORED).all()


def test_a_few_steps_lower_the_loss(tmp_path: Path) -> None:
    task = small_task()
    config = TrainConfig(
        steps=60,
        seed=3,
        clip_norm=12.0,
        optimiser=OptimiserConfig(name="AdamW", learning_rate=0.01),
        run=RunConfig(device="cpu", tensorboard=False),
    )
    losses: list[float] = []
    result = Trainer(task, config, tmp_path / "run", on_update=lambda done: losses.append(done.values["loss"])).run()
    assert np.mean(losses[-8:]) < 0.75 * np.mean(losses[:4])
    assert set(result.metrics) >= {"dice", "dice_liver", "dice_brain"}
    network = task.network()
    network.load_state_dict(last_weights(tmp_path / "run"))
    batch: Patches = task.batch(Draw(9, 0, 0, 0))
    assert float(task.loss(network, batch).total.detach()) < losses[0]


class Oracle(torch.nn.Module):
    """Knows bone from its CT number, and nothing else."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        bone = (image[:, 1:] > 1.25).float()
        return torch.cat([8.0 * (1.0 - bone), 8.0 * bone], dim=1)


def test_a_whole_body_comes_back_on_the_grid_of_the_pet() -> None:
    suv, ct = np.zeros((60, 40, 44), np.float32), np.full((60, 40, 44), -1000.0, np.float32)
    suv[5:55, 8:32, 8:36], ct[5:55, 8:32, 8:36] = 1.0, 40.0
    ct[20:40, 12:28, 12:30] = 700.0
    affine = np.diag([4.0, 4.0, 4.0, 1.0])
    table = ClassTable((OrganClass(0, "background", ()), OrganClass(1, "bone", ("bone",))))
    engine = NetworkAnatomy(Oracle(), table, replace(SMALL, edge_mm=8.0), Processor(torch.device("cpu")))
    anatomy = engine.find(Volume(suv, affine), Volume(ct, affine))
    assert anatomy.organs is not None
    assert anatomy.organs.same_grid(Volume(suv, affine))
    # interpolation between voxels of 8 mm rounds off the block's eight corners, and nothing else
    assert int((anatomy.mask("bone") ^ (ct > 100.0)).sum()) == 8


def test_classes_go_up_as_torch_interpolates_them() -> None:
    torch.manual_seed(2)
    coarse, fine, box = (7, 9, 8), (17, 20, 13), (slice(1, 6), slice(0, 9), slice(3, 8))
    whole = torch.zeros(4, *coarse)
    logits = torch.randn(4, 5, 9, 5).mul(2.0)
    whole[(slice(None), *box)] = torch.log_softmax(logits, dim=0)
    theirs = torch.nn.functional.interpolate(whole[None], size=fine, mode="trilinear")[0].argmax(0).numpy()
    ours = most_likely_on(logits, box, coarse, fine)
    # fine voxels between two coarse ones of the box, where its edge plays no part
    inner = (slice(4, 13), slice(0, 20), slice(6, 13))
    np.testing.assert_array_equal(ours[inner], theirs[inner])
    assert not ours[:2].any()
    assert not ours[..., :4].any()


def test_a_whole_body_in_bfloat16_agrees() -> None:
    task = small_task()
    torch.manual_seed(1)
    network = task.network().eval()
    case = read(COHORT.subjects[0])
    full, mixed = (
        NetworkAnatomy(network, TABLE, SMALL, Processor(torch.device("cpu"), mixed)) for mixed in (False, True)
    )
    one, two = (engine.logits(case.suv.array, case.ct_hu.array) for engine in (full, mixed))
    assert two.dtype == torch.float32
    # bfloat16 keeps 8 bits: 1/256 of the largest logit, a few layers deep
    assert float((one - two).abs().max()) < 0.05 * float(one.abs().max())


class Full(torch.nn.Module):
    """Runs out of a GPU's memory with every window but small ones."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        if image.shape[-1] > 12:
            raise torch.OutOfMemoryError("out of memory")
        return torch.cat([torch.zeros_like(image[:, 1:]), image[:, 1:] - 1.0], dim=1)


def test_smaller_windows_when_memory_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = Processor(torch.device("cpu"))
    ways = (Attempt(cpu), Attempt(cpu, small=True, note="Smaller windows."))
    monkeypatch.setattr(network_module, "attempts", lambda processor: ways)
    suv = Volume(np.ones((16, 16, 16), np.float32), np.diag([8.0, 8.0, 8.0, 1.0]))
    table = ClassTable((OrganClass(0, "background", ()), OrganClass(1, "bone", ("bone",))))
    shape = replace(SMALL, edge_mm=8.0, window=(16, 16, 16))
    anatomy = NetworkAnatomy(Full(), table, shape, cpu).find(suv, suv.with_array(np.full((16,) * 3, 700.0, np.float32)))
    assert anatomy.notes == ("Smaller windows.",)
    assert anatomy.mask("bone").all()


def test_the_command_makes_the_shipped_network_and_hands_it_over(tmp_path: Path) -> None:
    """A leg without time for a step: all is put together, and what it leaves fits the network."""
    assert main(["--run", str(tmp_path / "run"), "--cache", str(tmp_path / "cache"), "--leg-minutes", "1e-9"]) == 0
    config = read_config(tmp_path / "run" / "train.yaml")
    given = read_handover(tmp_path / "run" / "handover", config)
    build_network(AnatomyShape(), len(TABLE)).load_state_dict(given.network)
    assert (given.state.step, config.steps) == (0, 5000)


def test_the_shipped_configuration_is_that_of_the_budget() -> None:
    config = read_config(Path(network_module.__file__).with_name("train.yaml"))
    assert (config.steps, config.batch_size, config.validation.metric) == (5000, 1, "dice")
