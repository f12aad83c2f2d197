"""``python -m lymphoma.anatomy.export``: the bundle of the anatomy network, of a run or a hand-over.

The bundle's statistics are log volumes of large organs as the network finds them in the validation patients: where the
liver has 200 mL, the scan was not understood.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import structlog
import torch
from pydantic import TypeAdapter

from lymphoma.anatomy.figures import AnatomyFigures
from lymphoma.anatomy.network import AnatomyShape, NetworkAnatomy, build_network
from lymphoma.anatomy.organs import Anatomy, AnatomyEngine
from lymphoma.anatomy.prior import PRIOR_SHARE, class_shift, give_back
from lymphoma.anatomy.shipped import SYSTEM, open_anatomy
from lymphoma.anatomy.task import AnatomyTask
from lymphoma.anatomy.train import JUDGED
from lymphoma.training.bundle import Bundle
from lymphoma.training.command import NetworkPatients, network_patients
from lymphoma.training.metadata import TensorFormat
from lymphoma.training.network_bundle import Finish, NetworkWords, export_network
from lymphoma.training.statistics import RangeStatistics, fit_statistics

__all__ = ["LARGE_ORGANS", "card_sentences", "export_anatomy", "finished", "log_volumes", "main", "volume_statistics"]

VERSION = "1.0.0"

LARGE_ORGANS = (
    "brain", "lung_left", "lung_right", "heart", "liver", "spleen", "kidney_left", "kidney_right", "skeletal_muscle",
)  # fmt: skip
"""Organs that everybody has and that the network finds well; bladder and bowel change by the hour."""

LEAST_ML = 1.0
"""Stands for an organ that is not found, so that it has a logarithm."""

POOR_DICE = 0.5
"""Organs below it are named on the card."""

COUNTED = 40
"""Training patients whose voxels are counted: the frequencies of organs are those of bodies, which differ little."""

GIVEN_BACK = (
    f"{PRIOR_SHARE:.0%} of the organs' frequency, which the training's weights took, was given back as a shift of the "
    "last layer; figures of the training are with it."
)

log = structlog.get_logger()


def log_volumes(anatomy: Anatomy) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Natural logarithm of the volume in mL of each of :data:`LARGE_ORGANS`, 0 for less than 1 mL.

    Raises:
        NotComputable: NO_ANATOMY, the map cannot tell one of them.
    """
    volumes = [anatomy.mask(name).sum() * anatomy.require(name).voxel_volume_ml for name in LARGE_ORGANS]
    return np.log(np.maximum(np.array(volumes, dtype=np.float64), LEAST_ML))


def volume_statistics(engine: AnatomyEngine, patients: NetworkPatients) -> RangeStatistics:
    """Of the organs as found in the validation patients.

    Raises:
        BundleRefused: STATISTICS_UNFIT, an organ is found in nobody.
    """
    rows = []
    for done, subject in enumerate(patients.validation, start=1):
        case = patients.read(subject)
        rows.append(log_volumes(engine.find(case.suv, case.ct_hu)))
        log.info("patient_measured", done=done, of=len(patients.validation))
    return fit_statistics([f"log_volume_{name}" for name in LARGE_ORGANS], np.array(rows))


def finished(run: Path, patients: NetworkPatients) -> tuple[NetworkAnatomy, Finish]:
    """The network with the frequency of organs given back (:mod:`lymphoma.anatomy.prior`), judged on the validation
    patients of the training."""
    engine = open_anatomy(run)
    task = AnatomyTask(patients.training, patients.validation[:JUDGED], patients.read, engine.classes)
    labels = (task.truth(patients.read(subject)) for subject in patients.training[:COUNTED])
    give_back(engine.network, class_shift(labels, len(engine.classes)))
    metrics = task.validate(engine.network, engine.processor.device)
    log.info("network_finished", dice=round(metrics["dice"], 3))
    return engine, Finish(engine.network.state_dict(), metrics)


