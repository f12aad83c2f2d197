"""The picture of organs: alike organs lie together, and where features tell nothing it says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from lymphoma.lamp.organ_map import KEY_ORGANS, OrganMap, organ_map
from lymphoma.prognosis.pooled import FEATURES, PooledFeatures
from nodal.evaluation.organ_picture import organ_section
from nodal.evaluation.page import Figures

pytestmark = pytest.mark.unit


def patients(count: int, apart: float) -> list[PooledFeatures]:
    """Organs whose features differ by ``apart`` standard deviations in a direction of their own."""
    rng = np.random.default_rng(3)
    middle = rng.normal(size=(len(KEY_ORGANS), FEATURES)) * apart
    none = np.zeros((0, FEATURES), np.float32)
    return [
        PooledFeatures(
            "a" * 64,
            none,
            (middle + rng.normal(size=middle.shape)).astype(np.float32),
            rng.random(len(KEY_ORGANS)) > 0.1,
            KEY_ORGANS,
        )
        for _ in range(count)
    ]


def drawn(count: int = 25, apart: float = 1.0) -> OrganMap:
    found = organ_map(patients(count, apart))
    assert found is not None
    return found


@pytest.mark.paper("lamp-tsne")
def test_organs_that_differ_lie_apart() -> None:
    found = drawn()
    places = np.stack([found.x, found.y], axis=1)
    middles = np.stack([places[found.organ == one].mean(axis=0) for one in range(len(KEY_ORGANS))])
    nearest = np.linalg.norm(places[:, None] - middles[None], axis=2).argmin(axis=1)
    assert (nearest == found.organ).mean() > 0.95
    assert found.silhouette > 0.2


def test_organs_that_do_not_differ_are_mixed() -> None:
    assert abs(drawn(apart=0.0).silhouette) < 0.03


def test_the_same_patients_give_the_same_points() -> None:
    np.testing.assert_array_equal(drawn().x, drawn().x)


def test_absent_organs_have_no_point() -> None:
    given = patients(25, 1.0)
    gone = [replace(one, present=one.present & (np.array(KEY_ORGANS) != "liver")) for one in given]
    found = organ_map(gone)
    assert found is not None
    assert KEY_ORGANS.index("liver") not in found.organ
    assert len(found.organ) == sum(int(one.present.sum()) for one in gone)


def test_too_little_is_no_picture() -> None:
    assert organ_map(patients(3, 1.0)) is None
    assert organ_map([]) is None


def test_the_section_names_each_organ_and_its_figure() -> None:
    found = drawn()
    words, figures = organ_section(found).blocks
    assert isinstance(figures, Figures)
    assert f"{found.silhouette:.2f}" in words.text
    assert [one.name for one in figures.pictures[0].picture.series] == [name.replace("_", " ") for name in KEY_ORGANS]
