"""``nodal qualify``: a site's acceptance run on a bundle, signed and kept, whether it was passed or not.

Only a bundle of level E1 or E2 depends on it. One of level E0 may be run too: the result is kept and shows how a
simulation-trained model does on the site's patients, and its level stays E0.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from lymphoma.evaluation.acceptance import Conduct, Limits, Trial, judge, signed
from lymphoma.evaluation.patients import Patients
from lymphoma.evaluation.scoring import Judged, impi_of, judge_patients, outside_range, with_scores
from lymphoma.prognosis.model import ENDPOINTS, Endpoint
from lymphoma.training.bundle import Bundle, write_evidence
from lymphoma.training.evidence import Acceptance, calibration_digest
from lymphoma.training.files import write_whole
from lymphoma.training.metadata import contents_digest

from nodal.errors import Code, Refused
from nodal.evaluation.opening import check_parts, open_bundle, refuse_virtual

__all__ = ["REPORTS", "Qualification", "qualify"]

REPORTS = "acceptance"
"""Folder of the bundle that keeps a file of every run."""


@dataclass(frozen=True)
class Qualification:
    """A run and where its report lies.

    Attributes:
        level: of the bundle, which the run does not change. enabled: a node may use the bundle now.
    """

    bundle: str
    level: str
    acceptance: Acceptance
    limits: Limits
    report: Path
    enabled: bool


@dataclass(frozen=True, eq=False)
class _Run:
    """A bundle's word on all patients, by endpoint. Attributes: patients: with the scores of its parts."""

    bundle: Bundle
    patients: Patients
    judged: dict[Endpoint, Judged]

    @property
    def bits(self) -> bytes:
        """All predictions, for comparison with another run."""
        parts: list[bytes] = []
        for endpoint, one in self.judged.items():
            survival = b"" if one.scores.survival is None else one.scores.survival.tobytes()
            parts += [endpoint.encode(), one.scores.linear_predictor.tobytes(), survival, repr(one.codes).encode()]
        return b"\0".join(parts)


def qualify(
    folder: Path,
    patients: Patients,
    key: bytes,
    *,
    by: str,
    at: str,
    limits: Limits | None = None,
    parts: Sequence[Path] = (),
) -> Qualification:
    """Runs a bundle on a cohort, and writes the signed result into it.

    Args:
        key: of the site. by: who answers for it. at: ISO 8601 in UTC.
        parts: bundles that a combined one reads.

    Raises:
        Refused: COHORT_VIRTUAL; SCORES_NOT_OUT_OF_FOLD. BundleRefused: a bundle that does not load.
        NotComputable: a system whose scores of a cohort cannot be computed here.
    """
    held = limits or Limits()
    first = _run(folder, parts, patients)
    refuse_virtual([first.bundle], patients)
    again = _run(folder, parts, patients)
    bundle = again.bundle
    unchanged = first.bundle.digest == bundle.digest
    conduct = _conduct(again, first.bits == again.bits, unchanged)
    trials = [_trial(again, endpoint) for endpoint in again.judged]
    seen = [trial for trial in trials if trial is not None]
    checks = judge(seen, conduct, held)
    acceptance = Acceptance(
        passed=all(check.passed for check in checks),
        bundle_digest=bundle.digest,
        cohort=patients.cohort,
        cohort_digest=contents_digest(patients.contents),
        n=seen[0].follow_up.n if seen else 0,
        events=seen[0].follow_up.events if seen else 0,
        checks=checks,
        by=by,
        at=at,
        calibration_digest=calibration_digest(bundle.evidence.recalibrations),
    )
    acceptance = signed(acceptance, key)
    report = _keep(bundle, acceptance, held)
    write_evidence(bundle, replace(bundle.evidence, acceptance=acceptance))
    level = bundle.evidence.level
    return Qualification(bundle.metadata.name, level, acceptance, held, report, level == "E0" or acceptance.passed)


def _run(folder: Path, parts: Sequence[Path], patients: Patients) -> _Run:
    """Everything from the files on: what is repeated is the reading as well."""
    bundle, others = open_bundle(folder), [open_bundle(part) for part in parts]
    check_parts(bundle, others)
    scored = with_scores(patients, others)
    found = {endpoint: judge_patients(bundle, scored, endpoint) for endpoint in ENDPOINTS}
    judged = {endpoint: one for endpoint, one in found.items() if one is not None}
    for one in judged.values():
        if not one.scores.out_of_fold:
            what = f"{bundle.metadata.name} was trained on this cohort and keeps no out-of-fold predictions of it"
            raise Refused(Code.SCORES_NOT_OUT_OF_FOLD, what)
    return _Run(bundle, scored, judged)


def _conduct(run: _Run, repeatable: bool, unchanged: bool) -> Conduct:
    """A patient counts as computed where every endpoint has a score, as explained where each gap has a code."""
    n = len(run.patients)
    outside = outside_range(run.bundle, run.patients)
    unlike = np.zeros(n, dtype=np.bool_) if outside is None else outside
    scored, coded = np.ones(n, dtype=np.bool_), np.ones(n, dtype=np.bool_)
    for one in run.judged.values():
        has = np.isfinite(one.scores.linear_predictor)
        scored &= has
        coded &= has | np.array([code is not None for code in one.codes])
    return Conduct(
        patients=n,
        computed=int((scored & ~unlike).sum()),
        explained=int(((~scored & coded) | (scored & unlike)).sum()),
        outside=int(unlike.sum()),
        ranged=0 if outside is None else n,
        repeatable=repeatable,
        unchanged=unchanged,
        trained=run.bundle.evidence.trained,
    )


def _trial(run: _Run, endpoint: Endpoint) -> Trial | None:
    """The patients of whom the node would say something: with a score, within the range, of known outcome."""
    model = run.bundle.survival(endpoint)
    patients, lp = run.patients, run.judged[endpoint].scores.linear_predictor
    outside = outside_range(run.bundle, patients)
    usable = np.isfinite(lp) & (True if outside is None else ~outside)
    known = patients.known(endpoint)
    index = known[usable[known]]
    if model is None or index.size == 0:
        return None
    records = [one for one in run.bundle.evidence.recalibrations if one.endpoint == endpoint]
    here = bool(records) and records[-1].cohort_digest == contents_digest(patients.contents)
    return Trial(endpoint, model, patients.follow_up(endpoint, index), lp[index], impi_of(patients)[index], here)


def _keep(bundle: Bundle, acceptance: Acceptance, limits: Limits) -> Path:
    """The run as a file of its own; one that failed stays beside those that came after it."""
    folder = bundle.folder / REPORTS
    folder.mkdir(exist_ok=True)
    word = "passed" if acceptance.passed else "failed"
    file = folder / f"{acceptance.at.replace(':', '').replace('-', '')}-{word}.json"
    content = {"bundle": bundle.metadata.name, "version": bundle.metadata.version, "limits": asdict(limits)}
    text = json.dumps({**content, "acceptance": asdict(acceptance)}, indent=1, allow_nan=False) + "\n"
    write_whole(file, text.encode())
    return file
