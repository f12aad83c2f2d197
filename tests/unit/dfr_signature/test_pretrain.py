"""The image network's own training: crops of a virtual patient, the table of classes, some steps, and its hand-over."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
import torch
from lymphoma.anatomy.classes import shipped_classes
from lymphoma.dfr_signature.config import DfrConfig, WeightsConfig
from lymphoma.dfr_signature.open_weights import backbone_of
from lymphoma.dfr_signature.pretrain import __main__ as command
from lymphoma.dfr_signature.pretrain.classes import BINS, EDGES_SUV, ORGANS, class_of, parts_of, suv_bins
from lymphoma.dfr_signature.pretrain.crops import CropPlan, CropStore, LabelledCrops, make_crops
from lymphoma.dfr_signature.pretrain.network import LearningBackbone
from lymphoma.dfr_signature.pretrain.task import PretrainTask, losses_of
from lymphoma.simulation.cohort import VirtualCohort
from lymphoma.simulation.protocol import training_grid
from lymphoma.simulation.scan import PLAIN
from lymphoma.training.cache import DiskCache
from lymphoma.training.case import Case, Subject
from lymphoma.training.config import TrainConfig, ValidationConfig
from lymphoma.training.trainer import Trainer

pytestmark = pytest.mark.unit

EDGE_MM = 10.0
SEEDS = range(9_400_001, 9_400_003)
PLAN = CropPlan(count=10, lesion_share=0.4)
CLASSES = ORGANS * 2 * BINS


@cache
def cohort() -> VirtualCohort:
    return VirtualCohort("made up", SEEDS, PLAIN, training_grid(EDGE_MM))


@cache
def case() -> Case:
    return cohort().load(cohort().subjects[0])


@cache
def crops() -> LabelledCrops:
    return make_crops(case(), PLAN, seed=1)


class Tiny(torch.nn.Module):
    """Means over 8 x 8 squares, and one linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.last = torch.nn.Linear(28 * 28, 1000)

    def forward(self, grey: torch.Tensor) -> torch.Tensor:
        small = torch.nn.functional.avg_pool2d(grey[:, None] / 255, 8).flatten(1)
        logits: torch.Tensor = self.last(small)
        return logits


def test_every_organ_kind_and_bin_has_its_class_among_the_thousand() -> None:
    organ, lesion, suv_bin = (one.ravel() for one in np.indices((ORGANS, 2, BINS)))
    classes = class_of(organ, lesion, suv_bin)
    assert sorted(classes.tolist()) == list(range(CLASSES))
    assert CLASSES == 960 <= 1000
    for found, given in zip(parts_of(classes), (organ, lesion, suv_bin), strict=True):
        np.testing.assert_array_equal(found, given)
    assert suv_bins([0.0, 0.5, 0.49, 3.9, 4.0, 16.0, 99.0]).tolist() == [0, 1, 0, 6, 7, 11, 11]
    assert pytest.approx(np.sqrt(2)) == EDGES_SUV[1] / EDGES_SUV[0]


def test_crops_are_made_as_at_inference_and_labelled_by_their_middle() -> None:
    found = crops()
    assert found.pixels.shape == (10, 3, 224, 224)
    assert found.pixels.dtype == np.uint8
    organ, lesion, _ = parts_of(found.classes)
    assert lesion.sum() == 4, "four of ten lie about a lesion"
    assert organ.max() < len(shipped_classes())
    assert len(set(organ[lesion == 0].tolist())) > 2
    again = make_crops(case(), PLAN, seed=1)
    np.testing.assert_array_equal(again.pixels, found.pixels)
    assert not np.array_equal(make_crops(case(), PLAN, seed=2).classes, found.classes)


def test_a_hotter_patient_has_higher_bins_at_the_same_places() -> None:
    own = case()
    hot = replace(own, suv=own.suv.with_array(own.suv.array * 4))
    found, before = parts_of(make_crops(hot, PLAN, seed=1).classes), parts_of(crops().classes)
    np.testing.assert_array_equal(found[0], before[0])
    assert (found[2] >= before[2]).all()
    inside = (before[2] > 0) & (before[2] < BINS - 4)
    assert (found[2] - before[2])[inside].tolist() == [4] * int(inside.sum()), "twice two octaves of half an octave"


def test_crops_are_made_once(tmp_path: Path) -> None:
    calls = []

    class Counted:
        name, virtual, subjects = "made up", True, cohort().subjects

        def load(self, subject: Subject) -> Case:
            calls.append(subject)
            return case()

    store = CropStore(Counted(), DiskCache(tmp_path, 100_000_000), PLAN)
    one, two = (store.load(cohort().subjects[0]) for _ in range(2))
    np.testing.assert_array_equal(one.pixels, two.pixels)
    assert len(calls) == 1


def test_losses_of_a_sure_and_of_a_clueless_network() -> None:
    classes = torch.tensor([class_of(17, 1, 6).item(), class_of(0, 0, 2).item()])
    sure = torch.full((2, 1000), -40.0)
    sure[torch.arange(2), classes] = 40.0
    assert all(float(one) == pytest.approx(0, abs=1e-5) for one in losses_of(sure, classes).values())
    clueless = losses_of(torch.zeros(2, 1000), classes)
    for name, kinds in (("class", CLASSES), ("organ", ORGANS), ("lesion", 2), ("suv", BINS)):
        assert float(clueless[name]) == pytest.approx(np.log(kinds), rel=1e-5)


def task() -> PretrainTask:
    def read(subject: Subject) -> LabelledCrops:
        return crops()

    return PretrainTask(Tiny, cohort().subjects, cohort().subjects[:1], read, batch_size=4)


def test_some_steps_of_a_small_network_learn_and_hand_over(tmp_path: Path) -> None:
    config = TrainConfig(steps=30, batch_size=4, precision="float32", validation=ValidationConfig(metric="loss"))
    result = Trainer(task(), config, tmp_path / "run").run()
    assert result.ended == "finished"
    assert result.null_loss is not None
    with torch.no_grad():
        before = task().validate(Tiny(), torch.device("cpu"))["loss"]
    assert result.metrics["loss"] < before
    assert 0 <= result.metrics["organ_right"] <= 1


def test_the_network_it_keeps_is_what_a_configuration_can_name(tmp_path: Path) -> None:
    """A step of DenseNet-121, as Keras builds it, by the trainer; its weights then read features."""
    config = TrainConfig(steps=1, batch_size=2, precision="float32", validation=ValidationConfig(metric="loss"))
    few = replace(task(), build=partial(LearningBackbone, "densenet121", 5), batch_size=2, judged=1)
    result = Trainer(few, config, tmp_path / "run").run()
    file, sha256 = command.keep_backbone(tmp_path, "densenet121", config, result, 2)
    about = json.loads((tmp_path / "backbone.json").read_text(encoding="utf-8"))
    assert about["sha256"] == sha256
    assert about["words"].startswith("self-pretrained on 2 virtual patients")
    named = WeightsConfig("file", path=file, sha256=sha256, words=about["words"])
    opened = backbone_of(DfrConfig(backbone="densenet121", weights=named))
    first = backbone_of(DfrConfig(backbone="densenet121", weights=WeightsConfig("random", 5)))
    assert opened.digest != first.digest
    pixels = crops().pixels[:1, 0].astype(np.float32)
    assert np.isfinite(opened.features(pixels)).all()
    assert opened.words == f"DenseNet121, {about['words']}"
