"""Which organs take up FDG in health, by whatever name a map has for them."""

from __future__ import annotations

import numpy as np
import pytest
from lymphoma.anatomy.classes import shipped_classes
from lymphoma.anatomy.organs import Anatomy
from lymphoma.anatomy.physiological import PHYSIOLOGICAL, physiological_names, untold, uptake_of
from lymphoma.anatomy.stations import plain_organ
from lymphoma.anatomy.structures import structures
from lymphoma.imaging.volume import Volume
from lymphoma.simulation.tissues import ORGAN_NAMES

pytestmark = pytest.mark.unit


def a_map(names: dict[int, str]) -> Anatomy:
    return Anatomy("some", Volume(np.zeros((1, 1, 1), np.uint8), np.eye(4)), names)


NETWORK = a_map(dict(shipped_classes().names))
TOTALSEGMENTATOR = a_map(dict(structures().names))
GENERATOR = a_map(dict(ORGAN_NAMES))


@pytest.mark.parametrize("name", ["brain", "kidney_left", "kidney_right", "ureter", "ureter_left", "urinary_bladder"])
def test_brain_and_urinary_tract_always(name: str) -> None:
    found = uptake_of(name)
    assert found is not None
    assert found.above_4 == "always"


@pytest.mark.parametrize("anatomy", [NETWORK, TOTALSEGMENTATOR, GENERATOR])
def test_what_every_map_tells(anatomy: Anatomy) -> None:
    plain = {plain_organ(name) for name in physiological_names(anatomy)}
    assert plain >= {"brain", "kidney", "urinary_bladder", "heart", "stomach", "small_bowel", "colon"}
    assert plain.isdisjoint({"liver", "spleen", "lung", "vertebrae", "aorta", "femur", "rib", "sacrum", "hip"})
    assert plain_organ("liver") in {plain_organ(name) for name in physiological_names(anatomy, ("seldom",))}


def test_names_are_those_of_the_map() -> None:
    assert {"kidney_left", "kidney_right"} <= set(physiological_names(NETWORK))
    assert "heart_myocardium" in physiological_names(GENERATOR)
    assert physiological_names(Anatomy("none")) == ()


def test_what_a_map_cannot_tell_from_disease() -> None:
    # prostate and oesophagus alone have no class of their own, or have one
    assert untold(NETWORK) == ("prostate",)
    assert set(untold(TOTALSEGMENTATOR)) >= {"ureter", "tonsil", "parotid_gland", "tongue", "testis", "uterus"}
    assert set(untold(Anatomy("none"))) >= {"brain", "kidney", "colon"}


def test_marrow_is_not_physiological() -> None:
    assert all(uptake_of(name) is None for name in ("vertebrae_L", "femur_left", "hip_right", "sacrum", "bone"))
    assert all(one.why for one in PHYSIOLOGICAL.values())
