"""The words that tell a later scan from a baseline, and those that must not."""

from __future__ import annotations

import pytest
from nodal.intake.baseline import Timepoint, timepoint_in
from pydicom import Dataset

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "timepoint"),
    [
        ("PET/CT Interim", "interim"),
        ("iPET Hodgkin", "interim"),
        ("FDG after 2 cycles", "interim"),
        ("post 4x R-CHOP", "interim"),
        ("nach 3 Zyklen", "interim"),
        ("Zwischenstaging Lymphom", "interim"),
        ("TEP après 2 cures", "interim"),
        ("TEP post C2", "interim"),
        ("Mid-treatment PET", "interim"),
        ("End of treatment PET", "end_of_treatment"),
        ("PET_CT_EOT", "end_of_treatment"),
        ("Post-chemotherapy", "end_of_treatment"),
        ("Abschlussstaging", "end_of_treatment"),
        ("TEP fin de traitement", "end_of_treatment"),
        ("PET CT Follow-up", "follow_up"),
        ("Restaging lymphoma", "follow_up"),
        ("Re-staging", "follow_up"),
        ("Verlaufskontrolle", "follow_up"),
        ("V.a. Rezidiv", "follow_up"),
        ("Bilan de récidive", "follow_up"),
        ("Follow-up, compared with baseline", "follow_up"),
        ("Baseline PET/CT", "baseline"),
        ("Initial staging", "baseline"),
        ("Primärstaging", "baseline"),
        ("Bilan d'extension initial", "baseline"),
        ("pre-treatment", "baseline"),
        ("PET/CT skull base to thigh", None),
        ("PET 2 beds, 3 min", None),
        ("Recon 2: 4 iterations, post filter 5 mm", None),
        ("Routine control", None),
        ("C2 spine", None),
        ("IBSI_1_STS_001_PET_image", None),
        ("PET CTAC 3.27 thick", None),
        ("Staging lymphoma", None),
        ("", None),
    ],
)
def test_words(text: str, timepoint: Timepoint | None) -> None:
    header = Dataset()
    header.StudyDescription = text
    assert timepoint_in([header]) == timepoint


def test_any_of_the_series_may_say_it() -> None:
    silent, telling = Dataset(), Dataset()
    telling.ProtocolName = "EOT PET"
    assert timepoint_in([silent, telling]) == "end_of_treatment"
