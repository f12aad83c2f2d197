"""Segmenters on the real scans of :mod:`tests.e2e.test_process_sts`: a check, never a target.

The contours are not PET-defined, so no Dice has a pass mark: the figures are printed. What is asserted: they are those
of another computation; the third scan has no avid lesion; and the node rejects nothing that lies in the contour of the
first two.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import lymphoma
import numpy as np
import numpy.typing as npt
import pytest
from lymphoma.anatomy import Anatomy
from lymphoma.anatomy.shipped import open_anatomy
from lymphoma.imaging import Volume
from lymphoma.segmentation import Delineation, threshold_segmenter
from lymphoma.segmentation.agreement import LesionAgreement, agreement
from lymphoma.segmentation.candidates import find_candidates
from lymphoma.segmentation.methods import anatomy_digest, hybrid_method, lamp_method
from lymphoma.segmentation.open import SYSTEM
from lymphoma.segmentation.way import Delineated, Tools, delineate
from lymphoma.training.bundle import load_bundle
from nodal.cohort.images import read_images
from nodal.settings import Settings

from tests.e2e.test_process_sts import CASES, own_contour, own_suv

pytestmark = pytest.mark.e2e

RULES = ("suv4", "suv2.5", "percent41")
WITH_LESION = CASES[:2]
MIN_VOLUME_ML = 3.0

SHIPPED = Path(lymphoma.__file__).parent
LESION_BUNDLE, ANATOMY_BUNDLE = SHIPPED / "segmentation" / "bundle", SHIPPED / "anatomy" / "bundle"

KNOWN_DICE = {"STS_001": (0.26, 0.58, 0.45), "STS_002": (0.58, 0.50, 0.49), "STS_004": (0.00, 0.09, 0.17)}
"""Of all voxels of SUV >= 4, SUV >= 2.5 and 41 % of the hottest voxel in the contour, by other programs."""

Bools = npt.NDArray[np.bool_]


@cache
def scan(folder: Path) -> tuple[Volume, Volume, Bools]:
    """SUV, CT on its grid, and the contour."""
    images = read_images(folder, Settings())
    _, slices, _ = own_suv(folder / "PET/image")
    return images.suv, images.ct_hu, own_contour(folder / "PET/mask/RS.dcm", slices)


def own_dice(found: Bools, true: Bools) -> float:
    return float(2 * (found & true).sum() / (found.sum() + true.sum()))


def told(case: str, method: str, judged: LesionAgreement) -> None:
    dice = "-" if judged.dice is None else f"{judged.dice:.2f}"
    print(
        f"{case} {method}: Dice {dice}, FPV {judged.false_positive_ml:.1f} mL, FNV {judged.false_negative_ml:.1f} mL, "
        f"{judged.found} drawn, {judged.found_met} of them in the contour"
    )


@pytest.mark.parametrize("case", CASES)
def test_thresholds_beside_the_contour(case: str, real_data: Path) -> None:
    suv, ct_hu, contour = scan(real_data / "sts" / case)
    for rule in RULES:
        drawn = threshold_segmenter(rule, MIN_VOLUME_ML).segment(suv, ct_hu, Anatomy("none")).lesion_map.array > 0
        judged = agreement(drawn, contour, suv.voxel_volume_ml)
        told(case, rule, judged)
        assert judged.dice == pytest.approx(own_dice(drawn, contour))
        assert judged.true_ml == pytest.approx(contour.sum() * suv.voxel_volume_ml)
        assert (judged.false_positive_ml == 0.0) == (judged.found == judged.found_met)


@pytest.mark.parametrize("case", CASES)
def test_known_agreement_of_plain_thresholds(case: str, real_data: Path) -> None:
    suv, _, contour = scan(real_data / "sts" / case)
    thresholds = (4.0, 2.5, 0.41 * float(suv.array[contour].max()))
    found = [agreement(suv.array >= one, contour, suv.voxel_volume_ml).dice for one in thresholds]
    assert found == pytest.approx(list(KNOWN_DICE[case]), abs=0.006)  # the known ones have two digits


def test_the_third_scan_has_no_avid_lesion(real_data: Path) -> None:
    suv, ct_hu, _ = scan(real_data / "sts" / CASES[2])
    assert not threshold_segmenter("suv4", MIN_VOLUME_ML).segment(suv, ct_hu, Anatomy("none")).lesion_map.array.any()
    assert not find_candidates(suv, Anatomy("none"), MIN_VOLUME_ML).labels.array.any()


def reviewed(suv: Volume, ct_hu: Volume) -> tuple[Delineated, Delineation]:
    """As the node draws it, and as the reviewer would judge a scan that nobody had compared with those it knows."""
    organs = open_anatomy(ANATOMY_BUNDLE)
    reviewer = hybrid_method(LESION_BUNDLE, None, anatomy_digest(ANATOMY_BUNDLE), MIN_VOLUME_ML).segmenter
    done = delineate(suv, ct_hu, Tools(organs, reviewer, statistics=load_bundle(LESION_BUNDLE, {SYSTEM}).statistics))
    return done, reviewer.segment(suv, ct_hu, done.anatomy)


def rejected_inside(drawn: Delineation, contour: Bools) -> list[int]:
    """Candidates that were rejected though most of their volume lies in the contour."""
    if drawn.candidates is None:
        return []
    labels = drawn.candidates.array
    return [one.label for one in drawn.rejected if contour[labels == one.label].mean() > 0.5]


@pytest.mark.parametrize("case", WITH_LESION)
def test_nothing_inside_the_contour_is_rejected(case: str, real_data: Path) -> None:
    """20 cm about a tumour of the thigh, without liver, lungs or kidneys: the range check keeps the reviewer away."""
    suv, ct_hu, contour = scan(real_data / "sts" / case)
    done, unasked = reviewed(suv, ct_hu)
    told(case, "as the node draws it", agreement(done.delineation.lesion_map.array > 0, contour, suv.voxel_volume_ml))
    inside = rejected_inside(unasked, contour)
    print(f"{case} without the range check: {len(inside)} of {len(unasked.judged)} parts rejected inside the contour")
    assert done.verdict is not None
    assert done.verdict.range == "outside"
    assert rejected_inside(done.delineation, contour) == []
    assert contour[done.delineation.lesion_map.array > 0].mean() > 0.5


@pytest.mark.parametrize("case", CASES)
def test_the_network_beside_the_contour(case: str, real_data: Path) -> None:
    suv, ct_hu, contour = scan(real_data / "sts" / case)
    drawn = lamp_method(LESION_BUNDLE, MIN_VOLUME_ML).segmenter.segment(suv, ct_hu, Anatomy("none"))
    judged = agreement(drawn.lesion_map.array > 0, contour, suv.voxel_volume_ml)
    told(case, "network", judged)
    assert drawn.probability is not None
    assert np.isfinite(drawn.probability.array).all()
    assert judged.dice == pytest.approx(own_dice(drawn.lesion_map.array > 0, contour))


def test_the_third_scan_takes_the_way_without_a_lesion(real_data: Path) -> None:
    suv, ct_hu, _ = scan(real_data / "sts" / CASES[2])
    assert not any(one.lesion_map.array.any() for one in (reviewed(suv, ct_hu)[0].delineation, reviewed(suv, ct_hu)[1]))
