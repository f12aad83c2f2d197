"""``python -m lymphoma.segmentation.export``: the bundle of LAMP's lesion network, of a run or a hand-over."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import structlog

from lymphoma.segmentation.evaluated import Evaluation, read_evaluation
from lymphoma.segmentation.network import CT_RANGE_HU, SUV_MOST, LampNetwork, LampShape
from lymphoma.segmentation.open import SHAPE_WORD, SYSTEM, shape_to_json
from lymphoma.segmentation.reviewer import REVIEW_WORD, Reviewer
from lymphoma.segmentation.train import JUDGED
from lymphoma.training.bundle import Bundle
from lymphoma.training.metadata import TensorFormat
from lymphoma.training.network_bundle import NetworkWords, export_network, read_statistics
from lymphoma.training.statistics import RangeStatistics

__all__ = ["card_sentences", "export_lesion_network", "main"]

VERSION = "1.0.0"

TOLD = {"lamp": "the network alone", "hybrid": "candidates that the reviewer accepts"}
"""Methods of an evaluation that the card speaks of."""

log = structlog.get_logger()


def export_lesion_network(
    folder: Path,
    run: Path,
    statistics: RangeStatistics,
    review: str | None = None,
    figures: Evaluation | None = None,
    shape: LampShape | None = None,
) -> Bundle:
    """Writes the bundle.

    Args:
        folder: must not be there. run: whose last leg is over, or a hand-over. review: the reviewer's text; without it
            the network draws lesions and gives features, and judges no candidate. figures: of
            :mod:`lymphoma.segmentation.evaluate`, told on the card. shape: as it was trained.

    Raises:
        TrainingFailed, BundleRefused: with the code of the fault.
    """
    shape = shape or LampShape()
    further = {SHAPE_WORD: shape_to_json(shape)}
    if review is not None:
        Reviewer.from_json(review)  # refused now, not when the first study comes
        further[REVIEW_WORD] = review
    limits = () if figures is None else tuple(card_sentences(figures))
    return export_network(folder, LampNetwork(shape), run, _words(shape, further, limits), statistics)


def card_sentences(figures: Evaluation) -> Sequence[str]:
    """What the card says of how well lesions are found."""
    return [
        f"Lesions on {row.cohort}, {row.patients} patients, {TOLD[row.method]}: Dice {row.figures.dice.estimate:.2f}"
        + (
            f"; of what SUV >= 4 alone draws, {row.spared.removed.estimate:.0%} outside of lesions is removed and "
            f"{row.spared.kept.estimate:.0%} inside is kept."
            if row.spared is not None
            else "."
        )
        for row in figures.rows
        if row.method in TOLD
    ]


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; see ``--help``."""
    given = _parser().parse_args(arguments)
    review = given.review.read_text(encoding="utf-8") if given.review else None
    figures = read_evaluation(given.figures) if given.figures else None
    bundle = export_lesion_network(given.out, given.run, read_statistics(given.statistics), review, figures)
    log.info("bundle_written", name=bundle.metadata.name, digest=bundle.digest)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lymphoma.segmentation.export",
        description="Writes the bundle of the lesion network: weights in float16, range statistics, card.",
        epilog="Example: python -m lymphoma.segmentation.export --run runs/lamp --statistics scans.json --out bundle",
    )
    parser.add_argument("--run", type=Path, required=True, help="folder of a run whose leg is over, or a hand-over")
    parser.add_argument("--out", type=Path, required=True, help="folder of the bundle; must not be there")
    parser.add_argument("--statistics", type=Path, required=True, help="statistics of the training scans, JSON")
    parser.add_argument("--review", type=Path, help="the reviewer of candidates, JSON")
    parser.add_argument("--figures", type=Path, help="segmentation.json of an evaluation, told on the card")
    return parser


def _words(shape: LampShape, further: dict[str, str], limits: tuple[str, ...]) -> NetworkWords:
    window = tuple(shape.window)
    features = 2 * shape.last_single + shape.last_fused
    return NetworkWords(
        system=SYSTEM,
        name="lesion network",
        version=VERSION,
        task="Lesions of lymphoma on FDG PET/CT, and features for prognosis",
        description=(
            "The segmentation network of LAMP: one encoder for PET and CT, three decoders, and a weight map over their "
            f"answers, in cubes of {shape.edge_mm:g} mm. Widths {', '.join(map(str, shape.widths))}."
        ),
        inputs={
            "image": TensorFormat(
                "image",
                "z-score",
                2,
                window,
                "float32",
                (-2.0, 25.0),
                True,
                {"0": f"SUV, cut at {SUV_MOST:g}", "1": f"CT, {CT_RANGE_HU[0]:g} to {CT_RANGE_HU[1]:g} HU"},
            )
        },
        outputs={
            "pred": TensorFormat(
                "probabilities",
                "segmentation",
                2,
                window,
                "float32",
                (0.0, 1.0),
                True,
                {"0": "background", "1": "lesion"},
            ),
            "features": TensorFormat(
                "features",
                "last blocks",
                features,
                window,
                "float32",
                (),
                True,
                {"0-63": "fused", "64-95": "PET", "96-127": "CT"},
            ),
        },
        judged=JUDGED,
        intended_use=(
            "Judges candidates of a fixed SUV threshold and gives LAMP its features. At evidence level E0 it draws "
            "contours only where the settings ask for that."
        ),
        further=further,
        limits=limits,
    )


if __name__ == "__main__":
    raise SystemExit(main())
