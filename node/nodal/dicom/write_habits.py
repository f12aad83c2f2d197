"""How the makers of scanners write their headers, as far as SUV and the choice of series depend on it.

A virtual study names no maker as its own: Manufacturer reads "GE habits (Nodal simulation)" and the like. It begins
with the maker's name where a rule of the product asks for that (GE's frame times, Philips's factors without their
creator), so that the rule is met by a study that says what it is. Half-lives, private elements and the list of
corrections follow science 1.1 to 1.3; descriptions and names of kernels are of the kind these makers use [A].
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from lymphoma.simulation import PatientPlan
from lymphoma.simulation.vendors import Vendor

__all__ = ["Habit", "habit_of"]


@dataclass(frozen=True)
class Habit:
    """What differs between makers.

    Attributes:
        manufacturer, model: as in General Equipment.
        units: of the PET. GML is body-weight SUV, said by SUV Type.
        per_slice_slope: every slice fills 15 bits with a slope of its own; else one slope holds for the series.
        half_life_s: of fluorine-18, as this maker writes it.
        injection: which of Radiopharmaceutical Start DateTime and Time are given.
        frame_reference: Frame Reference Time runs to the frame's mean activity, or to its start (GE).
        restamped: Series Time is that of a later reconstruction; only the frames' times and GE's private scan time
            tell when the scan began.
        factors: which Philips scale factors are given: the SUV factor (7053,1000), the activity factor (7053,1009).
        corrected: Corrected Image. randoms, scatter, attenuation, reconstruction: the methods' names.
        pet_description, ct_description: Series Description. kernel, sharp_kernel: of the CT.
    """

    manufacturer: str
    model: str
    pet_description: str
    ct_description: str
    kernel: str
    sharp_kernel: str
    reconstruction: str
    units: Literal["BQML", "CNTS", "GML"] = "BQML"
    per_slice_slope: bool = True
    half_life_s: float = 6586.2
    injection: Literal["both", "datetime", "time"] = "both"
    frame_reference: Literal["mean", "start"] = "mean"
    restamped: bool = False
    factors: tuple[Literal["suv", "activity"], ...] = ()
    corrected: tuple[str, ...] = ("NORM", "DTIM", "ATTN", "SCAT", "DECY", "RAN")
    randoms: str = "DLYD"
    scatter: str = "model-based (simulated)"
    attenuation: str = "measured, CT (simulated)"

    @property
    def ge(self) -> bool:
        """Writes GE's private scan time."""
        return self.manufacturer.startswith("GE ")


_PLAIN = Habit(
    manufacturer="Nodal simulation",
    model="Virtual PET/CT",
    pet_description="Virtual PET AC whole body",
    ct_description="Virtual CT low dose",
    kernel="simulated",
    sharp_kernel="LUNG",
    reconstruction="simulated",
)
_SIEMENS = Habit(
    manufacturer="SIEMENS habits (Nodal simulation)",
    model="Biograph habits",
    pet_description="PET WB (AC)",
    ct_description="CT WB 3.0 B30f",
    kernel="B30f",
    sharp_kernel="B70f",
    reconstruction="OSEM3D 2i21s",
    corrected=("NORM", "DTIM", "ATTN", "SCAT", "DECY", "RAN"),
    scatter="Model-based",
    attenuation="measured,AC CT",
)
_GE = Habit(
    manufacturer="GE habits (Nodal simulation)",
    model="Discovery habits",
    pet_description="WB 3D MAC",
    ct_description="CTAC 3.27 THICK",
    kernel="STANDARD",
    sharp_kernel="LUNG",
    reconstruction="VPFX",
    half_life_s=6588.0,
    frame_reference="start",
    corrected=("DECY", "ATTN", "SCAT", "DTIM", "RANSNG", "DCAL", "SLSENS", "NORM"),
    randoms="SING",
    scatter="Convolution subtraction",
    attenuation="CTAC",
)
_PHILIPS = Habit(
    manufacturer="PHILIPS habits (Nodal simulation)",
    model="Ingenuity habits",
    pet_description="Body_CTAC",
    ct_description="CT WB 4.00 B",
    kernel="B",
    sharp_kernel="LUNG",
    reconstruction="BLOB-OS-TF",
    half_life_s=6586.2,
    corrected=("DECY", "RADL", "ATTN", "SCAT", "DTIM", "RAN", "NORM"),
    scatter="SS-SIMUL",
    attenuation="CTAC-SG",
)
_UIH = Habit(
    manufacturer="UIH habits (Nodal simulation)",
    model="uMI habits",
    pet_description="WB_CTAC_OSEM",
    ct_description="CT AC 3.0 B_SOFT_B",
    kernel="B_SOFT_B",
    sharp_kernel="LUNG",
    reconstruction="OSEM TOF",
    half_life_s=6586.26,
    corrected=("NORM", "DTIM", "ATTN", "SCAT", "DECY", "RAN"),
    attenuation="CTAC",
)
_BY_VENDOR: dict[Vendor, Habit] = {
    "nodal": _PLAIN,
    "siemens": _SIEMENS,
    "ge": _GE,
    "philips": _PHILIPS,
    "uih": _UIH,
}


def habit_of(plan: PatientPlan, *, per_slice_slope: bool | None = None) -> Habit:
    """The habits of the plan's scanner, with the variants that its seed draws.

    Args:
        per_slice_slope: overrules the maker's.
    """
    vendor = plan.scan.model.vendor
    habit = _vary(_BY_VENDOR[vendor], vendor, np.random.default_rng([plan.seed, 16]))
    if vendor != "nodal":
        name = f"{plan.scan.model.model} habits"
        method = f"{habit.reconstruction}{'+PSF' if plan.scan.overshoot else ''}"
        habit = replace(habit, model=name, reconstruction=method)
    return habit if per_slice_slope is None else replace(habit, per_slice_slope=per_slice_slope)


def _vary(habit: Habit, vendor: Vendor, rng: np.random.Generator) -> Habit:
    """Each maker's exports differ by site and software [A]: half of each kind."""
    first, second = (bool(draw < 0.5) for draw in rng.random(2))
    if vendor == "siemens":
        return replace(habit, per_slice_slope=first, injection="datetime" if second else "both")
    if vendor == "ge":
        return replace(habit, restamped=first, injection="both" if second else "time")
    if vendor == "philips":
        if first:
            return replace(habit, units="CNTS", factors=("suv", "activity") if second else ("activity",))
        return replace(habit, injection="time")
    if vendor == "uih":
        return replace(habit, units="GML" if first else "BQML", per_slice_slope=second, injection="datetime")
    return habit
