"""The coded sites: as pydicom's dictionaries have them, and known for the organs that lymphoma is found in."""

from __future__ import annotations

import pytest
from lymphoma.simulation.tissues import ORGAN_NAMES
from nodal.report import codes, risk_codes
from nodal.report.sr_items import concept
from pydicom.sr._concepts_dict import concepts

from tests.conftest import ROOT

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(("words", "code"), codes._SITES)
def test_code_and_meaning_agree_with_the_dictionary(words: tuple[str, ...], code: codes.Code) -> None:
    # the dictionary's meanings are those of several context groups: "Bladder" and "Urinary bladder structure ..."
    meanings = {
        meaning.lower()
        for concept in concepts["SCT"].values()
        for value, (meaning, _) in concept.items()
        if value == code.value
    }
    assert meanings, f"{code.value} is not in the dictionary"
    mine = code.meaning.lower()
    assert any(mine in meaning or meaning in mine for meaning in meanings), meanings


def test_organs_that_bear_lesions_have_a_code() -> None:
    bearing = ("bone", "liver", "lung", "vertebrae", "rib", "femur", "kidney", "adrenal", "stomach", "tonsil", "testis")
    organs = [name for name in ORGAN_NAMES.values() if any(word in name for word in bearing)]
    assert len(organs) > 12
    for organ in organs:
        assert codes.site_code(organ, None) is not None, organ
    assert codes.site_code("subcutaneous_fat", None) is None
    assert codes.site_code("kidney_left", "cervical_left") == codes.LYMPH_NODE


@pytest.mark.parametrize("code", [code for code in vars(risk_codes).values() if isinstance(code, codes.Code)])
def test_codes_beside_a_risk_are_private_and_listed_or_in_the_dictionary(code: codes.Code) -> None:
    if code.scheme_designator == codes.PRIVATE_SCHEME:
        listed = (ROOT / "docs/conformance.md").read_text(encoding="utf-8")
        assert f"`{code.value}`" in listed, code
        return
    known = {
        value: meaning
        for concept in concepts[code.scheme_designator].values()
        for value, (meaning, _) in concept.items()
    }
    if code == risk_codes.UNIT_POINTS:
        # UCUM lets any text stand in braces; it counts as the unit 1.
        assert code.value == "{points}"
        return
    assert known[code.value].lower() == code.meaning.lower()


@pytest.mark.parametrize("group", ["low", "low-intermediate", "intermediate", "high-intermediate", "high"])
def test_grades_of_risk_are_those_of_cid_3118(group: str) -> None:
    code = risk_codes.group_code(group)
    graded = {
        value: meaning
        for concept in concepts["SCT"].values()
        for value, (meaning, groups) in concept.items()
        if 3118 in groups
    }
    assert graded[code.value] == code.meaning


def test_a_group_of_another_name_is_private_and_keeps_its_name() -> None:
    code = risk_codes.group_code("DFR high, NCCN-IPI 4 and more")
    assert (code.scheme_designator, code.meaning) == (codes.PRIVATE_SCHEME, "DFR high, NCCN-IPI 4 and more")
    assert len(code.value) == 16
    assert risk_codes.group_code("DFR high, NCCN-IPI 3 and less").value != code.value
    assert risk_codes.group_code("very good").value == "G_VERYGOOD"


def test_a_long_name_never_loses_that_it_is_simulation_trained() -> None:
    title = "A system of a name that is long enough to fill what a code may hold"
    code = risk_codes.system_code(title, "SURV", "predicted", "pfs", 120, simulated=True)
    assert code.value == "SIM_SURV_PFS_120"
    assert len(code.meaning) == 64
    assert code.meaning.endswith("..., simulation-trained")
    local = risk_codes.system_code("LAMP", "SURV", "predicted", "pfs", 120, simulated=False)
    assert (local.value, local.meaning) == ("SURV_PFS_120", "LAMP: 10-year PFS, predicted")


@pytest.mark.parametrize("months", [1, 12, 30.5, 120, 1200])
def test_any_horizon_has_a_code_of_its_own(months: float) -> None:
    code = risk_codes.system_code("LAMP", "SURV", "predicted", "pfs", months, simulated=True)
    other = risk_codes.system_code("LAMP", "SURV", "predicted", "pfs", months + 0.5, simulated=True)
    assert len(code.value) <= 16
    assert code.value != other.value


def test_the_same_code_with_two_names_keeps_both() -> None:
    # pydicom takes codes of one value for equal: a cache by code would give the second the first one's name.
    of = [risk_codes.published_code(name, "os", 60) for name in ("IPI", "R-IPI")]
    assert of[0] == of[1]
    assert [concept(code).meaning for code in of] == [code.meaning for code in of]
    assert of[0].meaning != of[1].meaning


@pytest.mark.parametrize("field", ["ipi", "aa_ipi", "r_ipi", "nccn_ipi", "cns_ipi"])
def test_a_range_of_points_has_codes_of_its_own(field: str) -> None:
    assert len({code.value for code in risk_codes.points_codes(field, "x")}) == 3
