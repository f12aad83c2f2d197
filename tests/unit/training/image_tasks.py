"""A tiny segmentation on arrays made here, and the child process whose memory is measured."""

from __future__ import annotations

import resource
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch
from lymphoma.anatomy.organs import Anatomy
from lymphoma.imaging.volume import Volume
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.training.batches import passing_batch
from lymphoma.training.case import Case, Subject
from lymphoma.training.config import OptimiserConfig, RunConfig, TrainConfig, ValidationConfig
from lymphoma.training.images import Augmentation, Patches, PatchMaker, infer_whole, segmentation_loss
from lymphoma.training.task import Draw, Loss, NullLoss
from lymphoma.training.trainer import Trainer
from monai.networks.nets import UNet

AFFINE_4MM = np.diag([4.0, 4.0, 4.0, 1.0])


def subject(number: int) -> Subject:
    return Subject(f"p{number}", "a", ClinicalFactors(), None, None, content=f"{number:064d}")


EDGE = 40


def load(of: Subject) -> Case:
    """A noisy body of SUV 1 with two balls of SUV 6, somewhere else in each patient."""
    rng = np.random.default_rng([5, int(of.content)])
    suv = rng.normal(1.0, 0.3, size=(EDGE,) * 3).astype(np.float32)
    at = np.indices(suv.shape)
    lesions = np.zeros(suv.shape, np.uint16)
    for number in (1, 2):
        centre, radius = rng.uniform(10, EDGE - 10, 3), rng.uniform(3, 6)
        lesions[((at - centre[:, None, None, None]) ** 2).sum(0) < radius**2] = number
    suv[lesions > 0] += 5.0
    return as_case(of, suv, lesions)


def as_case(of: Subject, suv: np.ndarray, lesions: np.ndarray) -> Case:
    pet = Volume(suv, AFFINE_4MM)
    return Case(of, pet, pet.with_array(np.zeros_like(suv)), pet.with_array(lesions), Anatomy("none"))


def channels(case: Case) -> np.ndarray:
    return np.stack([case.suv.array / 5.0, case.ct_hu.array / 1000.0])


def lesions(case: Case) -> np.ndarray:
    assert case.lesions is not None
    return (case.lesions.array > 0).astype(np.uint8)


def patch_maker(**changes) -> PatchMaker:
    return PatchMaker(channels, lesions, **{"size": (32, 32, 32), **changes})


class SegmentationTask:
    """Lesion or not, on 32-cubes; the cohort is read a case at a time."""

    def __init__(
        self, cohort: Sequence[Subject], read: Callable[[Subject], Case] = load, maker: PatchMaker | None = None
    ) -> None:
        self._cohort, self._read = cohort, read
        self._maker = maker or patch_maker()
        self._loss = segmentation_loss(classes=2, deep_supervision=False)

    def network(self) -> torch.nn.Module:
        return UNet(spatial_dims=3, in_channels=2, out_channels=2, channels=(4, 8), strides=(2,), norm="instance")

    def batch(self, draw: Draw) -> Patches:
        chosen = passing_batch(draw, len(self._cohort), 2)
        return self._maker([self._read(self._cohort[at]) for at in chosen.tolist()], draw)

    def loss(self, network: torch.nn.Module, batch: Patches) -> Loss:
        return Loss(self._loss(network(batch.image), batch.label))

    def validate(self, network: torch.nn.Module, device: torch.device) -> Mapping[str, float]:
        return {"dice": float(np.mean([dice(network, load(subject(at)), device) for at in (900, 901)]))}

    @property
    def null_loss(self) -> NullLoss | None:
        return None


def dice(network: torch.nn.Module, case: Case, device: torch.device) -> float:
    image = torch.from_numpy(channels(case))[None].float()
    found = infer_whole(network, image, (32, 32, 32), device=device).argmax(1)[0].numpy() > 0
    true = lesions(case) > 0
    return float(2 * (found & true).sum() / max(1, found.sum() + true.sum()))


def segmentation_config(steps: int) -> TrainConfig:
    return TrainConfig(
        steps=steps,
        seed=2,
        batch_size=2,
        clip_norm=12.0,
        optimiser=OptimiserConfig(name="AdamW", learning_rate=0.02),
        validation=ValidationConfig(metric="dice", direction="max"),
        run=RunConfig(device="cpu", tensorboard=False, log_every_steps=1),
    )


def peak_rss_mb(pipe: Connection, folder: Path, patients: int, hoard: bool) -> None:
    """Trains on ``patients`` lazy cases in this process and sends its peak memory in MB."""
    torch.set_num_threads(1)
    hoarded = []

    def read(of: Subject) -> Case:
        lesions = np.zeros((96, 96, 96), np.uint16)
        lesions[40:60, 40:60, 40:60] = 1
        case = as_case(of, np.ones(lesions.shape, np.float32), lesions)
        if hoard:
            hoarded.append(case)
        return case

    plain = Augmentation(flip_axes=(), rotate_deg=0, scale=0, intensity_scale=0, intensity_shift=0, noise=0)
    task = SegmentationTask(
        [subject(at) for at in range(patients)], read, patch_maker(size=(16, 16, 16), augmentation=plain)
    )
    Trainer(task, segmentation_config(15), folder).run()
    pipe.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
