"""The SUV rules against published factors, reference series and numbers worked by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from nodal.dicom.suv import enhanced_conversion, suv_conversion
from nodal.dicom.suv_body import body_surface_m2, ideal_weight_kg, lean_mass_james_kg, lean_mass_janmahasatian_kg
from nodal.dicom.suv_summary import suv_summary
from nodal.dicom.suv_time import average_activity_s
from nodal.errors import Code, Refused
from pydicom import Dataset
from pydicom.dataelem import RawDataElement

from tests.unit.dicom.pet_headers import pet_header

pytestmark = pytest.mark.unit

DRO = ("0_0", "1_0", "2_0", "2_1", "2_4", "3_1", "3_3", "4_0", "4_1")
WORKED = 2.7633668172e-4  # 70 kg, 370 MBq, 3600 s of 6586.2 s


def codes(warnings: tuple[str, ...]) -> set[str]:
    return {warning.split(":")[0] for warning in warnings}


def refusal(*headers: Dataset, **options: bool) -> Code:
    with pytest.raises(Refused) as caught:
        suv_conversion(headers, **options)
    return caught.value.code


# -- made by others ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DRO)
@pytest.mark.parametrize("contour", ["mask", "RS"])
def test_reference_series_reads_its_published_values(real_data: Path, name: str, contour: str) -> None:
    folder = real_data / "suv_dro" / f"DRO_{name}"
    mask = next(path for path in sorted((folder / contour).iterdir()) if path.suffix in (".gz", ".dcm"))
    summary = suv_summary(folder / "PT", mask, assume_bw=False)
    found = (summary.suv_min, summary.suv_median, summary.suv_max)
    assert found == pytest.approx((0.20, 1.00, 4.00), rel=0.005)  # the reference's own tolerance
    assert summary.voxel_volume_ml == pytest.approx(0.064)


@pytest.mark.parametrize(
    ("name", "factor", "manufacturer"),
    [
        ("SIEMENS", 0.0004274832, "SIEMENS"),
        ("GE_MEDICAL_AND_BQML", 0.0005367388, "GE MEDICAL SYSTEMS"),
        ("PHILIPS_CNTS_AND_SUV", 0.000728, "Philips"),
        ("RADIOPHARM_DATETIME_UNDEFINED", 0.0003721089, "SIEMENS"),
    ],
)
def test_published_factor_of_real_headers(real_data: Path, name: str, factor: float, manufacturer: str) -> None:
    instances = json.loads((real_data / "suv_headers" / f"{name}-instances.json").read_text())
    conversion = suv_conversion([_from_json(instance, manufacturer) for instance in instances])
    assert conversion.factor == pytest.approx(factor, rel=0.005)


def _from_json(instance: dict[str, Any], manufacturer: str) -> Dataset:
    header, item = Dataset(), Dataset()
    for keyword, value in instance.items():
        if keyword == "PhilipsPETPrivateGroup":
            for factor in value.values():
                header.private_block(0x7053, "Philips PET Private Group", create=True).add_new(0, "DS", factor)
        elif keyword.startswith("Radio"):
            setattr(item, keyword, value.strip() if isinstance(value, str) else value)
        else:
            setattr(header, keyword, value)
    header.RadiopharmaceuticalInformationSequence = [item]
    header.Manufacturer, header.RescaleSlope, header.RescaleIntercept = manufacturer, 1, 0
    return header


def test_real_scan_with_an_injection_dated_a_day_late(real_data: Path) -> None:
    summary = suv_summary(real_data / "sts/STS_002/PET", None, assume_bw=False)
    assert summary.method == "GML BW"
    assert summary.factor == 1.0
    assert {"PET_DERIVED", "INJECTION_DATE_LEFT_ASIDE"} <= codes(summary.warnings)


# -- activity ---------------------------------------------------------------------------------------------------


def test_worked_factor() -> None:
    conversion = suv_conversion([pet_header()])
    assert conversion.factor == pytest.approx(WORKED, rel=1e-10)
    assert conversion.decay_s == 3600.0
    assert conversion.uptake_minutes == 60.0
    assert conversion.scan_reference_time == "2024-03-01T11:00:00"
    assert conversion.injected_mbq_per_kg == pytest.approx(370 / 70)
    assert conversion.method == "BQML START (Series Date and Time)"
    assert conversion.warnings == ()


@pytest.mark.parametrize(("duration", "expected"), [(120, 59.9369), (180, 89.8579), (600, 298.4214)])
def test_average_activity_time(duration: float, expected: float) -> None:
    assert average_activity_s(duration, 6586.2) == pytest.approx(expected, abs=5e-5)  # printed with four decimals


def test_decay_corrected_to_administration_needs_no_time() -> None:
    late = {"RadiopharmaceuticalStartDateTime": None, "RadiopharmaceuticalStartTime": None}
    conversion = suv_conversion([pet_header(tracer=late, DecayCorrection="ADMIN")])
    assert conversion.factor == pytest.approx(70_000 / 370e6)
    assert (conversion.decay_s, conversion.uptake_minutes) == (0.0, None)
    assert "SUV_MISSING_INJECTION_TIME" in codes(conversion.warnings)


def test_undecayed_slices_are_refused_unless_asked_for() -> None:
    beds = [
        pet_header(DecayCorrection="NONE", CorrectedImage=["ATTN"], AcquisitionTime=when, ActualFrameDuration="120000")
        for when in ("110000", "110200")
    ]
    assert refusal(*beds) is Code.SUV_DECAY_UNSUPPORTED
    conversion = suv_conversion(beds, correct_undecayed=True)
    decay = math.log(2) / 6586.2
    expected = [70_000 / 370e6 * math.exp(decay * (seconds + 59.9369)) for seconds in (3600, 3720)]
    assert conversion.factors == pytest.approx(expected, rel=1e-7)
    assert conversion.factor is None


def test_any_radionuclide() -> None:
    gallium = {"RadionuclideHalfLife": "4062.6", "RadionuclideTotalDose": "150000000"}
    conversion = suv_conversion([pet_header(tracer=gallium)])
    assert conversion.factor == pytest.approx(70_000 / (150e6 * 2 ** (-3600 / 4062.6)))


def test_residual_faults_are_warned_of() -> None:
    header = pet_header(RescaleIntercept="-1", CorrectedImage=["DECY"])
    assert codes(suv_conversion([header]).warnings) == {"INTERCEPT_NOT_ZERO", "NOT_ATTENUATION_CORRECTED"}
    early = pet_header(
        tracer={"RadiopharmaceuticalStartDateTime": "20240301102000", "RadiopharmaceuticalStartTime": None}
    )
    assert codes(suv_conversion([early]).warnings) == {"UPTAKE_UNUSUAL"}


# -- the instant of reference -----------------------------------------------------------------------------------


def ge_header(value: str, *, creator: str | None = "GEMS_PETD_01", **changes: Any) -> Dataset:
    header = pet_header(Manufacturer="GE MEDICAL SYSTEMS", **changes)
    if creator is None:
        header.add_new((0x0009, 0x100D), "DT", value)
    else:
        header.private_block(0x0009, "SOMEONE ELSE", create=True).add_new(0x0D, "DT", "20240301093000")
        header.private_block(0x0009, creator, create=True).add_new(0x0D, "DT", value)
    return header


def test_ge_scan_time_is_found_in_whichever_block_its_creator_reserved() -> None:
    header = ge_header("20240301110000.00", SeriesTime="130000", AcquisitionTime="110010")
    assert (0x0009, 0x110D) in header
    conversion = suv_conversion([header])
    assert conversion.method == "BQML START (GE private scan time)"
    assert conversion.factor == pytest.approx(WORKED)


def test_ge_scan_time_of_another_calendar_gives_only_its_time_of_day() -> None:
    conversion = suv_conversion([ge_header("19870615110000.00", SeriesTime="130000")])
    assert conversion.scan_reference_time == "2024-03-01T11:00:00"
    assert conversion.factor == pytest.approx(WORKED)
    assert "GE_TIME_OTHER_CALENDAR" in codes(conversion.warnings)


@pytest.mark.parametrize("value", ["19870615094500.00", "20240301113000.00"])  # fits no public time; after the scan
def test_ge_scan_time_that_fits_nothing_is_left_aside(value: str) -> None:
    conversion = suv_conversion([ge_header(value)])
    assert conversion.method == "BQML START (Series Date and Time)"
    assert conversion.factor == pytest.approx(WORKED)
    assert "GE_TIME_LEFT_ASIDE" in codes(conversion.warnings)


def test_ge_element_without_its_creator_is_only_a_witness() -> None:
    disagreeing = {"AcquisitionTime": "113000", "FrameReferenceTime": "0"}
    assert refusal(ge_header("20240301104500", creator=None, **disagreeing)) is Code.SUV_TIME_CONFLICT
    conversion = suv_conversion([ge_header("20240301110000", creator=None, **disagreeing)])
    assert conversion.factor == pytest.approx(WORKED)
    assert codes(conversion.warnings) == {"REFERENCE_TIME_DECIDED"}
    assert refusal(ge_header("20240301110000", creator=None, SeriesTime="130000")) is Code.SUV_NO_REFERENCE_TIME


def test_earliest_slice_decides_not_the_first_of_the_list() -> None:
    beds = [pet_header(AcquisitionTime=when) for when in ("111000", "110000", "110500")]
    assert suv_conversion(beds).factor == pytest.approx(WORKED)
    beds[1].AcquisitionTime = "105900"
    assert refusal(*beds) is Code.SUV_NO_REFERENCE_TIME


def test_restamped_series_is_computed_from_its_frames() -> None:
    average = average_activity_s(120, 6586.2)
    beds = [
        pet_header(
            SeriesTime="150000",
            AcquisitionTime=f"11{2 * bed:02d}00",
            ActualFrameDuration="120000",
            FrameReferenceTime=f"{(120 * bed + average) * 1000:.3f}",
        )
        for bed in range(3)
    ]
    conversion = suv_conversion(beds)
    assert conversion.factor == pytest.approx(WORKED, rel=1e-6)
    assert codes(conversion.warnings) == {"SERIES_TIME_LATE"}
    beds[2].FrameReferenceTime = "0"
    assert refusal(*beds) is Code.SUV_NO_REFERENCE_TIME


def test_ge_frames_count_from_their_start() -> None:
    bed = pet_header(
        Manufacturer="GE MEDICAL SYSTEMS", SeriesTime="150000", AcquisitionTime="110200",
        ActualFrameDuration="120000", FrameReferenceTime="120000",
    )  # fmt: skip
    assert suv_conversion([bed]).factor == pytest.approx(WORKED)


def test_series_and_frames_that_disagree_are_refused() -> None:
    header = pet_header(AcquisitionTime="112000", ActualFrameDuration="120000", FrameReferenceTime="0")
    assert refusal(header) is Code.SUV_TIME_CONFLICT


# -- the injection ----------------------------------------------------------------------------------------------


def only_time(value: str) -> dict[str, Any]:
    return {"RadiopharmaceuticalStartDateTime": None, "RadiopharmaceuticalStartTime": value}


def only_datetime(value: str) -> dict[str, Any]:
    return {"RadiopharmaceuticalStartDateTime": value, "RadiopharmaceuticalStartTime": None}


def test_injection_before_midnight() -> None:
    header = pet_header(tracer=only_time("233000"), SeriesTime="003000", AcquisitionTime="003000")
    assert suv_conversion([header]).factor == pytest.approx(WORKED)


def test_injection_by_the_clock_alone_is_believed_for_four_hours() -> None:
    assert refusal(pet_header(tracer=only_time("064500"))) is Code.SUV_UPTAKE_IMPLAUSIBLE


def test_stale_date_with_the_right_clock_time() -> None:
    conversion = suv_conversion([pet_header(tracer={"RadiopharmaceuticalStartDateTime": "20240302100000"})])
    assert conversion.factor == pytest.approx(WORKED)
    assert codes(conversion.warnings) == {"INJECTION_DATE_LEFT_ASIDE"}


def test_stale_date_alone_is_refused() -> None:
    assert refusal(pet_header(tracer=only_datetime("19000101100000"))) is Code.SUV_TIME_CONFLICT


def test_clock_times_that_differ_are_refused() -> None:
    assert refusal(pet_header(tracer={"RadiopharmaceuticalStartTime": "100200"})) is Code.SUV_TIME_CONFLICT


def test_offset_from_utc() -> None:
    header = pet_header(tracer=only_datetime("20240301090000+0000"), TimezoneOffsetFromUTC="+0100")
    assert suv_conversion([header]).factor == pytest.approx(WORKED)
    header = pet_header(tracer=only_datetime("20240301100000+0100"))  # no offset of the data set: the clock as written
    assert suv_conversion([header]).factor == pytest.approx(WORKED)


def test_a_date_without_a_time_is_no_injection_time() -> None:
    assert refusal(pet_header(tracer=only_datetime("20240301"))) is Code.SUV_MISSING_INJECTION_TIME


# -- Philips ----------------------------------------------------------------------------------------------------


def philips(direct: str | None = None, activity: str | None = None, **changes: Any) -> Dataset:
    header = pet_header(**({"Units": "CNTS", "Manufacturer": "Philips Medical Systems"} | changes))
    block = header.private_block(0x7053, "Philips PET Private Group", create=True)
    for element, value in ((0x00, direct), (0x09, activity)):
        if value is not None:
            block.add_new(element, "DS", value)
    return header


def test_philips_factors() -> None:
    assert suv_conversion([philips(direct="0.0005")]).factor == 0.0005
    assert suv_conversion([philips(activity="2.5")]).factor == pytest.approx(2.5 * WORKED)
    assert suv_conversion([philips(direct="0", activity="2.5")]).factor == pytest.approx(2.5 * WORKED)
    agreeing = f"{2.5 * WORKED * 1.009:.10f}"
    assert suv_conversion([philips(direct=agreeing, activity="2.5")]).factor == float(agreeing)


def test_philips_factors_that_disagree() -> None:
    assert refusal(philips(direct=f"{2.5 * WORKED * 1.02:.10f}", activity="2.5")) is Code.SUV_FACTORS_DISAGREE


def test_philips_factor_stands_without_dose() -> None:
    header = philips(direct="0.0005", activity="2.5", PatientWeight=None)
    conversion = suv_conversion([header])
    assert conversion.factor == 0.0005
    assert {"PHILIPS_CHECK_NOT_MADE", "SUV_MISSING_WEIGHT"} <= codes(conversion.warnings)


def test_philips_creator() -> None:
    lost = philips(direct="0.0005")
    del lost[0x7053, 0x0010]
    lost[0x7053, 0x1000].value = "0.0005"
    assert suv_conversion([lost]).factor == 0.0005
    lost.Manufacturer = "SIEMENS"
    assert refusal(lost) is Code.SUV_UNITS_UNSUPPORTED


def test_counts_without_factor() -> None:
    assert refusal(philips()) is Code.SUV_UNITS_UNSUPPORTED
    assert refusal(philips(direct="0.0005"), philips(activity="1")) is Code.MIXED_SERIES
    assert refusal(philips(direct="0.0005", DecayCorrection="NONE")) is Code.SUV_DECAY_UNSUPPORTED


# -- SUV already ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "sex", "weight", "height", "mass"),
    [
        ("LBMJANMA", "M", "80", "1.75", 60.1828),
        ("LBMJAMES128", "M", "80", "1.75", 61.2506),
        ("LBM", "M", "80", "1.75", 61.2506),
        ("LBMJANMA", "F", "65", "1.62", 40.6489),
        ("LBMJAMES128", "F", "65", "1.62", 45.7236),
        ("IBW", "M", "80", "1.75", 48.0 + 1.06 * 23),
        ("IBW", "F", "65", "1.62", 45.5 + 0.91 * 10),
    ],
)
def test_lean_and_ideal_suv_come_back_to_body_weight(
    kind: str, sex: str, weight: str, height: str, mass: float
) -> None:
    header = pet_header(Units="GML", SUVType=kind, PatientSex=sex, PatientWeight=weight, PatientSize=height)
    assert suv_conversion([header]).factor == pytest.approx(float(weight) / mass, rel=1e-5)


def test_body_formulas() -> None:
    assert lean_mass_janmahasatian_kg(80, 1.75, "M") == pytest.approx(60.1828, abs=5e-5)
    assert lean_mass_james_kg(65, 1.62, "F") == pytest.approx(45.7236, abs=5e-5)
    assert body_surface_m2(80, 1.75) == pytest.approx(1.9561, abs=5e-5)
    assert body_surface_m2(65, 1.62) == pytest.approx(1.6934, abs=5e-5)
    with pytest.raises(Refused):
        ideal_weight_kg(0.6, "F")


def test_surface_suv_comes_back_to_body_weight() -> None:
    header = pet_header(Units="CM2ML", SUVType="BSA", PatientWeight="80")
    assert suv_conversion([header]).factor == pytest.approx(80 / (10 * 1.9561), rel=1e-4)  # printed with four decimals


def test_suv_type_missing_needs_the_setting() -> None:
    header = pet_header(Units="GML")
    assert refusal(header) is Code.SUV_TYPE_MISSING
    conversion = suv_conversion([header], assume_bw=True)
    assert (conversion.factor, conversion.method) == (1.0, "GML BW assumed")
    assert codes(conversion.warnings) == {"SUV_TYPE_ASSUMED"}


def test_body_weight_suv_needs_neither_dose_nor_time() -> None:
    header = pet_header(Units="GML", SUVType="BW", PatientWeight="0", ImageType=["DERIVED", "SECONDARY"])
    header.RadiopharmaceuticalInformationSequence = []
    conversion = suv_conversion([header])
    assert conversion.factor == 1.0
    assert (conversion.uptake_minutes, conversion.injected_mbq_per_kg, conversion.decay_s) == (None, None, None)
    assert conversion.scan_reference_time == "2024-03-01T11:00:00"
    assert codes(conversion.warnings) == {"PET_DERIVED", "SUV_MISSING_DOSE"}


def test_enhanced_pet_reports_its_uptake() -> None:
    header = pet_header(DecayCorrectionDateTime="20240301111000")
    conversion = enhanced_conversion(header)
    assert (conversion.factor, conversion.uptake_minutes) == (1.0, 70.0)


# -- refused, never guessed -------------------------------------------------------------------------------------

REFUSED: list[tuple[Code, dict[str, Any]]] = [
    (Code.SUV_MISSING_WEIGHT, {"PatientWeight": None}),
    (Code.SUV_MISSING_WEIGHT, {"PatientWeight": "0"}),
    (Code.SUV_IMPLAUSIBLE_WEIGHT, {"PatientWeight": "7"}),
    (Code.SUV_IMPLAUSIBLE_WEIGHT, {"PatientWeight": "70000"}),
    (Code.SUV_MISSING_DOSE, {"tracer": {"RadionuclideTotalDose": None}}),
    (Code.SUV_MISSING_DOSE, {"RadiopharmaceuticalInformationSequence": []}),
    (Code.SUV_IMPLAUSIBLE_DOSE, {"tracer": {"RadionuclideTotalDose": "370"}}),
    (Code.SUV_IMPLAUSIBLE_DOSE, {"tracer": {"RadionuclideTotalDose": "2000000000"}}),
    (Code.SUV_MISSING_HALF_LIFE, {"tracer": {"RadionuclideHalfLife": None}}),
    (Code.SUV_MISSING_HALF_LIFE, {"tracer": {"RadionuclideHalfLife": "0"}}),
    (Code.SUV_MISSING_INJECTION_TIME, {"tracer": only_time("") | {"RadiopharmaceuticalStartTime": None}}),
    (Code.SUV_UPTAKE_IMPLAUSIBLE, {"tracer": only_datetime("20240301104500")}),
    (Code.SUV_UPTAKE_IMPLAUSIBLE, {"tracer": only_datetime("20240301075500")}),
    (Code.SUV_UPTAKE_IMPLAUSIBLE, {"tracer": only_datetime("20240301110500")}),
    (Code.SUV_SEVERAL_TRACERS, {"RadiopharmaceuticalInformationSequence": [Dataset(), Dataset()]}),
    (Code.SUV_NO_REFERENCE_TIME, {"SeriesTime": None}),
    (Code.SUV_NO_REFERENCE_TIME, {"AcquisitionTime": None}),
    (Code.SUV_UNITS_UNSUPPORTED, {"Units": "PROPCPS"}),
    (Code.SUV_UNITS_UNSUPPORTED, {"Units": None}),
    (Code.SUV_UNITS_UNSUPPORTED, {"Units": "GML", "SUVType": "BSA"}),
    (Code.SUV_UNITS_UNSUPPORTED, {"Units": "CM2ML", "SUVType": "BW"}),
    (Code.SUV_DECAY_UNSUPPORTED, {"DecayCorrection": None}),
    (Code.SUV_DECAY_UNSUPPORTED, {"CorrectedImage": ["ATTN", "SCAT"]}),
    (Code.SUV_BAD_SLOPE, {"RescaleSlope": "0"}),
    (Code.SUV_BAD_SLOPE, {"RescaleSlope": "-1"}),
    (Code.SUV_BAD_SLOPE, {"RescaleSlope": None}),
    (Code.SUV_MISSING_HEIGHT, {"Units": "GML", "SUVType": "LBMJANMA", "PatientSize": None}),
    (Code.SUV_IMPLAUSIBLE_HEIGHT, {"Units": "GML", "SUVType": "LBMJANMA", "PatientSize": "175"}),
    (Code.SUV_MISSING_SEX, {"Units": "GML", "SUVType": "LBMJANMA", "PatientSex": "O"}),
    (Code.SUV_MISSING_SEX, {"Units": "GML", "SUVType": "LBM", "PatientSex": ""}),
    (Code.SUV_IMPLAUSIBLE_LBM, {"Units": "GML", "SUVType": "LBM", "PatientWeight": "290", "PatientSize": "1.5"}),
    (Code.PET_DERIVED, {"ImageType": ["DERIVED", "PRIMARY"]}),
    (Code.PET_DERIVED, {"Units": "GML", "SUVType": "LBM", "ImageType": ["DERIVED", "PRIMARY"]}),
]


@pytest.mark.parametrize(("code", "changes"), REFUSED, ids=lambda value: str(value)[:60])
def test_refusal(code: Code, changes: dict[str, Any]) -> None:
    assert refusal(pet_header(**changes)) is code


def test_dose_in_megabecquerel_gets_its_hint() -> None:
    with pytest.raises(Refused, match="looks like MBq"):
        suv_conversion([pet_header(tracer={"RadionuclideTotalDose": "370"})])


@pytest.mark.parametrize(
    "changes",
    [
        {"Units": "GML"},
        {"PatientWeight": "71"},
        {"DecayCorrection": "ADMIN"},
        {"SeriesInstanceUID": "1.2.3"},
        {"tracer": {"RadionuclideTotalDose": "371000000"}},
        {"tracer": {"RadionuclideHalfLife": "6588"}},
    ],
    ids=str,
)
def test_mixed_series(changes: dict[str, Any]) -> None:
    assert refusal(pet_header(), pet_header(**changes)) is Code.MIXED_SERIES


def test_equal_numbers_written_differently_are_one_series() -> None:
    assert suv_conversion([pet_header(), pet_header(PatientWeight="70.0")]).factor == pytest.approx(WORKED)


@pytest.mark.parametrize("keyword", ["PatientWeight", "RescaleSlope", "RescaleIntercept"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_text_where_a_number_belongs_is_refused(keyword: str) -> None:
    header = pet_header()
    header[keyword] = RawDataElement(header[keyword].tag, "DS", 4, b"abc ", 0, False, True)
    assert refusal(header) in (Code.SUV_MISSING_WEIGHT, Code.SUV_BAD_SLOPE)


def test_series_time_rounded_up_is_still_the_start() -> None:
    assert suv_conversion([pet_header(AcquisitionTime="105959.700")]).factor == pytest.approx(WORKED)
