"""Which candidate of a finished job a person means, and what the job's next revision begins with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from nodal.errors import Code, Failed
from nodal.findings import Findings, from_json
from nodal.jobs.words import Word, read_words, same_place, with_word, word_on
from nodal.jobs.workspace import Workspace

__all__ = ["Decision", "words_with"]

Place = tuple[float, float, float]


@dataclass(frozen=True)
class Decision:
    """A person's word on one candidate, as it is asked for; exactly one of the first three names the candidate.

    Attributes:
        rejected: number among the rejected candidates of the job's findings. lesion: number of a lesion.
        hottest_mm: the hottest voxel of either, LPS.
        is_lesion: take it for a lesion, or leave it out.
    """

    is_lesion: bool
    rejected: int | None = None
    lesion: int | None = None
    hottest_mm: Place | None = None


def words_with(workspace: Workspace, decision: Decision, by: str) -> tuple[Word, ...]:
    """All words that hold for a job's next revision, the newest last.

    Args:
        workspace: of the job whose findings the person looked at. by: who decides, as in the audit trail.

    Raises:
        Failed: JOB_STATE where there are no findings yet, no candidate was judged, or nothing would change;
            CANDIDATE_UNKNOWN where the findings hold no such candidate.
    """
    path = workspace.path("findings.json")
    if not path.is_file():
        raise Failed(Code.JOB_STATE, "this job has no findings yet")
    findings = from_json(path)
    place, standing = _candidate(findings, decision)
    known = read_words(workspace)
    word = word_on(known, place)
    settled = standing == ("accepted" if decision.is_lesion else "rejected")
    if settled and (word is None or word.is_lesion == decision.is_lesion):
        raise Failed(Code.JOB_STATE, f"nothing to change: the candidate is {standing} already")
    at = datetime.now(UTC).strftime("%Y%m%d%H%M%S")
    return with_word(known, Word(place, decision.is_lesion, by, at))


def _candidate(findings: Findings, decision: Decision) -> tuple[Place, str]:
    """Where the candidate is, and how it stands: "accepted", "to_confirm" or "rejected"."""
    for lesion in findings.lesions:
        if decision.lesion == lesion.number or _meant(decision, lesion.hottest_mm):
            if lesion.p_lesion is None:
                raise Failed(Code.JOB_STATE, "the lesions of this job were not judged one by one; give another contour")
            return lesion.hottest_mm, lesion.status
    for one in findings.rejected_candidates:
        asked = decision.rejected is not None and decision.rejected == one.number
        if one.hottest_mm is not None and (asked or _meant(decision, one.hottest_mm)):
            return one.hottest_mm, "rejected"
    raise Failed(Code.CANDIDATE_UNKNOWN, "the findings of this job hold no such candidate")


def _meant(decision: Decision, hottest_mm: Place) -> bool:
    return decision.hottest_mm is not None and same_place(decision.hottest_mm, hottest_mm)
