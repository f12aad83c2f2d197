"""``python -m lymphoma.dfr_signature.pretrain``: crops first, then the network; the same command again goes on."""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from functools import partial
from pathlib import Path

import structlog
import torch
from safetensors.torch import save

from lymphoma.dfr_signature.config import PUBLISHED
from lymphoma.dfr_signature.keras_networks import BACKBONES, BackboneName
from lymphoma.dfr_signature.pretrain.crops import CropPlan, CropStore
from lymphoma.dfr_signature.pretrain.network import LearningBackbone
from lymphoma.dfr_signature.pretrain.task import PretrainTask
from lymphoma.logs import log_to_stderr
from lymphoma.training.cache import DiskCache
from lymphoma.training.case import Case, Subject
from lymphoma.training.command import CACHE_BYTES, NetworkPatients, network_patients, told_by_log, until_told_to_stop
from lymphoma.training.config import TrainConfig, read_config
from lymphoma.training.files import file_sha256, write_whole
from lymphoma.training.result import TrainingResult
from lymphoma.training.trained import trained_weights
from lymphoma.training.trainer import Trainer
from lymphoma.training.weights import halved

__all__ = ["keep_backbone", "main", "prepare_crops"]

CONFIG = Path(__file__).with_name("train.yaml")
EDGE_MM = 4.0
"""Voxels of the patients: those of the shared networks' cache."""
CROP_BYTES = 4_000_000_000
"""Room for the crops of 280 patients, 6 MB each."""
BACKBONE_FILE, ABOUT_FILE = "backbone.safetensors", "backbone.json"

log = structlog.get_logger()


@dataclasses.dataclass(frozen=True)
class _Cases:
    """The patients as a cohort, so that their cases come from the shared cache."""

    patients: NetworkPatients
    name: str = "virtual patients of the shared networks"
    virtual: bool = True

    @property
    def subjects(self) -> tuple[Subject, ...]:
        return (*self.patients.training, *self.patients.validation)

    def load(self, subject: Subject) -> Case:
        return self.patients.read(subject)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; see ``--help``.

    Returns:
        Exit code: 0, also where the time is over before the training is.
    """
    given = _parser().parse_args(arguments)
    log_to_stderr()
    torch.set_num_threads(given.threads)
    ends_s = None if given.minutes is None else time.monotonic() + 60 * given.minutes
    patients = network_patients(EDGE_MM, given.cache or given.out / "patients", limit_bytes=CACHE_BYTES)
    store = CropStore(_Cases(patients), DiskCache(given.out / "crops", CROP_BYTES), CropPlan())
    training, validation = patients.training[: given.patients], patients.validation
    if not prepare_crops(store, (*training, *validation), ends_s):
        return 0
    settings = read_config(given.config or CONFIG)
    run = dataclasses.replace(settings.run, workers=given.workers)
    if ends_s is not None:
        run = dataclasses.replace(run, leg_minutes=max(0.01, (ends_s - time.monotonic()) / 60))
    settings = dataclasses.replace(settings, run=run)
    name: BackboneName = given.backbone
    task = PretrainTask(
        partial(LearningBackbone, name, settings.seed), training, validation, store.load, settings.batch_size
    )
    with until_told_to_stop() as stop:
        result = Trainer(task, settings, given.out / "run", on_update=told_by_log, should_stop=stop.is_set).run()
    log.info("leg_over", ended=result.ended, step=result.step, metrics=dict(result.metrics), trained=result.trained)
    if result.ended != "leg":
        keep_backbone(given.out, name, settings, result, len(training))
    return 0


def prepare_crops(store: CropStore, subjects: tuple[Subject, ...], ends_s: float | None = None) -> bool:
    """Makes the crops that are not there yet; whether all are, before the clock shows ``ends_s``."""
    for done, subject in enumerate(subjects, start=1):
        if ends_s is not None and time.monotonic() >= ends_s:
            log.info("time_over", patients=done - 1, of=len(subjects))
            return False
        store.load(subject)
        if done % 20 == 0:
            log.info("crops_made", patients=done, of=len(subjects))
    return True


def keep_backbone(
    out: Path, name: BackboneName, config: TrainConfig, result: TrainingResult, patients: int
) -> tuple[Path, str]:
    """Writes the weights that validation chose as ``backbone.safetensors`` in float16, for ``weights: {source: file}``
    of a signature's configuration; ``backbone.json`` says the digest and the words that belong to them.

    Returns:
        The file and its SHA-256.
    """
    network = LearningBackbone(name, config.seed)
    network.load_state_dict(trained_weights(out / "run").tensors)
    file = out / BACKBONE_FILE
    write_whole(file, save({key: one.clone().contiguous() for key, one in halved(network.tensors()).items()}))
    sha256 = file_sha256(file)
    words = (
        f"self-pretrained on {patients} virtual patients: organ, lesion and SUV in the middle of a crop, "
        f"{result.kept_step} steps of {config.batch_size}"
    )
    about = {
        "backbone": name,
        "sha256": sha256,
        "words": words,
        "trained": result.trained,
        "null_loss": result.null_loss,
        "metrics": dict(result.metrics),
    }
    write_whole(out / ABOUT_FILE, (json.dumps(about, indent=1, sort_keys=True) + "\n").encode())
    log.info("backbone_written", file=str(file), sha256=sha256, trained=result.trained)
    return file, sha256


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lymphoma.dfr_signature.pretrain",
        description="Trains the image network of the shipped signature on virtual patients; the same command goes on.",
        epilog="Example: nice -n 19 python -m lymphoma.dfr_signature.pretrain --out pretrain --minutes 120",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of crops, run and weights; made if missing")
    parser.add_argument("--cache", type=Path, help="folder of prepared patients at 4 mm (default: in --out)")
    parser.add_argument("--patients", type=int, help="fewer training patients than the set has")
    parser.add_argument("--minutes", type=float, help="ends after so long, crops included")
    parser.add_argument("--config", type=Path, help="a train.yaml in place of the shipped one")
    parser.add_argument("--backbone", choices=BACKBONES, default=PUBLISHED.backbone, help="default: the paper's")
    parser.add_argument("--threads", type=int, default=1, help="of torch (default 1)")
    parser.add_argument("--workers", type=int, default=0, help="processes that make batches ahead (default 0)")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
