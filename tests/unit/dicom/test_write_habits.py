"""Virtual studies with the habits of each maker: valid, marked, and the same SUV by the node's own rules."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pydicom
import pytest
from lymphoma.simulation import HOSPITAL, Protocol, VirtualPatient, build_patient, draw_patient
from lymphoma.simulation.vendors import SCANNERS
from nodal.dicom.folder import read_study
from nodal.dicom.series import load_ct, load_pet
from nodal.dicom.write import WrittenStudy, write_study
from nodal.dicom.write_habits import Habit, habit_of
from nodal.intake.selection import select
from nodal.settings import Settings

from tests.validators import dciodvfy_errors

pytestmark = pytest.mark.unit

TINY = Protocol(pet_spacing_mm=(8, 8, 32), pet_matrix=60, ct_spacing_mm=(8, 8, 32), ct_matrix=60, axial_extent_mm=320)
START = "BQML START (Series Date and Time)"
GE = "BQML START (GE private scan time)"
ACTIVITY = "CNTS Philips activity factor, START (Series Date and Time)"
# One seed for each variant that a maker's exports come in (see habit_of), and the rule that leads to SUV.
CASES = [
    ("biograph", 0, START),
    ("biograph", 1, START),
    ("biograph", 4, START),
    ("vision", 5, START),
    ("discovery", 0, GE),
    ("discovery", 1, GE),
    ("discovery", 5, GE),
    ("ingenuity", 0, START),
    ("ingenuity", 1, ACTIVITY),
    ("ingenuity", 5, "CNTS Philips SUV factor"),
    ("umi", 0, START),
    ("umi", 1, "GML BW"),
    ("umi", 6, START),
]


@cache
def _patient(scanner: str, seed: int) -> VirtualPatient:
    plan = draw_patient(seed, lesions=0, variety=HOSPITAL)
    return build_patient(replace(plan, scan=replace(plan.scan, scanner=scanner)), TINY)


def _pet(study: WrittenStudy):  # type: ignore[no-untyped-def]
    found = next(s for s in read_study(study.dicom).series if s.series_instance_uid == study.pet_series_instance_uid)
    return load_pet(found, assume_bw=False)


@pytest.mark.parametrize(("scanner", "seed", "method"), CASES)
def test_every_maker_reads_back_as_the_simulated_suv(tmp_path: Path, scanner: str, seed: int, method: str) -> None:
    patient = _patient(scanner, seed)
    study = write_study(patient, tmp_path)
    loaded = _pet(study)
    assert (loaded.conversion.method, loaded.conversion.warnings) == (method, ())
    truth = patient.pet_suv.array
    assert loaded.volume.same_grid(patient.pet_suv)
    # half a step of 15 bits of the hottest voxel of the series
    assert np.abs(loaded.volume.array - truth).max() <= 0.51 * truth.max() / 32766 + 1e-5
    body = truth > 0.3
    # the aim set for the generator; what is left is the rounding of the stored values
    assert np.abs(loaded.volume.array[body] / truth[body] - 1).mean() < 0.005
    assert loaded.conversion.uptake_minutes == pytest.approx(patient.plan.scan.uptake_minutes, abs=0.02)
    for path in (study.pet[0], study.ct[0]):
        assert dciodvfy_errors(path) == []
    header = pydicom.dcmread(study.pet[0], stop_before_pixels=True)
    # a maker's habits, never a maker's name alone
    assert header.Manufacturer.endswith("habits (Nodal simulation)")
    assert header.QualityControlSubject == "YES"


def test_the_cases_are_all_that_makers_write() -> None:
    habits = [habit_of(_patient(scanner, seed).plan) for scanner, seed, _ in CASES]
    assert {habit.manufacturer.split(" ")[0] for habit in habits} == {"SIEMENS", "GE", "PHILIPS", "UIH"}
    assert {habit.units for habit in habits} == {"BQML", "CNTS", "GML"}
    assert {habit.injection for habit in habits} == {"both", "datetime", "time"}
    assert {habit.restamped for habit in habits} == {True, False}
    assert {habit.per_slice_slope for habit in habits} == {True, False}
    assert {habit.factors for habit in habits} == {(), ("activity",), ("suv", "activity")}
    assert len({habit.half_life_s for habit in habits}) > 1


def test_ge_without_its_private_time_is_read_by_the_frames(tmp_path: Path) -> None:
    """Series Time of a later reconstruction, GE's frame times running to the start of each frame."""
    patient = _patient("discovery", 1)
    assert habit_of(patient.plan).restamped
    study = write_study(patient, tmp_path)
    for path in study.pet:
        header = pydicom.dcmread(path)
        del header[0x0009, 0x0010]
        del header[0x0009, 0x100D]
        header.save_as(path)
    conversion = _pet(study).conversion
    assert conversion.method == "BQML START (acquisition start less Frame Reference Time)"
    # whole seconds in the header's times
    assert conversion.uptake_minutes == pytest.approx(patient.plan.scan.uptake_minutes, abs=0.03)


@pytest.mark.parametrize("scanner", ["biograph", "discovery"])
def test_beds_follow_each_other(tmp_path: Path, scanner: str) -> None:
    study = write_study(_patient(scanner, 0), tmp_path)
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in study.pet]
    times = [header.AcquisitionTime for header in headers]
    assert len(set(times)) > 2
    # files are head first; this maker's scan begins at the thighs, the other's at the head
    assert times == sorted(times, reverse=SCANNERS[scanner].feet_first)
    if not habit_of(_patient(scanner, 0).plan).restamped:
        assert min(times) == headers[0].SeriesTime


def test_further_series_are_passed_over(tmp_path: Path) -> None:
    patient = _patient("biograph", 0)
    study = write_study(patient, tmp_path, extras=True)
    assert {path.name for path in study.dicom.iterdir()} == {"PT", "CT", "NAC", "CTLUNG", "SCOUT"}
    for folder in ("NAC", "CTLUNG", "SCOUT"):
        assert dciodvfy_errors(min((study.dicom / folder).iterdir())) == []
    found = read_study(study.dicom)
    assert len(found.series) == 5
    selection = select(found, settings=Settings())
    assert selection.pet.series_instance_uid == study.pet_series_instance_uid
    assert selection.ct.series_instance_uid == study.ct_series_instance_uid
    assert selection.virtual
    (sharp,) = (s for s in found.series if s.headers[0].get("ConvolutionKernel") == "B70f")
    assert load_ct(sharp).volume.array.std() > patient.ct_hu.array.std()
    # written again without them, none of them stays behind
    again = write_study(patient, tmp_path)
    assert {path.name for path in again.dicom.iterdir()} == {"PT", "CT"}


def test_habits_are_the_seeds(tmp_path: Path) -> None:
    plan = _patient("ingenuity", 0).plan
    assert habit_of(plan) == habit_of(plan)
    assert isinstance(habit_of(plan), Habit)
    assert habit_of(plan, per_slice_slope=False).per_slice_slope is False
    assert habit_of(draw_patient(3)).manufacturer == "Nodal simulation"
