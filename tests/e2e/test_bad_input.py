"""Studies that cannot be used, each with its code and a sentence; and the unusual ones that can."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from lymphoma.imaging import Volume
from nodal.dicom.series import load_pet, read_study
from nodal.dicom.write import WrittenStudy
from nodal.errors import Code, Refused
from nodal.findings import Findings
from nodal.jobs.process import process_folder
from nodal.settings import Settings
from pydicom import Dataset, dcmread
from pydicom.uid import generate_uid

from tests.validators import dciodvfy_errors
from tests.virtual import edit_files

pytestmark = pytest.mark.e2e


@dataclass(frozen=True)
class Spoilt:
    """A copy of the virtual study that a test may spoil."""

    dicom: Path
    pet: tuple[Path, ...]
    ct: tuple[Path, ...]


@pytest.fixture
def study(virtual_study: WrittenStudy, tmp_path: Path) -> Spoilt:
    shutil.copytree(virtual_study.dicom, tmp_path / "dicom")
    moved = [
        tuple(tmp_path / "dicom" / path.relative_to(virtual_study.dicom) for path in paths)
        for paths in (virtual_study.pet, virtual_study.ct)
    ]
    return Spoilt(tmp_path / "dicom", *moved)


def no_weight(study: Spoilt) -> None:
    edit_files(study.pet, {"PatientWeight": None})


def no_dose(study: Spoilt) -> None:
    def without(dataset: Dataset) -> None:
        del dataset.RadiopharmaceuticalInformationSequence[0].RadionuclideTotalDose

    edit_files(study.pet, without)


def not_attenuation_corrected(study: Spoilt) -> None:
    edit_files(study.pet, {"CorrectedImage": ["DECY", "RADL", "SCAT"], "SeriesDescription": "WB NAC"})


def no_ct(study: Spoilt) -> None:
    for path in study.ct:
        path.unlink()


def ct_of_another_frame(study: Spoilt) -> None:
    edit_files(study.ct, {"FrameOfReferenceUID": generate_uid()})


def missing_slice(study: Spoilt) -> None:
    study.pet[len(study.pet) // 2].unlink()


def mixed_series(study: Spoilt) -> None:
    edit_files(study.pet[: len(study.pet) // 2], {"PatientWeight": "71.5"})


def truncated_file(study: Spoilt) -> None:
    middle = study.pet[len(study.pet) // 2]
    middle.write_bytes(middle.read_bytes()[:-4000])


def truncated_end_slice(study: Spoilt) -> None:
    edit_files(study.pet, {"NumberOfSlices": None})
    study.pet[-1].write_bytes(study.pet[-1].read_bytes()[:-4000])


def not_dicom(study: Spoilt) -> None:
    for path in (*study.pet, *study.ct):
        path.write_text("no image here")


BAD: list[tuple[Callable[[Spoilt], None], set[Code]]] = [
    (no_weight, {Code.SUV_MISSING_WEIGHT}),
    (no_dose, {Code.SUV_MISSING_DOSE}),
    (not_attenuation_corrected, {Code.PET_NOT_CORRECTED}),
    (no_ct, {Code.NO_CT}),
    (ct_of_another_frame, {Code.CT_OTHER_FRAME}),
    (missing_slice, {Code.MISSING_SLICE}),
    (mixed_series, {Code.MIXED_SERIES}),
    (truncated_file, {Code.TRUNCATED_FILE}),
    (truncated_end_slice, {Code.TRUNCATED_FILE}),
    (not_dicom, {Code.EMPTY_STUDY, Code.NOT_DICOM}),
]


@pytest.mark.parametrize(("spoil", "codes"), BAD, ids=[spoil.__name__ for spoil, _ in BAD])
def test_is_refused_with_its_code_and_a_sentence(
    spoil: Callable[[Spoilt], None], codes: set[Code], study: Spoilt, tmp_path: Path
) -> None:
    spoil(study)
    with pytest.raises(Refused) as refused:
        process_folder(study.dicom, tmp_path / "out", Settings())
    assert refused.value.code in codes
    assert len(refused.value.message.split()) >= 4, "a sentence for a person"
    assert not list((tmp_path / "out").glob("*.dcm")), "nothing is written that could be sent"
    print(f"{spoil.__name__}: {refused.value}")


def test_the_command_line_exits_3_and_says_it_in_json(study: Spoilt, tmp_path: Path) -> None:
    no_weight(study)
    nodal = Path(sys.executable).with_name("nodal")
    command = [str(nodal), "process", str(study.dicom), "--out", str(tmp_path / "out"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 3
    refused = json.loads(done.stdout)["refused"]
    assert refused["code"] == "SUV_MISSING_WEIGHT"
    assert refused["message"]


def assert_whole_set(out: Path, findings: Findings) -> None:
    names = ["sr.dcm", "report.dcm", "summary.dcm", *(["seg.dcm"] if findings.lesions else [])]
    assert {path.name for path in out.glob("*.dcm")} == set(names)
    assert {name: dciodvfy_errors(out / name) for name in names} == {name: [] for name in names}


def test_zero_lesions(study: Spoilt, tmp_path: Path) -> None:
    def faint(dataset: Dataset) -> None:
        dataset.RescaleSlope = f"{float(dataset.RescaleSlope) / 20:.10g}"

    edit_files(study.pet, faint)
    # so faint that no network would find the brain in it, and the field of view would count as partial
    findings = process_folder(study.dicom, tmp_path / "out", Settings(anatomy={"engine": "none"}))
    assert (findings.lesions, findings.totals.tmtv_ml, findings.totals.suv_max) == ((), 0.0, None)
    assert {n.code for n in findings.not_computed if n.item.startswith("systems.")} == {"NO_AVID_LESION"}
    assert_whole_set(tmp_path / "out", findings)


def test_sixty_lesions(study: Spoilt, tmp_path: Path) -> None:
    (pet,) = (series for series in read_study(study.dicom).series if series.modality == "PT")
    suv = load_pet(pet, assume_bw=False).volume
    mask = np.zeros(suv.array.shape, np.uint8)
    for number in range(60):
        k, column = 20 + 10 * (number // 6), 35 + 7 * (number % 6)
        mask[k : k + 3, 50:53, column : column + 3] = 1
    Volume(mask, suv.affine).save(tmp_path / "contour.nii.gz")
    out = tmp_path / "out"
    findings = process_folder(study.dicom, out, Settings(), reference=tmp_path / "contour.nii.gz")
    assert findings.totals.lesion_count == len(dcmread(out / "seg.dcm").SegmentSequence) == 60
    assert_whole_set(out, findings)


def test_partial_field_of_view(study: Spoilt, tmp_path: Path) -> None:
    heights = {path: float(dcmread(path, stop_before_pixels=True).ImagePositionPatient[2]) for path in study.pet}
    lowest = sorted(study.pet, key=heights.__getitem__)
    for path in lowest[70:]:
        path.unlink()
    edit_files(tuple(lowest[:70]), {"NumberOfSlices": 70})
    out = tmp_path / "out"
    findings = process_folder(study.dicom, out, Settings())
    assert findings.totals.field_of_view == "partial"
    assert (findings.totals.dmax_mm, findings.quality.brain_covered) == (None, False)
    partial = {n.item for n in findings.not_computed if n.code == "FOV_PARTIAL"}
    assert {"totals.dmax_mm", "totals.sdmax_per_m", "systems.lamp"} <= partial
    assert "limited field of view" in dcmread(out / "seg.dcm").SeriesDescription
    assert_whole_set(out, findings)
