"""How the anatomy network is judged: counts, figures, resumption, and the command on a folder of studies."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from lymphoma.anatomy.classes import shipped_classes
from lymphoma.anatomy.evaluate import Truth, judge, main, network_key
from lymphoma.anatomy.figures import KeptPatients, Overlap, PatientResult, figures_of, overlaps, table_of
from lymphoma.anatomy.mapped_folder import MappedFolder
from lymphoma.anatomy.network import AnatomyShape, NetworkAnatomy, build_network
from lymphoma.anatomy.organs import Anatomy
from lymphoma.errors import NotComputable
from lymphoma.imaging.volume import Volume
from lymphoma.inference.device import Processor
from lymphoma.simulation.cohort import VirtualCohort
from lymphoma.simulation.protocol import Protocol
from lymphoma.training.case import Case, Subject
from lymphoma.training.result import save_weights

pytestmark = pytest.mark.unit

TABLE = shipped_classes()
VIRTUAL = VirtualCohort("few", range(70, 72), protocol=Protocol((12.0, 12.0, 12.0), 44, ct_on_pet_grid=True))


@dataclass(frozen=True)
class Few:
    """The same patients, each made once for all tests."""

    name: str = "few"
    virtual: bool = True
    subjects: Sequence[Subject] = tuple(VIRTUAL.subjects)

    def load(self, subject: Subject) -> Case:
        return made(subject)


@cache
def made(subject: Subject) -> Case:
    return VIRTUAL.load(subject)


COHORT = Few()


@dataclass(frozen=True, eq=False)
class Knowing(NetworkAnatomy):
    """Knows the true organs of one cohort where it is given a CT, and finds nothing without."""

    calls: list[bool] = None  # type: ignore[assignment]

    def find(self, suv: Volume, ct_hu: Volume) -> Anatomy:
        with_ct = bool((ct_hu.array > -900).any())
        self.calls.append(with_ct)
        for subject in COHORT.subjects:
            case = COHORT.load(subject)
            if with_ct and np.array_equal(case.suv.array, suv.array):
                return Anatomy("network", TABLE.of(case.anatomy).organs, TABLE.names)
        return Anatomy("network", suv.with_array(np.zeros(suv.array.shape, np.uint8)), TABLE.names)


def knowing() -> Knowing:
    return Knowing(torch.nn.Identity(), TABLE, AnatomyShape(), Processor(torch.device("cpu")), calls=[])


def test_who_knows_the_truth_is_right_and_who_sees_nothing_is_not(tmp_path: Path) -> None:
    engine, kept = knowing(), KeptPatients(tmp_path, "a")
    both, pet = judge(COHORT, engine, kept)
    assert (both.given, pet.given, both.patients) == ("PET and CT", "PET alone", 2)
    assert {"brain", "liver", "urinary_bladder", "rib"} <= set(both.organs)
    assert both.mean_dice == 1.0
    assert all(one.volume_error == 0.0 and one.missed == 0.0 for one in both.organs.values())
    assert pet.mean_dice == 0.0
    assert all(one.volume_error == -1.0 and one.missed == 1.0 for one in pet.organs.values())
    assert both.coverage.whole[0] == both.coverage.whole[1]
    assert both.coverage.partial[0] == both.coverage.partial[1]


def test_a_stopped_evaluation_goes_on(tmp_path: Path) -> None:
    first = knowing()
    figures = judge(COHORT, first, KeptPatients(tmp_path, "a"))
    again = knowing()
    assert judge(COHORT, again, KeptPatients(tmp_path, "a")) == figures
    assert (len(first.calls), len(again.calls)) == (4, 0)
    judge(COHORT, again, KeptPatients(tmp_path, "another network"))
    assert len(again.calls) == 4


def test_overlaps_leave_out_what_the_truth_does_not_say() -> None:
    found, true = np.array([17, 17, 17, 18, 0]), np.array([17, 17, 255, 0, 18], np.uint8)
    made = overlaps(found, true, TABLE, [0, 17], voxel_ml=2.0)
    assert made == {"liver": Overlap(4.0, 4.0, 4.0)}
    assert made["liver"].dice == 1.0
    assert np.isnan(Overlap(0.0, 0.0, 0.0).dice)


def a_result(common: float, found: float, true: float) -> PatientResult:
    return PatientResult({"liver": Overlap(common, found, true)}, "whole", "partial")


def test_figures_by_hand() -> None:
    """Dice 1, .5 and 0; a rim of .5 mL is no organ; one of the two without it is given one."""
    results = [
        a_result(100, 100, 100), a_result(50, 100, 100), a_result(0, 0, 100),
        a_result(0, 0, 0.5), a_result(0, 30, 0), a_result(0, 0, 0),
    ]  # fmt: skip
    figures = figures_of("some", "PET and CT", results)
    liver = figures.organs["liver"]
    assert (liver.patients, liver.dice, liver.missed, liver.volume_error) == (3, 0.5, pytest.approx(1 / 3), 0.0)
    assert liver.dice_low == pytest.approx(0.1)
    assert liver.invented == 0.5
    assert (figures.coverage.whole, figures.coverage.partial) == ((0, 0), (0, 6))
    assert "| liver | 3 | 0.50 | 0.10 | 33% | +0% (-80% to +0%) | 50% |" in table_of(figures)
    assert "in 0 of 6 partial ones" in table_of(figures)


def write_study(folder: Path, name: str, values: np.ndarray) -> None:
    (folder / name).mkdir(parents=True)
    affine = np.diag([16.0, 16.0, 16.0, 1.0])
    volumes = {"pet_suv": values, "ct_hu": values * 40.0, "organs": (values > 1).astype(np.uint8)}
    for word, array in volumes.items():
        Volume(array, affine).save(folder / name / f"{word}.nii.gz")


def test_the_command_on_a_folder_of_studies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cohort, run = tmp_path / "cohort", tmp_path / "run"
    values = np.zeros((24, 16, 16), np.float32)
    values[2:22, 3:13, 3:13], values[8:14, 5:9, 5:9] = 1.0, 3.0
    for name in ("one", "two"):
        write_study(cohort, name, values)
    (cohort / "organs.json").write_text(json.dumps({"1": "liver"}))
    torch.manual_seed(1)
    run.mkdir()
    save_weights(run, build_network(AnatomyShape(), len(TABLE)).state_dict(), {})
    arguments = ["--run", str(run), "--cohort", str(cohort), "--out", str(tmp_path / "out"), "--patients", "1"]
    assert main(arguments) == 0
    assert "### cohort, PET and CT, 1 patients" in capsys.readouterr().out
    figures = json.loads((tmp_path / "out" / "anatomy.json").read_text())
    assert [one["given"] for one in figures] == ["PET and CT", "PET alone"]
    assert list(figures[0]["organs"]) == ["liver"]


def test_a_folder_without_studies_or_names_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotComputable, match="holds no study"):
        _ = MappedFolder(tmp_path, 3).subjects
    write_study(tmp_path, "one", np.ones((4, 4, 4), np.float32))
    cohort = MappedFolder(tmp_path, 3)
    with pytest.raises(NotComputable, match=r"no organs\.json"):
        cohort.load(cohort.subjects[0])


def test_names_of_another_map_are_translated() -> None:
    case = COHORT.load(COHORT.subjects[0])
    truth = Truth({"brain": "skull"}).of(case, knowing())
    assert "brain" not in truth.names.values()
    assert list(truth.names.values()).count("skull") == 2


def test_networks_differ_by_their_weights() -> None:
    def engine(seed: int) -> NetworkAnatomy:
        torch.manual_seed(seed)
        return NetworkAnatomy(torch.nn.Linear(3, 2), TABLE, AnatomyShape(), Processor(torch.device("cpu")))

    assert network_key(engine(1)) == network_key(engine(1)) != network_key(engine(2))
