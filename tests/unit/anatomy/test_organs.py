"""Organ maps and their engines."""

from __future__ import annotations

import numpy as np
import pytest
from lymphoma.anatomy import Anatomy, AnatomyEngine, GivenAnatomy, NoAnatomy
from lymphoma.errors import NotComputable

from tests.unit.imaging.grids import FLIPPED, zeros

pytestmark = pytest.mark.unit

NAMES = {1: "liver", 2: "spleen", 300: "brain"}


def two_organs() -> Anatomy:
    labels = np.zeros((4, 4, 10), np.uint16)
    labels[..., 2:5], labels[..., 5:8] = 1, 2
    return Anatomy("given", zeros(labels.shape).with_array(labels), NAMES)


def test_masks_by_name():
    anatomy = two_organs()
    assert np.flatnonzero(anatomy.mask("spleen")[0, 0]).tolist() == [5, 6, 7]
    assert np.flatnonzero(anatomy.mask("liver", "spleen")[0, 0]).tolist() == [2, 3, 4, 5, 6, 7]
    # known to the map, not in the field of view
    assert not anatomy.mask("brain").any()


@pytest.mark.parametrize("anatomy", [Anatomy("none"), two_organs()])
def test_an_unknown_organ_is_said(anatomy):
    assert not anatomy.has("aorta")
    with pytest.raises(NotComputable) as refusal:
        anatomy.mask("aorta")
    assert refusal.value.code == "NO_ANATOMY"
    assert "aorta" in refusal.value.reason


def test_the_engine_that_finds_nothing():
    engine: AnatomyEngine = NoAnatomy()
    anatomy = engine.find(zeros((3, 3, 3)), zeros((3, 3, 3)))
    assert (engine.name, anatomy.engine, anatomy.organs) == ("none", "none", None)


def test_a_given_map_on_another_grid():
    """Labels at 2 mm, x turned round, on a PET of 4 mm."""
    labels = np.zeros((8, 8, 8), np.uint16)
    labels[:, :, :4] = 300
    organs = zeros(labels.shape, spacing=(2, 2, 2), rotation=FLIPPED, origin=(15, 1, 15)).with_array(labels)
    pet = zeros((4, 4, 4), origin=(2, 2, 2))
    engine: AnatomyEngine = GivenAnatomy(organs, NAMES)
    anatomy = engine.find(pet, pet)
    assert anatomy.engine == engine.name == "given"
    assert anatomy.organs.same_grid(pet)
    # columns 0..3 run from x = 15 mm down to 9 mm, the PET's columns 2 and 3 lie at 10 and 14 mm
    assert anatomy.mask("brain")[0, 0].tolist() == [False, False, True, True]


def test_a_given_map_on_the_same_grid_is_taken_as_it_is():
    anatomy = two_organs()
    found = GivenAnatomy(anatomy.organs, NAMES).find(zeros((4, 4, 10)), zeros((4, 4, 10)))
    assert found.organs is anatomy.organs
