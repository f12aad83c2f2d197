"""FDG must be named; what else is named, or nothing, is refused."""

from __future__ import annotations

import pytest
from nodal.errors import Code
from nodal.intake.tracer import not_fdg
from pydicom import Dataset

from tests.unit.intake.headers import code, fdg

pytestmark = pytest.mark.unit

FDG_CODE, F18 = ("C-B1031", "SRT", "Fluorodeoxyglucose F^18^"), ("C-111A1", "SRT", "^18^Fluorine")
GE_CODE, SCT_CODE = ("Y-X1743", "99SDM", "FDG -- fluorodeoxyglucose"), ("35321007", "SCT", "Fluorodeoxyglucose F^18^")


def header(name: str | None, drug: tuple[str, str, str] | None, nuclide: tuple[str, str, str] | None = F18) -> Dataset:
    made, item = Dataset(), Dataset()
    if name is not None:
        item.Radiopharmaceutical = name
    if drug:
        item.RadiopharmaceuticalCodeSequence = code(*drug)
    if nuclide:
        item.RadionuclideCodeSequence = code(*nuclide)
    item.RadionuclideHalfLife = "6586.2"
    made.RadiopharmaceuticalInformationSequence = [item]
    return made


@pytest.mark.parametrize(
    ("name", "drug"),
    [
        ("FDG -- fluorodeoxyglucose", None),
        ("F-18 FDG", None),
        ("18F-FDG", None),
        ("F18FDG", None),
        ("Fluordesoxyglukose", None),
        ("Fludeoxyglucose (18F)", None),
        ("[18F]fluoro-2-deoxy-D-glucose", None),
        ("fluorodésoxyglucose", None),
        ("Solution", FDG_CODE),
        (None, FDG_CODE),
        (None, SCT_CODE),
        ("", GE_CODE),
        ("FDG", ("999", "99LOCAL", "our FDG")),
    ],
)
def test_fdg_by_name_or_code(name: str | None, drug: tuple[str, str, str] | None) -> None:
    assert not_fdg(header(name, drug)) is None
    assert not_fdg(header(name, drug, nuclide=None)) is None


@pytest.mark.parametrize(
    ("name", "drug", "nuclide"),
    [
        ("Solution", None, F18),  # fluorine-18 alone
        (None, None, F18),
        ("F-18 PSMA-1007", None, F18),
        ("18F-PSMA", FDG_CODE, F18),  # typed over a default code
        ("Fluorocholine", None, F18),
        ("FDOPA", None, F18),
        ("Sodium fluoride", None, F18),
        ("NaF", None, F18),
        ("FET", None, F18),
        (None, ("C-B1036", "SRT", "Fluorodopa F^18^"), F18),
        ("Ga-68 DOTATATE", None, ("C-131A3", "SRT", "^68^Gallium")),
        ("FDG", FDG_CODE, ("C-131A3", "SRT", "^68^Gallium")),
    ],
)
def test_another_tracer_or_none(name: str | None, drug: object, nuclide: object) -> None:
    fault = not_fdg(header(name, drug, nuclide))  # type: ignore[arg-type]
    assert fault is not None
    assert fault[0] == Code.NOT_FDG


@pytest.mark.parametrize(("half_life", "fine"), [(6586.2, True), (6588.0, True), (4062.6, False), (109.77, False)])
def test_half_life_window(half_life: float, fine: bool) -> None:
    made = header("FDG", FDG_CODE)
    made.RadiopharmaceuticalInformationSequence[0].RadionuclideHalfLife = half_life
    assert (not_fdg(made) is None) == fine


def test_a_missing_half_life_is_left_to_the_conversion() -> None:
    made = header("FDG", FDG_CODE)
    del made.RadiopharmaceuticalInformationSequence[0].RadionuclideHalfLife
    assert not_fdg(made) is None


def test_a_description_naming_another_tracer_outweighs_the_default() -> None:
    made = header("FDG", FDG_CODE)
    made.StudyDescription = "PET/CT Ga-68-PSMA"
    assert not_fdg(made) is not None
    made.StudyDescription = "PET/CT FDG, PSMA another day"
    assert not_fdg(made) is None
    made.StudyDescription = "PET FES 3D, C 11"  # short names mean something else in a description
    assert not_fdg(made) is None


def test_two_radiopharmaceuticals() -> None:
    made = Dataset()
    made.RadiopharmaceuticalInformationSequence = [*fdg(), *fdg()]
    fault = not_fdg(made)
    assert fault is not None
    assert fault[0] == Code.SUV_SEVERAL_TRACERS
