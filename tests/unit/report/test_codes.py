"""The coded sites: as pydicom's dictionaries have them, and known for the organs that lymphoma is found in."""

from __future__ import annotations

import pytest
from lymphoma.simulation.tissues import ORGAN_NAMES
from nodal.report import codes
from pydicom.sr._concepts_dict import concepts

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
