"""Body size for SUV: lean body mass, ideal weight, surface; each guarded, none guessed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydicom import Dataset

from nodal.dicom.values import number, text
from nodal.errors import Code, Refused

__all__ = [
    "Body",
    "body_surface_m2",
    "ideal_weight_kg",
    "lean_mass_james_kg",
    "lean_mass_janmahasatian_kg",
    "read_body",
]

Sex = Literal["M", "F"]
_WEIGHT_KG = (20.0, 300.0)
_HEIGHT_M = (0.5, 2.5)


@dataclass(frozen=True)
class Body:
    """A patient's size as the header tells it; the methods refuse what the header does not tell."""

    weight_kg: float | None
    height_m: float | None
    sex: str

    def weight(self) -> float:
        """Weight in kg. Refused: SUV_MISSING_WEIGHT, SUV_IMPLAUSIBLE_WEIGHT (outside 20 to 300 kg)."""
        if not self.weight_kg:
            raise Refused(Code.SUV_MISSING_WEIGHT, "Patient's Weight (0010,1030) is missing or zero.")
        if not _WEIGHT_KG[0] <= self.weight_kg <= _WEIGHT_KG[1]:
            raise Refused(
                Code.SUV_IMPLAUSIBLE_WEIGHT,
                f"Patient's Weight is {self.weight_kg:g} kg; {_WEIGHT_KG[0]:g} to {_WEIGHT_KG[1]:g} kg is plausible.",
            )
        return self.weight_kg

    def height(self) -> float:
        """Height in m. Refused: SUV_MISSING_HEIGHT, SUV_IMPLAUSIBLE_HEIGHT (outside 0.5 to 2.5 m)."""
        if not self.height_m:
            raise Refused(Code.SUV_MISSING_HEIGHT, "Patient's Size (0010,1020) is missing or zero.")
        if not _HEIGHT_M[0] <= self.height_m <= _HEIGHT_M[1]:
            hint = "; it looks like centimetres" if self.height_m > 3 else ""
            raise Refused(
                Code.SUV_IMPLAUSIBLE_HEIGHT, f"Patient's Size (0010,1020) is {self.height_m:g}, in metres{hint}."
            )
        return self.height_m

    def known_sex(self) -> Sex:
        """Sex. Refused: SUV_MISSING_SEX when it is neither M nor F."""
        if self.sex == "M":
            return "M"
        if self.sex == "F":
            return "F"
        raise Refused(Code.SUV_MISSING_SEX, "Patient's Sex (0010,0040) is neither M nor F; this kind of SUV needs it.")


def read_body(header: Dataset) -> Body:
    """Weight, height and sex as they stand in a header."""
    return Body(number(header, "PatientWeight"), number(header, "PatientSize"), text(header, "PatientSex"))


def lean_mass_james_kg(weight_kg: float, height_m: float, sex: Sex) -> float:
    """Lean body mass after James 1976: M 1.10 W - 128 (W/H)^2, F 1.07 W - 148 (W/H)^2; W in kg, H in cm.

    Refused: SUV_IMPLAUSIBLE_LBM where the formula collapses (not above 0, or above the weight).
    """
    ratio = (weight_kg / (height_m * 100.0)) ** 2
    lean = 1.10 * weight_kg - 128.0 * ratio if sex == "M" else 1.07 * weight_kg - 148.0 * ratio
    return _plausible_mass(lean, weight_kg)


def lean_mass_janmahasatian_kg(weight_kg: float, height_m: float, sex: Sex) -> float:
    """Lean body mass after Janmahasatian 2005: 9270 W / (6680 + 216 BMI) for M, / (8780 + 244 BMI) for F."""
    bmi = weight_kg / height_m**2
    lean = 9270.0 * weight_kg / (6680.0 + 216.0 * bmi if sex == "M" else 8780.0 + 244.0 * bmi)
    return _plausible_mass(lean, weight_kg)


def ideal_weight_kg(height_m: float, sex: Sex) -> float:
    """Ideal body weight after Sugawara 1999: M 48.0 + 1.06 (H - 152), F 45.5 + 0.91 (H - 152); H in cm."""
    above = height_m * 100.0 - 152.0
    ideal = 48.0 + 1.06 * above if sex == "M" else 45.5 + 0.91 * above
    if ideal <= 0:
        raise Refused(Code.SUV_IMPLAUSIBLE_LBM, "The ideal weight for this height is not above zero.")
    return ideal


def body_surface_m2(weight_kg: float, height_m: float) -> float:
    """Body surface after Du Bois: 0.007184 W^0.425 H^0.725; W in kg, H in cm."""
    return float(0.007184 * weight_kg**0.425 * (height_m * 100.0) ** 0.725)


def _plausible_mass(lean_kg: float, weight_kg: float) -> float:
    if not 0 < lean_kg <= weight_kg:
        raise Refused(
            Code.SUV_IMPLAUSIBLE_LBM, f"The lean body mass comes to {lean_kg:.1f} kg of {weight_kg:g} kg body weight."
        )
    return lean_kg
