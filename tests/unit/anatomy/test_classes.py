"""Other engines' organ maps in the classes of the network."""

from __future__ import annotations

import numpy as np
import pytest
from lymphoma.anatomy.classes import shipped_classes
from lymphoma.anatomy.organs import Anatomy
from lymphoma.anatomy.structures import structures
from lymphoma.errors import NotComputable
from lymphoma.imaging.volume import Volume

pytestmark = pytest.mark.unit

TABLE = shipped_classes()


@pytest.mark.parametrize("option", ["a", "b"])
def test_every_class_of_totalsegmentator_has_its_place(option: str) -> None:
    table = structures("a" if option == "a" else "b")
    assert [name for name in table.classes if TABLE.label_of(name) is None] == []
    lost = [name for name in table.names.values() if TABLE.label_of(name) is None]
    # option A has one structure for the whole spine, which the network tells in three
    assert lost == (["vertebrae"] if option == "a" else [])


@pytest.mark.parametrize(
    ("name", "organ"),
    [
        ("rib_left_7", "rib"),
        ("vertebrae_T3", "vertebrae_T"),
        ("vertebrae_S1", "sacrum"),
        ("lung_middle_lobe_right", "lung_right"),
        ("lung_left", "lung_left"),
        ("gluteus_minimus_left", "skeletal_muscle"),
        ("heart", "heart"),
        ("duodenum", "small_bowel"),
    ],
)
def test_names(name: str, organ: str) -> None:
    assert TABLE.names[TABLE.label_of(name) or 0] == organ


def test_a_map_of_another_engine_in_these_classes() -> None:
    labels = np.array([[[0, 1, 2, 3, 4]]], np.uint8)
    given = Anatomy("other", Volume(labels, np.eye(4)), {1: "rib_left_1", 2: "rib_right_2", 3: "liver", 4: "pineal"})
    made = TABLE.of(given)
    assert made.engine == "other"
    assert made.organs is not None
    assert [made.names.get(int(label)) for label in made.organs.array.ravel()] == [None, "rib", "rib", "liver", None]
    # what the other map cannot tell is not said to be absent
    assert made.has("liver", "rib")
    assert not made.has("brain")


def test_no_map_has_no_classes() -> None:
    with pytest.raises(NotComputable, match="NO_ANATOMY"):
        TABLE.of(Anatomy("none"))
