"""Content items of the structured report that say more than a number: with endpoint, horizon, interval and source.

The relationships are those of the Comprehensive SR (PS3.3 Table A.35.3-2): what changes the meaning of a number is a
concept modifier (a code or text), what is another number about it is a property.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from highdicom.sr import (
    AlgorithmIdentification,
    CodeContentItem,
    CodedConcept,
    ContentItem,
    ContentSequence,
    Measurement,
    MeasurementsAndQualitativeEvaluations,
    NumContentItem,
    TextContentItem,
    TrackingIdentifier,
)
from pydicom.sr.coding import Code

from nodal.report import risk_codes

__all__ = ["concept", "group", "modifier", "number", "property_number", "remark", "statement", "without_uid"]

_TRACKING_UID_CODE = "112040"


def concept(code: Code) -> CodedConcept:
    """The code as an item, made once: a report names the same few concepts hundreds of times."""
    return _concept(code.value, code.scheme_designator, code.meaning)


@lru_cache(maxsize=1024)
def _concept(value: str, scheme: str, meaning: str) -> CodedConcept:
    # Two codes are equal to pydicom whatever their meaning; a reader sees the meaning.
    return CodedConcept(value, scheme, meaning)


def modifier(name: Code, value: Code | str) -> ContentItem:
    """What changes the meaning of an item: HAS CONCEPT MOD."""
    return _worded(name, value, "HAS CONCEPT MOD")


def remark(name: Code, value: str) -> ContentItem:
    """A text about a number: HAS PROPERTIES."""
    return _worded(name, value, "HAS PROPERTIES")


def property_number(name: Code, value: float, unit: Code) -> ContentItem:
    """A number about a number: HAS PROPERTIES."""
    return NumContentItem(name=concept(name), value=value, unit=concept(unit), relationship_type="HAS PROPERTIES")


def number(name: Code, value: float, unit: Code, about: Sequence[ContentItem] = ()) -> Measurement:
    """A measurement (TID 300) with items about it."""
    made = Measurement(name=concept(name), value=value, unit=concept(unit))
    if about:
        made[0].ContentSequence = ContentSequence(about)
    return made


def statement(name: Code, value: Code | str, about: Sequence[ContentItem] = ()) -> ContentItem:
    """A code or sentence that a group contains."""
    made = _worded(name, value, "CONTAINS")
    if about:
        made.ContentSequence = ContentSequence(about)
    return made


def _worded(name: Code, value: Code | str, relationship: str) -> ContentItem:
    if isinstance(value, Code):
        return CodeContentItem(name=concept(name), value=concept(value), relationship_type=relationship)
    return TextContentItem(name=concept(name), value=value, relationship_type=relationship)


def group(
    tracking: TrackingIdentifier,
    finding: Code,
    numbers: Iterable[Measurement],
    statements: Iterable[ContentItem],
    *,
    algorithm: AlgorithmIdentification | None = None,
    words: str | None = None,
) -> ContentSequence:
    """A measurement group of TID 1501: what it is about, by which algorithm, numbers and statements.

    Args:
        words: a sentence that sums it up, before the numbers. Not as a Comment (121106 DCM), which viewers take for
            the label of what is tracked.
    """
    made = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=tracking,
        finding_type=concept(finding),
        algorithm_id=algorithm,
        measurements=list(numbers),
    )
    content = made[0].ContentSequence
    if words:
        content.insert(len(tracking) + 1, statement(risk_codes.SUMMARY, words))
    content.extend(statements)
    return made


def without_uid(made: ContentSequence) -> ContentSequence:
    """The group without its Tracking UID, changed in place and returned.

    A Tracking UID that no coordinates go with blanks the whole report in a viewer that hydrates by it.
    """
    kept = [item for item in made[0].ContentSequence if item.ConceptNameCodeSequence[0].CodeValue != _TRACKING_UID_CODE]
    made[0].ContentSequence = ContentSequence(kept)
    return made
