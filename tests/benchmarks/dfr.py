"""Seconds that the DFR signature takes for one patient: crops of a whole body, ResNet-50, the stack of learners.

The weights are random and the stack is fitted on made-up patients: the time does not depend on either. Two threads, as
on a node of two cores; what is loaded once a bundle stands apart.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from lymphoma.anatomy.organs import Anatomy
from lymphoma.dfr_signature.backbones import RandomProjection, open_backbone
from lymphoma.dfr_signature.config import SHIPPED, read_dfr_config
from lymphoma.dfr_signature.features import features_of
from lymphoma.dfr_signature.inputs import DRAWN, inputs_of
from lymphoma.dfr_signature.signature import fit_signature, unpack_signature
from lymphoma.prognosis.measures import PetMeasures
from lymphoma.prognosis.system import StudyArrays
from lymphoma.survival.clinical import ClinicalFactors
from rich.console import Console
from rich.table import Table

from tests.benchmarks.networks import whole_body

__all__ = ["main"]

R = TypeVar("R")
TARGET_S = 10.0
"""A patient, two cores."""
PATIENTS = 120


def main() -> None:
    """Prints a table and a line of JSON."""
    torch.set_num_threads(2)
    config = read_dfr_config(SHIPPED)
    suv, plain, _, lesions = whole_body()
    grain = np.random.default_rng(1).normal(scale=15.0, size=plain.array.shape)
    ct = plain.with_array((plain.array + grain).astype(np.float32))  # one shade everywhere has no z-score
    study = StudyArrays(suv, ct, lesions, Anatomy("none"), ClinicalFactors(), PetMeasures())
    clock: dict[str, float] = {}
    processor: dict[str, float] = {}

    def timed(name: str, work: Callable[[], R]) -> R:
        begun, spent = time.perf_counter(), time.process_time()
        done = work()
        clock[name], processor[name] = time.perf_counter() - begun, time.process_time() - spent
        return done

    backbone = timed("image network, once", lambda: open_backbone(config.backbone, RandomProjection()))
    rng = np.random.default_rng(0)
    made_up = rng.normal(size=(PATIENTS, config.selection.features))
    with tempfile.TemporaryDirectory() as place:
        event = made_up[:, 0] + rng.normal(size=PATIENTS) > 0.3
        archive = fit_signature(made_up, event, config.signature, Path(place)).signature
    signature = timed("stack of learners, once", lambda: unpack_signature(archive.archive, archive.digest))
    arrays = timed("crops", lambda: inputs_of(study, config.inputs))
    timed("deep features", lambda: features_of(arrays, DRAWN, backbone, config))
    timed("signature", lambda: signature.probability(made_up[:1]))
    patient_s = sum(clock[name] for name in ("crops", "deep features", "signature"))
    table = Table("step", "clock s", "processor s", title=f"DFR signature, {config.backbone}, {suv.array.shape} voxels")
    for name in clock:
        table.add_row(name, f"{clock[name]:.2f}", f"{processor[name]:.2f}")
    table.add_row(f"a patient, target {TARGET_S:g}", f"{patient_s:.2f}", "")
    Console().print(table)
    Console().print_json(
        data={
            "dfr": {
                "clock_s": {name: round(seconds, 2) for name, seconds in clock.items()},
                "processor_s": {name: round(seconds, 2) for name, seconds in processor.items()},
                "patient_s": round(patient_s, 2),
                "within_target": patient_s <= TARGET_S,
            }
        }
    )


if __name__ == "__main__":
    main()
