"""SR: the numbers where programs look for them, the places where viewers look for them."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from nodal.findings import NotComputed
from nodal.report.inputs import ReportInputs, ResultObject, Target
from nodal.report.seg import build_seg
from nodal.report.sr import build_sr
from nodal.report.uids import series_uid
from nodal.settings import Profile
from pydicom import Dataset, dcmread
from pydicom.uid import Comprehensive3DSRStorage, ComprehensiveSRStorage

from tests.unit.report.sample import enhanced, sample_inputs, with_findings

pytestmark = pytest.mark.unit

OWN = Target(Profile(), "measurements")


def made(inputs: ReportInputs, target: Target = OWN) -> ResultObject:
    result = build_sr(inputs, target, build_seg(inputs, target))
    assert result is not None
    return result


def read(result: ResultObject) -> Dataset:
    return dcmread(io.BytesIO(result.data))


def name(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeValue)


def children(item: Dataset, concept: str) -> list[Dataset]:
    return [child for child in item.get("ContentSequence", ()) if name(child) == concept]


def groups(dataset: Dataset) -> list[Dataset]:
    return children(children(dataset, "126010")[0], "125007")


def template(group: Dataset) -> str:
    return str(group.ContentTemplateSequence[0].TemplateIdentifier)


def numbers(group: Dataset) -> dict[tuple[str, str | None], tuple[float, str]]:
    """(concept, derivation) -> (value, unit)."""
    found = {}
    for item in group.ContentSequence:
        if item.ValueType == "NUM":
            derivations = children(item, "121401")
            derivation = derivations[0].ConceptCodeSequence[0].CodeValue if derivations else None
            value = item.MeasuredValueSequence[0]
            found[name(item), derivation] = (
                float(value.NumericValue),
                str(value.MeasurementUnitsCodeSequence[0].CodeValue),
            )
    return found


def statements(dataset: Dataset) -> dict[str, list[str]]:
    said: dict[str, list[str]] = {}
    for item in children(dataset, "C0034375")[0].ContentSequence:
        said.setdefault(name(item), []).append(item.TextValue)
    return said


def test_every_lesion_has_two_groups_with_one_identity() -> None:
    inputs = sample_inputs(3)
    found = groups(read(made(inputs)))
    assert [template(group) for group in found] == ["1501", "1410"] + ["1411", "1410"] * 3
    for lesion, measured, drawn in zip(inputs.findings.lesions, found[2::2], found[3::2], strict=True):
        for group in (measured, drawn):
            assert children(group, "112039")[0].TextValue == f"Lesion {lesion.number}"
            assert lesion.tracking_uid == children(group, "112040")[0].UID
        assert not [item for item in drawn.ContentSequence if item.ValueType == "NUM"]
        assert not [item for item in measured.ContentSequence if item.ValueType == "SCOORD"]


def test_the_numbers_of_a_lesion_with_units_suvmax_first() -> None:
    inputs = sample_inputs(2)
    lesion, group = inputs.findings.lesions[1], groups(read(made(inputs)))[4]
    found = numbers(group)
    assert next(iter(found)) == ("126401", "56851009")
    # Decimal strings hold 14 significant digits.
    assert found == {
        ("126401", "56851009"): (pytest.approx(lesion.suv_max, rel=1e-12), "g/ml{SUVbw}"),
        ("126401", "126031"): (pytest.approx(lesion.suv_peak, rel=1e-12), "g/ml{SUVbw}"),
        ("126401", "373098007"): (pytest.approx(lesion.suv_mean, rel=1e-12), "g/ml{SUVbw}"),
        ("126032", None): (pytest.approx(lesion.volume_ml, rel=1e-12), "ml"),
        ("126033", None): (pytest.approx(lesion.tlg_g, rel=1e-12), "g"),
        ("81827009", "56851009"): (pytest.approx(lesion.longest_diameter_mm, rel=1e-12), "mm"),
    }


def test_the_numbers_of_the_patient() -> None:
    inputs = sample_inputs(3)
    totals, found = inputs.findings.totals, numbers(groups(read(made(inputs)))[0])
    assert found["126032", "255619001"] == (pytest.approx(totals.tmtv_ml, rel=1e-12), "ml")
    assert found["126033", "255619001"] == (pytest.approx(totals.tlg_g, rel=1e-12), "g")
    assert found["246206008", None] == (3.0, "1")
    assert found["DMAX", None] == (612.4, "mm")
    assert found["SDMAX", None] == (pytest.approx(0.6124 / 1.75), "/m")
    assert found["DMAXBULK", None] == (612.4, "mm")
    assert found["UPTAKETIME", None] == (60.0, "min")
    assert ("TMTVLOW", None) not in found


def test_a_doubtful_volume_is_given_as_a_range() -> None:
    inputs = sample_inputs(2)
    inputs = with_findings(inputs, totals=replace(inputs.findings.totals, tmtv_range_ml=(10.0, 14.5)))
    found = numbers(groups(read(made(inputs)))[0])
    assert (found["TMTVLOW", None][0], found["TMTVHIGH", None][0]) == (10.0, 14.5)


def test_the_segment_is_the_segs_own() -> None:
    inputs = sample_inputs(2)
    seg = build_seg(inputs, OWN)
    assert seg is not None
    dataset = read(made(inputs))
    for lesion, group in zip(inputs.findings.lesions, groups(dataset)[2::2], strict=True):
        reference = children(group, "121191")[0].ReferencedSOPSequence[0]
        assert reference.ReferencedSOPInstanceUID == seg.sop_instance_uid
        assert reference.ReferencedSegmentNumber == lesion.segment_number
        assert inputs.findings.pet_series_instance_uid == children(group, "121232")[0].UID


def test_the_rectangle_encloses_the_lesion_on_its_hottest_slice() -> None:
    inputs = sample_inputs(4)
    places = {header.SOPInstanceUID: k for k, header in enumerate(inputs.pet_headers)}
    for lesion, group in zip(inputs.findings.lesions, groups(read(made(inputs)))[3::2], strict=True):
        region = children(group, "111030")[0]
        assert region.GraphicType == "POLYLINE"
        points = np.array(region.GraphicData).reshape(-1, 2)
        assert np.array_equal(points[0], points[-1])
        assert len(points) == 5
        k = places[region.ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID]
        assert k == round(inputs.suv.index_kji(lesion.hottest_mm)[0])
        rows, columns = np.nonzero(inputs.lesion_map.array[k] == lesion.number)
        # Pixel edges: the first pixel's outer corner is 0, its far corner 1 (PS3.3 C.18.6.1.2).
        assert points.min(axis=0).tolist() == [columns.min(), rows.min()]
        assert points.max(axis=0).tolist() == [columns.max() + 1, rows.max() + 1]
        label = children(group, "121106")[0].TextValue
        assert label.startswith(f"Lesion {lesion.number}: SUVmax {lesion.suv_max:.1f}, MTV {lesion.volume_ml:.1f} mL")


def test_the_patients_point_is_the_hottest_voxel_of_all() -> None:
    inputs = sample_inputs(3)
    region = children(groups(read(made(inputs)))[1], "111030")[0]
    masked = np.where(inputs.lesion_map.array > 0, inputs.suv.array, -1)
    k, j, i = np.unravel_index(int(masked.argmax()), masked.shape)
    assert region.GraphicType == "POINT"
    assert list(region.GraphicData) == [i + 0.5, j + 0.5]
    reference = region.ContentSequence[0].ReferencedSOPSequence[0]
    assert reference.ReferencedSOPInstanceUID == inputs.pet_headers[k].SOPInstanceUID


def test_an_enhanced_pet_is_referred_to_by_frame() -> None:
    inputs = sample_inputs(1)
    inputs = replace(inputs, pet_headers=enhanced(inputs.pet_headers))
    reference = children(groups(read(made(inputs)))[3], "111030")[0].ContentSequence[0].ReferencedSOPSequence[0]
    k = round(inputs.suv.index_kji(inputs.findings.lesions[0].hottest_mm)[0])
    # The sample's enhanced frames run from head to foot, slices from foot to head.
    assert reference.ReferencedFrameNumber == inputs.suv.array.shape[0] - k


def test_a_hottest_voxel_outside_its_lesion_is_an_error() -> None:
    inputs = sample_inputs(1)
    wrong = replace(inputs.findings.lesions[0], hottest_mm=tuple(inputs.suv.points_mm((0, 0, 0)).tolist()))
    with pytest.raises(ValueError, match="hottest voxel of lesion 1"):
        made(with_findings(inputs, lesions=(wrong,)))


def test_every_container_is_separate() -> None:
    def walk(item: Dataset) -> list[str]:
        own = [str(item.ContinuityOfContent)] if item.ValueType == "CONTAINER" else []
        return own + [value for child in item.get("ContentSequence", ()) for value in walk(child)]

    assert set(walk(read(made(sample_inputs(2))))) == {"SEPARATE"}


def test_without_lesion_the_report_says_so_and_tracks_nothing() -> None:
    inputs = sample_inputs(0)
    found = groups(read(made(inputs)))
    assert [template(group) for group in found] == ["1501"]
    assert "no FDG-avid lesion" in children(found[0], "121106")[0].TextValue
    # A Tracking UID without coordinates blanks the whole report in OHIF 3.13.
    assert not children(found[0], "112040")
    assert numbers(found[0])["246206008", None][0] == 0.0
    assert numbers(found[0])["126032", "255619001"][0] == 0.0


def test_a_target_without_seg_gets_the_numbers_in_plain_groups() -> None:
    target = Target(Profile(seg="none"), "measurements")
    dataset = read(made(sample_inputs(2), target))
    assert [template(group) for group in groups(dataset)] == ["1501", "1410"] * 3
    assert len(dataset.CurrentRequestedProcedureEvidenceSequence[0].ReferencedSeriesSequence) == 2


@pytest.mark.parametrize(
    ("kind", "sop_class"), [("3d", Comprehensive3DSRStorage), ("comprehensive", ComprehensiveSRStorage)]
)
def test_the_sop_class_is_the_targets(kind: str, sop_class: str) -> None:
    assert made(sample_inputs(1), Target(Profile(sr=kind), "measurements")).sop_class_uid == sop_class  # type: ignore[arg-type]


def test_a_target_may_take_no_sr() -> None:
    assert build_sr(sample_inputs(1), Target(Profile(sr="none"), "measurements"), None) is None


def test_evidence_lists_every_instance_and_the_seg() -> None:
    inputs = sample_inputs(2)
    seg = build_seg(inputs, OWN)
    assert seg is not None
    [study] = read(made(inputs)).CurrentRequestedProcedureEvidenceSequence
    listed = {
        series.SeriesInstanceUID: [item.ReferencedSOPInstanceUID for item in series.ReferencedSOPSequence]
        for series in study.ReferencedSeriesSequence
    }
    assert listed == {
        inputs.findings.pet_series_instance_uid: [header.SOPInstanceUID for header in inputs.pet_headers],
        inputs.findings.ct_series_instance_uid: [header.SOPInstanceUID for header in inputs.ct_headers],
        series_uid(seg.sop_instance_uid): [seg.sop_instance_uid],
    }
    assert dcmread(io.BytesIO(seg.data)).SeriesInstanceUID == series_uid(seg.sop_instance_uid)


def test_a_correction_names_what_it_replaces() -> None:
    inputs = sample_inputs(1)
    first = made(inputs)
    second = made(with_findings(inputs, predecessor_sr_uid=first.sop_instance_uid))
    assert second.sop_instance_uid != first.sop_instance_uid
    [study] = read(second).PredecessorDocumentsSequence
    [series] = study.ReferencedSeriesSequence
    assert series.SeriesInstanceUID == read(first).SeriesInstanceUID
    assert series.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == first.sop_instance_uid


def test_it_is_complete_preliminary_and_unverified_by_a_device() -> None:
    dataset = read(made(sample_inputs(1)))
    assert (dataset.CompletionFlag, dataset.PreliminaryFlag, dataset.VerificationFlag) == (
        "COMPLETE",
        "PRELIMINARY",
        "UNVERIFIED",
    )
    assert children(dataset, "121005")[0].ConceptCodeSequence[0].CodeValue == "121007"
    assert children(dataset, "121013")[0].TextValue == "Nodal"
    assert dataset.CodingSchemeIdentificationSequence[0].CodingSchemeDesignator == "99NODAL"


def test_what_limits_the_numbers_is_said() -> None:
    inputs = sample_inputs(2, partial=True, virtual=True)
    dataset = read(made(inputs))
    said = statements(dataset)
    assert said["FIELDOFVIEW"] == ["Limited field of view, not whole-body TMTV"]
    assert said["PHYSUPTAKE"] == ["Physiological uptake not removed"]
    assert said["BASELINE"] == ["Baseline assumed"]
    assert "imulated" in said["SIMULATION"][0]
    assert said["SUVMETHOD"][0].startswith("BQML")
    assert "26-connected" in said["SEGMETHOD"][0]
    assert said["QUALITYFLAG"] == ["NO_ANATOMY: Physiological uptake is not removed: no organ map was computed."]
    assert said["REJECTED"] == ["412.5 mL, SUVmax 18.2 in brain, probability of a lesion 2 %"]
    assert [text.split(":")[0] for text in said["NOTCOMPUTED"]] == ["liver_suv_mean", "ipi"]
    found = numbers(groups(dataset)[0])
    assert ("DMAX", None) not in found
    assert children(groups(dataset)[0], "112039")[0].TextValue == "Limited field of view"
    assert children(dataset, "121058")[0].ConceptCodeSequence[0].CodeValue == "44136-0"


def test_what_is_not_sent_is_told_apart_from_what_was_not_computed() -> None:
    missing = (NotComputed("lamp", "NOT_SENT", "not sent to this destination"),)
    said = statements(read(made(with_findings(sample_inputs(1), not_computed=missing))))
    assert said["NOTSENT"] == ["lamp: NOT_SENT, not sent to this destination"]
    assert "NOTCOMPUTED" not in said


def test_site_and_side_are_coded_where_they_are_known() -> None:
    found = groups(read(made(sample_inputs(6))))[2::2]
    sites = [children(group, "363698007") for group in found]
    assert sites[1][0].ConceptCodeSequence[0].CodeValue == "59441001"
    assert children(sites[1][0], "272741003")[0].ConceptCodeSequence[0].CodeValue == "7771000"
    assert sites[3][0].ConceptCodeSequence[0].CodeValue == "78961009"
    assert sites[5] == []


def test_no_patient_text_beyond_the_header_and_the_same_bytes_twice() -> None:
    result = made(sample_inputs(3))
    assert b"must not travel" not in result.data
    assert made(sample_inputs(3)).data == result.data
    assert result.data.count(b"Specimen") == 1
