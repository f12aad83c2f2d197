"""117 classes, 71 structures, in two ways."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from lymphoma.anatomy.structures import StructureTable, structures

pytestmark = pytest.mark.unit


@pytest.mark.paper("lamp-organs")
def test_the_default_keeps_sides_of_lungs_and_parts_of_the_spine() -> None:
    table = structures()
    assert (len(table.classes), len(table.names)) == (117, 71)
    held = {name: count for name, count in Counter(table.holds).items() if count > 1}
    assert held == {
        "rib_left": 12, "rib_right": 12, "lung_left": 2, "lung_right": 3,
        "vertebrae_C": 7, "vertebrae_T": 12, "vertebrae_L": 5,
    }  # fmt: skip
    assert table.of["vertebrae_S1"] == "vertebrae_S1"


@pytest.mark.paper("lamp-organs")
def test_option_a_keeps_the_lobes() -> None:
    table = structures("a")
    assert (len(table.classes), len(table.names)) == (117, 71)
    held = {name: count for name, count in Counter(table.holds).items() if count > 1}
    assert held == {"rib_left": 12, "rib_right": 12, "vertebrae": 25}


def test_labels_are_merged() -> None:
    """Labels of the published list: 5 liver, 10 to 14 lung lobes, 44 vertebrae_C7, 104 rib_right_1, 117 the last."""
    table = structures()
    names = [table.names.get(int(label)) for label in table.merged(np.array([0, 5, 10, 11, 14, 44, 50, 104, 117]))]
    assert names == [
        None, "liver", "lung_left", "lung_left", "lung_right", "vertebrae_C", "vertebrae_C", "rib_right",
        "costal_cartilages",
    ]  # fmt: skip


def test_another_number_of_structures_is_refused() -> None:
    table = structures()
    with pytest.raises(ValueError, match="117 classes become 71"):
        StructureTable(table.classes, ("one",) * 117)
