"""Stage from sites: every rule by hand-made cases."""

from __future__ import annotations

import pytest
from lymphoma.anatomy.stations import Site
from lymphoma.survival.indices import EXTRANODAL_SITES
from lymphoma.survival.staging import _WORDS, extranodal_word, suggest_staging

pytestmark = pytest.mark.unit


def nodes(*stations: str) -> list[Site]:
    return [Site(number, None, station, None) for number, station in enumerate(stations, start=1)]


def organs(*names: str | None) -> list[Site]:
    return [Site(number, name, None, None) for number, name in enumerate(names, start=100)]


@pytest.mark.parametrize(
    ("sites", "stage"),
    [
        (nodes("mediastinal"), "I"),
        (nodes("mediastinal", "mediastinal"), "I"),
        (nodes("cervical_left", "cervical_right"), "II"),
        (nodes("cervical_left", "axillary_right", "mediastinal"), "II"),
        (nodes("paraaortic", "inguinal_left"), "II"),
        (nodes("waldeyer_left"), "I"),
        (nodes("cervical_left", "paraaortic"), "III"),
        (nodes("mediastinal", "spleen"), "III"),
        (nodes("spleen"), "I"),
        (organs("stomach"), "I"),
        (organs("stomach", "kidney_left"), "IV"),
        (nodes("mesenteric") + organs("stomach"), "IV"),
        (nodes("mesenteric") + organs("liver"), "IV"),
        (nodes("cervical_left", "paraaortic") + organs("stomach"), "IV"),
        (organs("vertebrae_T", "hip_left", "rib_right"), "IV"),
    ],
)
def test_each_stage(sites: list[Site], stage: str) -> None:
    found = suggest_staging(sites)
    assert found is not None
    assert (found.stage, found.at_least) == (stage, False)


def test_extension_into_an_organ_is_a_doubt_for_a_person() -> None:
    found = suggest_staging(nodes("mesenteric") + organs("stomach"))
    assert found is not None
    assert any("IIE" in doubt for doubt in found.doubts)
    disseminated = suggest_staging(nodes("mesenteric") + organs("liver"))
    assert disseminated is not None
    assert not any("E" in doubt for doubt in disseminated.doubts)


def test_several_bone_lesions_may_be_marrow() -> None:
    found = suggest_staging(organs("vertebrae_T", "vertebrae_L", "hip_left"))
    assert found is not None
    assert found.organs == ("bone",)
    assert any("marrow" in doubt for doubt in found.doubts)


def test_a_paired_organ_is_one_and_lymphatic_organs_are_none() -> None:
    found = suggest_staging(organs("kidney_left", "kidney_right") + nodes("spleen", "waldeyer_left"))
    assert found is not None
    assert found.organs == ("kidney",)


def test_a_lesion_that_cannot_be_placed_makes_it_a_least() -> None:
    found = suggest_staging(nodes("mediastinal") + organs(None))
    assert found is not None
    assert (found.stage, found.at_least) == ("I", True)
    assert suggest_staging(organs(None)) is None
    assert suggest_staging([]) is None


def test_words_are_those_of_the_clinical_record() -> None:
    assert set(_WORDS.values()) <= EXTRANODAL_SITES
    assert extranodal_word("kidney_left") == "kidney"
    assert extranodal_word("vertebrae_L3") == "bone"
    assert extranodal_word("aorta") is None
