"""The canonical digest: deaf to what does not matter, sensitive to all that does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from nodal.clinical.record import ClinicalRecord
from nodal.findings import Findings
from nodal.report.canonical import canonical_findings, findings_digest, inputs_digest

from tests.unit.report.sample import sample_inputs, with_findings

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def findings() -> Findings:
    return sample_inputs(3).findings


def test_processing_time_and_device_do_not_count(findings: Findings) -> None:
    other = replace(findings.provenance, started="2031-01-01T00:00:00Z", device="cuda", stage_seconds={"load": 9.0})
    assert findings_digest(replace(findings, provenance=other)) == findings_digest(findings)


def test_the_seventh_digit_does_not_count_and_the_sixth_does(findings: Findings) -> None:
    totals = replace(findings.totals, tmtv_ml=123.456)
    seventh = replace(totals, tmtv_ml=123.4561)
    sixth = replace(totals, tmtv_ml=123.457)
    digests = [findings_digest(replace(findings, totals=one)) for one in (totals, seventh, sixth)]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(
    "changes",
    [
        {"clinical": ClinicalRecord(ldh_ratio=1.4)},
        {"settings_sha256": "0" * 64},
        {"lesion_map_sha256": "0" * 64},
        {"predecessor_sr_uid": "2.25.1"},
        {"content_datetime": "20240611101531.000000"},
        {"baseline": "confirmed"},
        {"not_computed": ()},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_every_other_change_counts(findings: Findings, changes: dict[str, object]) -> None:
    assert findings_digest(replace(findings, **changes)) != findings_digest(findings)  # type: ignore[arg-type]


def test_node_version_counts(findings: Findings) -> None:
    newer = replace(findings.provenance, node_version="0.2.0")
    assert findings_digest(replace(findings, provenance=newer)) != findings_digest(findings)


def test_a_number_that_is_not_finite_has_no_digest(findings: Findings) -> None:
    broken = replace(findings, totals=replace(findings.totals, tmtv_ml=float("nan")))
    with pytest.raises(ValueError, match="finite"):
        findings_digest(broken)


def test_canonical_findings_hold_the_numbers_the_digest_saw(findings: Findings) -> None:
    third = replace(findings, totals=replace(findings.totals, tmtv_ml=1 / 3))
    rounded = canonical_findings(third)
    assert rounded.totals.tmtv_ml == 0.333333
    assert findings_digest(rounded) == findings_digest(third)
    assert rounded.totals.lesion_count == 3
    assert canonical_findings(rounded) == rounded


@pytest.mark.parametrize("keyword", ["PatientName", "AccessionNumber", "SOPInstanceUID"])
def test_inputs_digest_covers_the_patient_and_the_instances(keyword: str) -> None:
    inputs = sample_inputs(1)
    before = inputs_digest(inputs)
    setattr(inputs.pet_headers[0], keyword, "1.2.3")
    assert inputs_digest(inputs) != before


def test_inputs_digest_covers_every_voxel() -> None:
    inputs = sample_inputs(1)
    values = inputs.suv.array.copy()
    values[0, 0, 0] += np.float32(1e-3)
    assert inputs_digest(replace(inputs, suv=inputs.suv.with_array(values))) != inputs_digest(inputs)


def test_inputs_digest_ignores_what_is_not_copied() -> None:
    inputs = sample_inputs(1)
    before = inputs_digest(inputs)
    inputs.pet_headers[0].AdditionalPatientHistory = "something else"
    assert inputs_digest(inputs) == before
    assert inputs_digest(with_findings(inputs, virtual=True)) != before
