"""``nodal simulate`` without its command line."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import numpy as np
import pytest
from lymphoma.imaging.volume import Volume
from lymphoma.simulation import Protocol
from lymphoma.simulation.feature_table import FeatureTable
from lymphoma.simulation.sets import SETS
from nodal.cohort.check import check_cohort
from nodal.errors import WrongUsage
from nodal.settings import Settings
from nodal.simulate import Images, Mechanism, Order, order_of_set, simulate

pytestmark = pytest.mark.unit

TINY = Protocol(pet_spacing_mm=(8, 8, 20), pet_matrix=84, ct_spacing_mm=(8, 8, 20), ct_matrix=84)


def _order(out: Path, images: Images, seeds: range = range(40, 42), **further: object) -> Order:
    return Order(seeds, out, images=images, protocol=TINY, lesions=4, **further)  # type: ignore[arg-type]


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("images", ["dicom", "nifti"])
def test_a_cohort_that_the_product_can_use(tmp_path: Path, images: Images) -> None:
    seen: list[tuple[int, int]] = []
    out = tmp_path / "made" / "here"
    made = simulate(_order(out, images), progress=lambda done, of: seen.append((done, of)))
    assert [patient.seed for patient in made] == [40, 41]
    assert seen == [(0, 2), (1, 2), (2, 2)]
    report = check_cohort(out, Settings())
    assert [patient.patient_id for patient in report.patients] == ["NODAL-V-40", "NODAL-V-41"]
    for patient in report.patients:
        assert set(patient.uses) == {"segmentation", "pfs", "os"}, [str(fault) for fault in patient.faults]
    truth = {row["patient_id"]: row for row in _rows(out / "truth.csv")}
    assert [truth[patient.patient_id]["mode"] for patient in made] == ["mixed", "mixed"]
    features = FeatureTable.load(out / "truth.npz")
    volumes = [Volume.load(patient.reference) for patient in made]
    for true_ml, volume in zip(features.tmtv_ml, volumes, strict=True):
        assert true_ml == pytest.approx((volume.array > 0).sum() * volume.voxel_volume_ml, rel=1e-5)
    # what the clinic sees does not hold the truth
    assert not {"eta", "mode", "sigma"} & set(_rows(out / "cohort.csv")[0])


def test_same_order_same_bytes_however_many_processes(tmp_path: Path) -> None:
    one, two = tmp_path / "one" / "cohort", tmp_path / "two" / "cohort"
    for images, seeds in (("nifti", range(40, 42)), ("none", range(1, 1101))):
        for out, workers in ((one, 1), (two, 2)):
            simulate(Order(seeds, out / images, images=images, protocol=TINY), workers=workers)
    assert _digests(one) == _digests(two)
    assert len(_digests(one)) == 22


def test_a_redraw_changes_times_and_nothing_else(tmp_path: Path) -> None:
    seeds = range(1, 61)
    for draw in (0, 1):
        simulate(Order(seeds, tmp_path / str(draw), images="none", mechanism=Mechanism("worst_lesion", 1.0, draw)))
    first, second = (_rows(tmp_path / name / "cohort.csv") for name in "01")
    assert [row["ldh_ratio"] for row in first] == [row["ldh_ratio"] for row in second]
    assert sum(a["pfs_months"] == b["pfs_months"] for a, b in zip(first, second, strict=True)) < 5
    truths = [[row["eta"] for row in _rows(tmp_path / name / "truth.csv")] for name in "01"]
    assert truths[0] == truths[1]
    assert np.std(np.array(truths[0], dtype=float)) > 0.5
    table = FeatureTable.load(tmp_path / "0" / "features.npz")
    assert len(table) == len(seeds)
    assert table.patient_ids[0] == "NODAL-V-1"


def test_sets_share_no_seed() -> None:
    seeds = [seed for one in SETS.values() for seed in one.seeds]
    assert len(seeds) == len(set(seeds))
    order = order_of_set("l2-test", Path("somewhere"), Mechanism())
    assert (order.images, order.variety, len(order.seeds)) == ("nifti", "hospital", 120)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Order(range(1, 1), Path("out")),
        lambda: Order(range(-1, 1), Path("out")),
        lambda: Order(range(1, 2), Path("out"), lesions=-2),
        lambda: Order(range(1, 2), Path("out"), variety="messy"),
        lambda: Order(range(1, 2), Path("out"), images="none", lesions=3),
        lambda: Mechanism("astrology"),
        lambda: order_of_set("l9", Path("out"), Mechanism()),
    ],
)
def test_nonsense_is_refused(wrong: object) -> None:
    with pytest.raises(WrongUsage):
        wrong()  # type: ignore[operator]