def export_anatomy(
    folder: Path,
    run: Path,
    statistics: RangeStatistics,
    figures: Sequence[AnatomyFigures] = (),
    finish: Finish | None = None,
) -> Bundle:
    """Writes the bundle.

    Args:
        folder: must not be there. run: whose last leg is over, or a hand-over. figures: of
            :mod:`lymphoma.anatomy.evaluate`, told on the card. finish: of :func:`finished`.

    Raises:
        TrainingFailed, BundleRefused: with the code of the fault.
    """
    engine = open_anatomy(run)
    network = build_network(engine.shape, len(engine.classes))
    said = [GIVEN_BACK] if finish is not None else []
    words = _words(engine, (*said, *card_sentences(figures)))
    return export_network(folder, network, run, words, statistics, finish)


def card_sentences(figures: Sequence[AnatomyFigures]) -> list[str]:
    """What the card says of how well organs are found."""
    said = []
    for one in figures:
        poor = [name.replace("_", " ") for name, organ in one.organs.items() if organ.dice < POOR_DICE]
        weak = f"; below {POOR_DICE:g}: {', '.join(poor)}" if poor else ""
        said.append(
            f"Organs on {one.cohort}, {one.given}, {one.patients} patients: mean of the organs' median Dice "
            f"{one.mean_dice:.2f}{weak}."
        )
    return said


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; see ``--help``."""
    given = _parser().parse_args(arguments)
    torch.set_num_threads(given.threads)
    figures = TypeAdapter(list[AnatomyFigures]).validate_json(given.figures.read_bytes()) if given.figures else []
    patients = network_patients(AnatomyShape().edge_mm, given.cache)
    engine, finish = finished(given.run, patients)
    bundle = export_anatomy(given.out, given.run, volume_statistics(engine, patients), figures, finish)
    log.info("bundle_written", name=bundle.metadata.name, digest=bundle.digest)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lymphoma.anatomy.export",
        description="Writes the bundle of the anatomy network: weights in float16, volume statistics, card.",
        epilog="Example: python -m lymphoma.anatomy.export --run runs/organs --cache cache --out bundle",
    )
    parser.add_argument("--run", type=Path, required=True, help="folder of a run whose leg is over, or a hand-over")
    parser.add_argument("--cache", type=Path, required=True, help="folder of prepared patients; made if missing")
    parser.add_argument("--out", type=Path, required=True, help="folder of the bundle; must not be there")
    parser.add_argument("--figures", type=Path, help="anatomy.json of an evaluation, told on the card")
    parser.add_argument("--threads", type=int, default=1, help="of torch (default 1)")
    return parser


def _words(engine: NetworkAnatomy, limits: tuple[str, ...]) -> NetworkWords:
    shape = engine.shape
    names = {"0": "background", **{str(label): name for label, name in engine.classes.names.items()}}
    return NetworkWords(
        system=SYSTEM,
        name="anatomy network",
        version=VERSION,
        task="Organs on FDG PET/CT",
        description=(
            f"A U-Net that tells {len(engine.classes) - 1} organs on PET and CT in cubes of {shape.edge_mm:g} mm. "
            f"Widths {', '.join(map(str, shape.widths))}."
        ),
        inputs={
            "image": TensorFormat(
                "image",
                "scaled",
                2,
                tuple(shape.window),
                "float32",
                (0.0, 5.0),
                True,
                {"0": "log(1 + SUV)", "1": "asinh of CT around soft tissue, 0 in air and without a CT"},
            )
        },
        outputs={
            "pred": TensorFormat(
                "probabilities",
                "segmentation",
                len(engine.classes),
                tuple(shape.window),
                "float32",
                (0.0, 1.0),
                True,
                names,
            )
        },
        judged=JUDGED,
        intended_use=(
            "Tells physiological uptake from lesions, grades the field of view, and names the organ or station of a "
            "lesion. It is no measurement of an organ."
        ),
        limits=limits,
    )


if __name__ == "__main__":
    raise SystemExit(main())
