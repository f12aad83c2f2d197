"""``nodal simulate`` without its command line."""

from __future__ import annotations

from pathlib import Path

import pytest
from lymphoma.simulation import Protocol
from nodal.errors import WrongUsage
from nodal.simulate import simulate

pytestmark = pytest.mark.unit

TINY = Protocol(pet_spacing_mm=(8, 8, 20), pet_matrix=84, ct_spacing_mm=(8, 8, 20), ct_matrix=84, axial_extent_mm=200)


def test_patients_with_consecutive_seeds(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    out = tmp_path / "made" / "here"
    written = simulate(2, out, 40, protocol=TINY, progress=lambda done, of: seen.append((done, of)))
    assert [study.seed for study in written] == [40, 41]
    assert sorted(path.name for path in out.iterdir()) == ["NODAL-V-40", "NODAL-V-41"]
    assert seen == [(0, 2), (1, 2), (2, 2)]
    assert len({study.study_instance_uid for study in written}) == 2


@pytest.mark.parametrize(("patients", "seed", "lesions"), [(0, 1, None), (1, -1, None), (1, 1, -2)])
def test_nonsense_is_refused(tmp_path: Path, patients: int, seed: int, lesions: int | None) -> None:
    with pytest.raises(WrongUsage):
        simulate(patients, tmp_path / "out", seed, lesions=lesions)
    assert not (tmp_path / "out").exists()
