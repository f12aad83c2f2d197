"""From a PET header to body-weight SUV: which factor, from which attributes, or why none without a guess.

SUVbw = value * weight in g / activity in Bq, 1 mL taken as 1 g; value = stored * slope + intercept of its own slice.
Follows PS3.3 C.8.9 and the vendor-neutral rules of the QIBA FDG-PET profile. Residual activity in the syringe is
not in the header and is not corrected for. Which tracer it was is a question of selection, not of this module.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pydicom import Dataset

from nodal.dicom.suv_body import (
    Body,
    body_surface_m2,
    ideal_weight_kg,
    lean_mass_james_kg,
    lean_mass_janmahasatian_kg,
    read_body,
)
from nodal.dicom.suv_dose import Uptake, read_dose, undecayed_factors, uptake_of
from nodal.dicom.suv_time import instant_of
from nodal.dicom.values import number, text, texts
from nodal.errors import Code, Refused

__all__ = ["SuvConversion", "enhanced_conversion", "suv_conversion"]

_PHILIPS_CREATOR = "Philips PET Private Group"
_PHILIPS_GROUP = 0x7053
_PHILIPS_DISAGREEMENT = 0.01
_UNIFORM = ("SeriesInstanceUID", "Units", "SUVType", "DecayCorrection", "PatientWeight", "PatientSize", "PatientSex")
_UNIFORM_TRACER = ("RadionuclideTotalDose", "RadionuclideHalfLife")


@dataclass(frozen=True)
class SuvConversion:
    """How the values of a series become SUVbw (g/mL).

    Attributes:
        method: the path taken, a stable text such as "BQML START (Series Date and Time)".
        factor: SUVbw per value after rescale; None where it differs between slices.
        factors: the same for each header, in their order.
        scan_reference_time: ISO 8601, the scan's reference instant on the scanner's clock (for Decay Correction
            START the instant to which the voxels are corrected), or None where the header does not tell.
        decay_s: seconds for which the injected activity was decayed; 0 for ADMIN; None where no dose was used.
        uptake_minutes: from injection to the scan's reference instant, or None (a warning says why).
        injected_mbq_per_kg: injected activity over body weight, or None.
        warnings: each a short stable code, a colon and a sentence.
    """

    method: str
    factor: float | None
    factors: tuple[float, ...]
    scan_reference_time: str | None
    decay_s: float | None
    uptake_minutes: float | None
    injected_mbq_per_kg: float | None
    warnings: tuple[str, ...]


def suv_conversion(
    headers: Sequence[Dataset], *, assume_bw: bool = False, correct_undecayed: bool = False
) -> SuvConversion:
    """The conversion of a single-frame PET series to SUVbw.

    Args:
        headers: every slice of one series, in any order.
        assume_bw: read Units GML without SUV Type as SUVbw, as PS3.3 C.8.9.1 and QIBA do.
        correct_undecayed: accept Decay Correction NONE and correct each slice to the injection.

    Raises:
        Refused: with the code of the rule that failed (SUV_..., MIXED_SERIES, PET_DERIVED).
    """
    _check_uniform(headers)
    first = headers[0]
    units = text(first, "Units").upper()
    if units == "BQML":
        conversion = _from_activity(headers, "BQML", [1.0] * len(headers), correct_undecayed)
    elif units == "CNTS":
        conversion = _from_counts(headers, correct_undecayed)
    elif units == "GML":
        conversion = _from_suv(headers, *_gml_factor(first, assume_bw))
    elif units == "CM2ML":
        conversion = _from_suv(headers, *_cm2ml_factor(first))
    else:
        raise Refused(Code.SUV_UNITS_UNSUPPORTED, f"Units (0054,1001) {units or 'missing'}: no rule leads to SUV.")
    _refuse_derived(first, conversion)
    notes = (*_slope_warnings(headers), *_correction_warnings(first), *conversion.warnings)
    return replace(conversion, warnings=tuple(dict.fromkeys(notes)))


def enhanced_conversion(header: Dataset) -> SuvConversion:
    """The conversion of a multi-frame PET whose Real World Value Mapping already gives SUVbw (PS3.3 C.8.22)."""
    reference = instant_of(header, "DecayCorrectionDateTime") or instant_of(header, "AcquisitionDateTime")
    uptake = uptake_of((header,), reference=reference)
    return _conversion("Enhanced PET, real-world value mapping to SUVbw", (1.0,), uptake, None)


def _check_uniform(headers: Sequence[Dataset]) -> None:
    if not headers:
        raise Refused(Code.EMPTY_STUDY, "The series holds no instance.")
    for keyword in _UNIFORM:
        if len({_comparable(header, keyword) for header in headers}) > 1:
            raise Refused(Code.MIXED_SERIES, f"The slices differ in {keyword}.")
    tracers = [header.get("RadiopharmaceuticalInformationSequence", None) or [] for header in headers]
    for keyword in _UNIFORM_TRACER:
        if len({tuple(_comparable(item, keyword) for item in items) for items in tracers}) > 1:
            raise Refused(Code.MIXED_SERIES, f"The slices differ in {keyword}.")


def _comparable(dataset: Dataset, keyword: str) -> float | str:
    """A value that is equal for "70" and "70.0"."""
    value = number(dataset, keyword) if dataset.get_item(keyword) is not None else None
    return text(dataset, keyword) if value is None else round(value, 6)


def _slope_warnings(headers: Sequence[Dataset]) -> tuple[str, ...]:
    """Refuses a rescale that is no scale; PS3.3 C.8.9.4 wants the intercept to be 0."""
    intercepts = False
    for header in headers:
        slope, intercept = number(header, "RescaleSlope"), number(header, "RescaleIntercept")
        if slope is None or slope <= 0:
            raise Refused(Code.SUV_BAD_SLOPE, "A slice's Rescale Slope (0028,1053) is missing or not above zero.")
        if intercept is None:
            raise Refused(Code.SUV_BAD_SLOPE, "A slice's Rescale Intercept (0028,1052) is missing or not a number.")
        intercepts = intercepts or intercept != 0
    if not intercepts:
        return ()
    return ("INTERCEPT_NOT_ZERO: Rescale Intercept is not 0 as a PET's must be; it was applied.",)


def _correction_warnings(header: Dataset) -> tuple[str, ...]:
    listed = texts(header, "CorrectedImage")
    notes = []
    if "ATTN" not in listed:
        notes.append("NOT_ATTENUATION_CORRECTED: Corrected Image (0028,0051) does not list ATTN.")
    if "DECY" not in listed:
        notes.append("DECAY_NOT_LISTED: Corrected Image (0028,0051) does not list DECY.")
    return tuple(notes)


def _refuse_derived(header: Dataset, conversion: SuvConversion) -> None:
    """A DERIVED series is certain only where its values already are SUVbw."""
    if texts(header, "ImageType")[:1] == ("DERIVED",) and not conversion.method.startswith("GML BW"):
        raise Refused(Code.PET_DERIVED, "The series is DERIVED and its values are not body-weight SUV already.")


def _from_activity(
    headers: Sequence[Dataset], name: str, to_bq_ml: Sequence[float], correct_undecayed: bool
) -> SuvConversion:
    """Bq/mL to SUVbw by injected activity and weight, for the three kinds of Decay Correction (0054,1102)."""
    decay = text(headers[0], "DecayCorrection").upper()
    if decay in ("START", "ADMIN") and texts(headers[0], "CorrectedImage") and not _lists_decay(headers[0]):
        raise Refused(Code.SUV_DECAY_UNSUPPORTED, f"Decay Correction is {decay} but Corrected Image lists no DECY.")
    weight_g = read_body(headers[0]).weight() * 1000.0
    dose = read_dose(headers[0])
    if decay == "START":
        uptake = uptake_of(headers, strict=True)
        if uptake.seconds is None:  # strict leaves no gap; said for the type checker
            raise Refused(Code.SUV_NO_REFERENCE_TIME, "The uptake time is unknown.")
        left_bq = dose.bq * 2.0 ** (-uptake.seconds / dose.half_life())
        factors = tuple(weight_g / left_bq * value for value in to_bq_ml)
        return _conversion(f"{name} START ({uptake.source})", factors, uptake, uptake.seconds)
    if decay == "ADMIN":
        factors = tuple(weight_g / dose.bq * value for value in to_bq_ml)
        return _conversion(f"{name} ADMIN", factors, uptake_of(headers), 0.0)
    if decay == "NONE" and correct_undecayed:
        uptake, growth = undecayed_factors(headers, dose)
        factors = tuple(weight_g / dose.bq * g * value for g, value in zip(growth, to_bq_ml, strict=True))
        return _conversion(f"{name} NONE, corrected to injection", factors, uptake, uptake.seconds)
    raise Refused(
        Code.SUV_DECAY_UNSUPPORTED, f"Decay Correction (0054,1102) is {decay or 'missing'}; START or ADMIN is needed."
    )


def _from_counts(headers: Sequence[Dataset], correct_undecayed: bool) -> SuvConversion:
    """Philips counts: the direct SUV factor (7053,xx00), else the activity factor (7053,xx09) and then as Bq/mL.

    Where both are there they must agree within 1 %.
    """
    direct = [_philips(header, 0x00) for header in headers]
    activity = [_philips(header, 0x09) for header in headers]
    for values in (direct, activity):
        if any(values) and not all(values):
            raise Refused(Code.MIXED_SERIES, "Some slices lack the Philips scale factor that others have.")
    by_activity: SuvConversion | Refused | None = None
    if all(activity):
        try:
            by_activity = _from_activity(headers, "CNTS Philips activity factor,", _known(activity), correct_undecayed)
        except Refused as refusal:
            by_activity = refusal
    if not all(direct):
        if isinstance(by_activity, SuvConversion):
            return by_activity
        raise by_activity or Refused(
            Code.SUV_UNITS_UNSUPPORTED,
            "Units are counts (CNTS) without a Philips scale factor (7053,1000) or (7053,1009).",
        )
    if text(headers[0], "DecayCorrection").upper() == "NONE":
        raise Refused(Code.SUV_DECAY_UNSUPPORTED, "Decay Correction is NONE; the Philips SUV factor presumes START.")
    factors = tuple(_known(direct))
    conversion = _conversion("CNTS Philips SUV factor", factors, uptake_of(headers), None)
    if isinstance(by_activity, Refused):
        note = (
            f"PHILIPS_CHECK_NOT_MADE: the SUV factor could not be checked by the activity factor ({by_activity.code})."
        )
        return replace(conversion, warnings=(*conversion.warnings, note))
    if by_activity is not None:
        apart = max(abs(a / b - 1.0) for a, b in zip(factors, by_activity.factors, strict=True))
        if apart > _PHILIPS_DISAGREEMENT:
            raise Refused(
                Code.SUV_FACTORS_DISAGREE, f"The two Philips scale factors lead to SUVs {100 * apart:.1f} % apart."
            )
    return conversion


def _philips(header: Dataset, element: int) -> float | None:
    """A scale factor of the Philips block, of a Philips scanner also when its creator element was lost; 0 is None."""
    try:
        value = header.private_block(_PHILIPS_GROUP, _PHILIPS_CREATOR)[element].value
    except KeyError:
        tag = (_PHILIPS_GROUP, 0x1000 + element)
        foreign = (_PHILIPS_GROUP, 0x0010) in header or not text(header, "Manufacturer").upper().startswith("PHILIPS")
        if foreign or tag not in header:
            return None
        value = header[tag].value
    written = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
    try:
        factor = float(written.strip("\x00 "))
    except ValueError:
        return None
    return factor if math.isfinite(factor) and factor > 0 else None


def _gml_factor(header: Dataset, assume_bw: bool) -> tuple[str, float, tuple[str, ...]]:
    """Method, factor and warnings for g/mL, by SUV Type (0054,1006)."""
    kind = text(header, "SUVType").upper()
    if kind == "BW" or (not kind and assume_bw):
        return ("GML BW", 1.0, ()) if kind else ("GML BW assumed", 1.0, (_ASSUMED_BW,))
    if not kind:
        raise Refused(
            Code.SUV_TYPE_MISSING,
            "Units are g/mL without SUV Type (0054,1006); the setting suv.assume_bw accepts that.",
        )
    mass_of = _MASSES.get(kind)
    if mass_of is None:
        raise Refused(Code.SUV_UNITS_UNSUPPORTED, f"SUV Type (0054,1006) {kind} does not go with Units g/mL.")
    body = read_body(header)
    warnings = (_JAMES_120,) if kind == "LBM" and body.sex == "M" else ()
    return f"GML {kind}", body.weight() / mass_of(body), warnings


_ASSUMED_BW = "SUV_TYPE_ASSUMED: Units g/mL without SUV Type was read as body-weight SUV."
_JAMES_120 = (
    "LBM_CONSTANT: SUV Type LBM is James's lean mass, read with its constant 128 for men; some scanners used 120, "
    "which makes SUVbw 1 to 4 % lower."
)
_MASSES: dict[str, Callable[[Body], float]] = {
    "LBM": lambda body: lean_mass_james_kg(body.weight(), body.height(), body.known_sex()),
    "LBMJAMES128": lambda body: lean_mass_james_kg(body.weight(), body.height(), body.known_sex()),
    "LBMJANMA": lambda body: lean_mass_janmahasatian_kg(body.weight(), body.height(), body.known_sex()),
    "IBW": lambda body: ideal_weight_kg(body.height(), body.known_sex()),
}


def _cm2ml_factor(header: Dataset) -> tuple[str, float, tuple[str, ...]]:
    """SUVbsa in cm2/mL: SUVbw = SUVbsa * W / (10 BSA), W in kg, BSA in m2."""
    kind = text(header, "SUVType").upper()
    if kind not in ("", "BSA"):
        raise Refused(Code.SUV_UNITS_UNSUPPORTED, f"SUV Type (0054,1006) {kind} does not go with Units cm2/mL.")
    body = read_body(header)
    weight = body.weight()
    return "CM2ML BSA", weight / (10.0 * body_surface_m2(weight, body.height())), ()


def _from_suv(headers: Sequence[Dataset], method: str, factor: float, warnings: tuple[str, ...]) -> SuvConversion:
    """Values that are some SUV already: dose and times are only reported, so their faults only warn."""
    conversion = _conversion(method, (factor,) * len(headers), uptake_of(headers), None)
    if texts(headers[0], "ImageType")[:1] == ("DERIVED",) and method.startswith("GML BW"):
        warnings = (
            *warnings,
            "PET_DERIVED: the series is DERIVED; its values are body-weight SUV and were taken as such.",
        )
    return replace(conversion, warnings=(*warnings, *conversion.warnings))


def _conversion(method: str, factors: Sequence[float], uptake: Uptake, decay_s: float | None) -> SuvConversion:
    if not all(math.isfinite(factor) and factor > 0 for factor in factors):
        raise Refused(Code.SUV_BAD_SLOPE, "The SUV factor is not a positive finite number.")
    same = max(factors) - min(factors) <= 1e-12 * max(factors)
    reference: datetime | None = uptake.reference
    return SuvConversion(
        method=method,
        factor=factors[0] if same else None,
        factors=tuple(factors),
        scan_reference_time=reference.isoformat() if reference else None,
        decay_s=decay_s,
        uptake_minutes=None if uptake.seconds is None else uptake.seconds / 60.0,
        injected_mbq_per_kg=uptake.mbq_per_kg,
        warnings=uptake.warnings,
    )


def _known(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _lists_decay(header: Dataset) -> bool:
    return "DECY" in texts(header, "CorrectedImage")
