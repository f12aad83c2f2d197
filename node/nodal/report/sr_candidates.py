"""What the structured report says of the judgement of candidates: those that were not taken, and who judged them.

A rejected candidate is no measurement group: a group needs coordinates, and one without blanks the whole report in a
viewer that hydrates by it. It is a sentence under Qualitative Evaluations, with its numbers as properties.
"""

from __future__ import annotations

from collections.abc import Iterable

from highdicom.sr import ContentItem, ContentSequence

from nodal.findings import Findings, RejectedCandidate
from nodal.report import codes, risk_codes
from nodal.report.lesion_words import ATTENTION_MEANING, attending, judged_by_words, rejected_words
from nodal.report.sr_items import modifier, property_number, statement

__all__ = ["candidate_statements", "judgement_limits"]


def judgement_limits(findings: Findings) -> list[ContentItem]:
    """Modifiers of each probability of being a lesion: that a simulation-trained network gave it."""
    if findings.segmentation.evidence != "E0":
        return []
    return [modifier(risk_codes.LIMITS, risk_codes.SIMULATION_TRAINED_CODE)]


def candidate_statements(findings: Findings) -> Iterable[ContentItem]:
    """By what the candidates were judged, each that was rejected, and what attention means where there is any."""
    if words := judged_by_words(findings):
        yield statement(codes.JUDGED_BY, words)
    for candidate in findings.rejected_candidates:
        yield statement(codes.REJECTED_CANDIDATE, rejected_words(candidate), _numbers(candidate, findings))
    if attending(findings):
        yield statement(codes.ATTENTION_MEANING, ATTENTION_MEANING)


def _numbers(candidate: RejectedCandidate, findings: Findings) -> list[ContentItem]:
    hottest = property_number(codes.SUV_BW, candidate.suv_max, codes.UNIT_SUV)
    hottest.ContentSequence = ContentSequence([modifier(codes.DERIVATION, codes.MAXIMUM)])
    numbers = [property_number(codes.METABOLIC_VOLUME, candidate.volume_ml, codes.UNIT_ML), hottest]
    if candidate.number is not None:
        numbers.insert(0, property_number(codes.REJECTED_NUMBER, candidate.number, codes.UNIT_ONE))
    if candidate.p_lesion is not None:
        probability = property_number(codes.P_LESION, candidate.p_lesion, codes.UNIT_ONE)
        if limits := judgement_limits(findings):
            probability.ContentSequence = ContentSequence(limits)
        numbers.append(probability)
    return numbers
