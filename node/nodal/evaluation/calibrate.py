"""``nodal calibrate``: a site's intercept and slope, recorded in the bundle's evidence.

The models stay as they were fitted, so the bundle's digest does not change; the correction has a digest of its own, to
which an acceptance is bound. A recalibrated bundle says something else of a patient, so that its acceptance is taken
away: it runs again on the corrected bundle.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from lymphoma.combined import COMBINED
from lymphoma.errors import NotComputable
from lymphoma.evaluation.patients import Patients
from lymphoma.evaluation.recalibrate import RecalibrationResult, recalibrate
from lymphoma.evaluation.scoring import judge_patients
from lymphoma.prognosis.model import ENDPOINTS, Endpoint
from lymphoma.training.bundle import Bundle, write_evidence
from lymphoma.training.evidence import RecalibrationRecord
from lymphoma.training.metadata import contents_digest

from nodal.errors import Code, Refused, WrongUsage
from nodal.evaluation.opening import open_bundle, refuse_virtual

__all__ = ["CalibrationRun", "EndpointCalibration", "calibrate"]


@dataclass(frozen=True)
class EndpointCalibration:
    """Attributes: result: None where ``code`` and ``reason`` say why."""

    endpoint: Endpoint
    result: RecalibrationResult | None
    code: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class CalibrationRun:
    """What was corrected.

    Attributes:
        written: into the bundle. needs_acceptance: the bundle does not speak before ``nodal qualify`` was passed.
    """

    bundle: str
    cohort: str
    patients: int
    endpoints: tuple[EndpointCalibration, ...]
    written: bool
    needs_acceptance: bool


def calibrate(folder: Path, patients: Patients, *, by: str, at: str, write: bool = True) -> CalibrationRun:
    """Fits a correction of each endpoint and records it.

    Args:
        by: who answers for it. at: ISO 8601 in UTC. write: False only shows what it would be.

    Raises:
        WrongUsage: a combined bundle, which is fitted on the site's cohort as it is.
        Refused: COHORT_VIRTUAL; SCORES_NOT_OUT_OF_FOLD. NotComputable: where no endpoint can be corrected.
    """
    bundle = open_bundle(folder)
    if bundle.metadata.nodal.system == COMBINED:
        raise WrongUsage("a combination is fitted on a site's own cohort; make it again with nodal combine")
    refuse_virtual([bundle], patients)
    found: list[EndpointCalibration] = []
    faults: list[NotComputable] = []
    for endpoint in ENDPOINTS:
        try:
            result = _endpoint(bundle, patients, endpoint)
        except NotComputable as error:
            faults.append(error)
            found.append(EndpointCalibration(endpoint, None, error.code, error.reason))
            continue
        if result is not None:
            found.append(EndpointCalibration(endpoint, result))
    if not any(one.result for one in found):
        raise faults[0] if faults else NotComputable("NO_BUNDLE", "the bundle has no model of survival")
    if write:
        _record(bundle, patients, found, by, at)
    needs = bundle.evidence.level != "E0"
    return CalibrationRun(bundle.metadata.name, patients.cohort, len(patients), tuple(found), write, write and needs)


def _endpoint(bundle: Bundle, patients: Patients, endpoint: Endpoint) -> RecalibrationResult | None:
    model, judged = bundle.survival(endpoint), judge_patients(bundle, patients, endpoint)
    if model is None or judged is None:
        return None
    if not judged.scores.out_of_fold:
        what = f"{bundle.metadata.name} was trained on this cohort and keeps no out-of-fold predictions of it"
        raise Refused(Code.SCORES_NOT_OUT_OF_FOLD, what)
    known = patients.known(endpoint)
    index = known[np.isfinite(judged.scores.linear_predictor[known])]
    if index.size == 0:
        raise NotComputable("TOO_FEW_EVENTS", f"no patient has both a score and an outcome of {endpoint}")
    lp = judged.scores.linear_predictor[index]
    return recalibrate(patients.follow_up(endpoint, index), lp, model.cox.baseline, patients.cohort)


def _record(bundle: Bundle, patients: Patients, found: list[EndpointCalibration], by: str, at: str) -> None:
    digest = contents_digest(patients.contents)
    records = tuple(
        RecalibrationRecord(one.endpoint, one.result.recalibration, digest, by, at) for one in found if one.result
    )
    evidence = bundle.evidence
    write_evidence(bundle, replace(evidence, recalibrations=(*evidence.recalibrations, *records), acceptance=None))
