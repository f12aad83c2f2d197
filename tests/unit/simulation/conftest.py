"""One small virtual patient for the tests of this room."""

from __future__ import annotations

import pytest
from lymphoma.simulation import VirtualPatient, build_patient, draw_patient

from tests.virtual import SMALL


@pytest.fixture(scope="session")
def small_patient() -> VirtualPatient:
    """Seed 1 with six lesions, in coarse voxels."""
    return build_patient(draw_patient(1, lesions=6), SMALL)
