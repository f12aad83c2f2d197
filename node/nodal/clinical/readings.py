"""From what a source observed to statements of the record: one reading of each field, for FHIR and HL7 v2 alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from nodal.clinical import fhir_codes as codes
from nodal.clinical import wording
from nodal.clinical.observed import Concept, NotUsable, Observed, Origin, Quantity, Raw, words_of
from nodal.clinical.record import Statement, Unusable, Value
from nodal.clinical.values import checked

__all__ = ["Read", "field_of", "read", "read_as", "said_of", "sites_of", "together"]

_KG_OF_UNIT: Mapping[str, float] = {"kg": 1.0, "g": 1e-3, "[lb_av]": 0.45359237, "lb": 0.45359237, "lbs": 0.45359237}
_M_OF_UNIT: Mapping[str, float] = {"m": 1.0, "cm": 1e-2, "mm": 1e-3, "[in_i]": 0.0254, "in": 0.0254}
_DECIMALS = 4  # 0.1 g and 0.1 mm: what a conversion of units leaves of a decimal number
_LONGEST_SAID = 160  # characters; a report pasted into a value is not kept


_Facts = dict[str, Value]
Read = tuple[tuple[Statement, ...], tuple[Unusable, ...]]
"""What could be used, and what could not."""


def field_of(name: Concept) -> str | None:
    """The field of the record that an observation states; None where it is none of ours.

    A LOINC code decides alone: one that is not in the table is another observation, whatever its words.
    """
    systems = {coding.system for coding in name.codings}
    for coding in name.codings:
        table = {codes.LOINC: codes.FIELD_BY_LOINC, codes.SNOMED: codes.FIELD_BY_SNOMED}.get(coding.system, {})
        if coding.code in table:
            return table[coding.code]
    if codes.LOINC in systems:
        return None
    if name.pairs & codes.LYMPHOMA_STAGING_SYSTEMS:
        return "stage"
    return next(filter(None, map(wording.field_named, name.words)), None)


def read(observed: Observed, origin: Origin) -> Read:
    """The statements of an observation, or why it cannot be used; both empty where it is none of our fields."""
    field = field_of(observed.name)
    return ((), ()) if field is None else read_as(field, observed, origin)


def read_as(field: str, observed: Observed, origin: Origin) -> Read:
    """As :func:`read`, of an observation whose field is known otherwise."""
    said = origin.hide(said_of(observed))
    try:
        facts = _READERS[field](observed)
    except NotUsable as reason:
        return (), (Unusable(field, origin.source, origin.received, said, str(reason)),)
    if observed.remark:
        said = f"{said} ({observed.remark})"
    statements = tuple(
        Statement(name, value, origin.source, origin.received, observed.effective, observed.by, said)
        for name, value in facts.items()
    )
    return statements, ()


def together(reads: Iterable[Read], origin: Origin) -> Read:
    """What one message says, each word once; sites of one day are one list, and half a list is none."""
    several = tuple(reads)
    statements = dict.fromkeys(statement for usable, _ in several for statement in usable)
    unusable = dict.fromkeys(one for _, refused in several for one in refused)
    places = [statement for statement in statements if statement.field == "extranodal_sites"]
    rest = tuple(statement for statement in statements if statement.field != "extranodal_sites")
    if any(one.field == "extranodal_sites" for one in unusable):
        reason = "another place of the same list could not be read"
        half = (Unusable(one.field, origin.source, origin.received, one.said or "", reason) for one in places)
        return rest, tuple(dict.fromkeys((*unusable, *half)))
    return (*rest, *_one_list_a_day(places)), tuple(unusable)


def _one_list_a_day(places: Iterable[Statement]) -> tuple[Statement, ...]:
    days: dict[str, list[Statement]] = {}
    for statement in places:
        days.setdefault((statement.effective or "")[:8], []).append(statement)
    return tuple(
        replace(
            group[0],
            value=tuple(sorted({site for one in group if isinstance(one.value, tuple) for site in one.value})),
            said="; ".join(dict.fromkeys(one.said or "" for one in group)),
        )
        for group in days.values()
    )


# ----- one reader a field


def _ldh(observed: Observed) -> _Facts:
    measured = _exact(observed)
    if any("ratio" in words.lower() or "ULN" in words.upper() for words in observed.name.words):
        ratio = measured.value
    else:
        if not observed.limits:
            raise NotUsable("LDH without the laboratory's upper limit of normal")
        if len(set(observed.limits)) > 1:
            raise NotUsable("LDH with more than one upper limit of normal")
        limit = observed.limits[0]
        if not wording.same_unit(measured.unit, limit.unit):
            raise NotUsable("LDH and its upper limit have different units")
        if limit.value <= 0:
            raise NotUsable("the upper limit of normal is not above zero")
        ratio = measured.value / limit.value
    return {"ldh_ratio": _checked("ldh_ratio", ratio)}


def _ecog(observed: Observed) -> _Facts:
    value = _one(observed)
    grade: int | None = None
    if isinstance(value, Concept):
        grades = {codes.ECOG_ANSWERS[pair] for pair in value.pairs if pair in codes.ECOG_ANSWERS}
        grades = grades or {found for words in value.words if (found := wording.ecog_grade(words)) is not None}
        grade = grades.pop() if len(grades) == 1 else None
    elif isinstance(value, Quantity):
        grade = int(value.value) if not value.comparator and value.value in range(5) else None
    elif not isinstance(value, bool):
        grade = wording.ecog_grade(str(value))
    if grade is None or grade not in range(5):
        raise NotUsable("not an ECOG performance status from 0 to 4")
    return {"ecog": grade}


def _stage(observed: Observed) -> _Facts:
    value = _one(observed)
    spoken = value if isinstance(value, Concept) else Concept(text=words_of(value))
    texts = (*(codes.STAGE_BY_CODE[pair] for pair in spoken.pairs if pair in codes.STAGE_BY_CODE), *spoken.words)
    _demand_ann_arbor(observed, texts)
    found = [stage for stage in map(wording.ann_arbor, texts) if stage is not None]
    if not found:
        raise NotUsable("not an Ann Arbor stage from I to IV")
    if len({stage.stage for stage in found}) > 1:
        raise NotUsable("code and words give different stages")
    facts: _Facts = {"stage": found[0].stage}
    for name in ("b_symptoms", "bulky"):
        told = {getattr(stage, name) for stage in found} - {None}
        if len(told) == 1:
            facts[name] = told.pop()
    return facts


def _demand_ann_arbor(observed: Observed, texts: Iterable[str]) -> None:
    """A stage group of any cancer must say that it is Ann Arbor's."""
    named = observed.name.pairs | observed.method.pairs
    words = (*observed.name.words, *observed.method.words, *texts)
    if any(map(wording.names_another_staging, words)):
        raise NotUsable("a stage of another system than Ann Arbor")
    if named & codes.LYMPHOMA_STAGING_SYSTEMS or any(map(wording.staging_is_ann_arbor, words)):
        return
    raise NotUsable("the staging system is not named; only Ann Arbor and its revisions are read")


def _flag_of(field: str) -> Callable[[Observed], _Facts]:
    def flag(observed: Observed) -> _Facts:
        answer = _answer(_one(observed))
        if answer is None:
            raise NotUsable("neither yes nor no")
        return {field: answer}

    return flag


def _cell_of_origin(observed: Observed) -> _Facts:
    value = _one(observed)
    words = value.words if isinstance(value, Concept) else (words_of(value),)
    found = {origin for origin in map(wording.cell_of_origin, words) if origin is not None}
    if len(found) != 1:
        raise NotUsable("neither GCB nor non-GCB")
    return {"cell_of_origin": found.pop()}


def _extranodal_sites(observed: Observed) -> _Facts:
    places, answers = list(observed.body_sites), set[bool]()
    for value in observed.values:
        count = value.value if isinstance(value, Quantity) else value
        if isinstance(count, int | float) and not isinstance(count, bool):
            if count:
                raise NotUsable("a number of sites names no organ")
            answers.add(False)
        elif (answer := _answer(value)) is not None:
            answers.add(answer)
        else:
            places.append(value if isinstance(value, Concept) else Concept(text=words_of(value)))
    if False in answers and (places or True in answers):
        raise NotUsable("a place is denied: which organs are involved is not told")
    if not places and False not in answers:
        raise NotUsable("no organ is named")
    return {"extranodal_sites": tuple(sorted({site for place in places for site in sites_of(place)}))}


def sites_of(place: Concept) -> tuple[str, ...]:
    """The extranodal organs of a body site; empty for lymphatic tissue.

    Raises:
        NotUsable: the place has no word in the record, or its codes contradict each other.
    """
    found: set[tuple[str, ...]] = set()
    for coding in place.codings:
        if coding.system == codes.SNOMED and coding.code in codes.SITE_BY_SNOMED:
            found.add((codes.SITE_BY_SNOMED[coding.code],))
        elif coding.system == codes.SNOMED and coding.code in codes.LYMPHATIC:
            found.add(())
        elif coding.system == codes.ICD_O_3 and (site := codes.site_of_topography(coding.code)) is not None:
            found.add((site,) if site else ())
    if not found:
        found = {sites for words in place.words[:1] if (sites := wording.extranodal_sites(words)) is not None}
    if len(found) != 1:
        raise NotUsable("a place that is not among the record's organs, is in doubt, or has contradicting codes")
    return found.pop()


def _measure_of(field: str, units: Mapping[str, float]) -> Callable[[Observed], _Facts]:
    def measure(observed: Observed) -> _Facts:
        measured = _exact(observed)
        factor = units.get(measured.unit.strip().lower())
        if factor is None:
            raise NotUsable(f"the unit is none of {', '.join(units)}")
        return {field: _checked(field, round(measured.value * factor, _DECIMALS))}

    return measure


def _checked(field: str, value: float) -> Value:
    try:
        return checked(field, value)
    except ValueError as rule:
        raise NotUsable(str(rule)) from None


_READERS: Mapping[str, Callable[[Observed], _Facts]] = {
    "ldh_ratio": _ldh,
    "ecog": _ecog,
    "stage": _stage,
    "b_symptoms": _flag_of("b_symptoms"),
    "bulky": _flag_of("bulky"),
    "cell_of_origin": _cell_of_origin,
    "extranodal_sites": _extranodal_sites,
    "weight_kg": _measure_of("weight_kg", _KG_OF_UNIT),
    "height_m": _measure_of("height_m", _M_OF_UNIT),
}


# ----- values


def _answer(value: Raw) -> bool | None:
    """Yes or no by code, else by word; None where it is neither, or both."""
    if isinstance(value, bool):
        return value
    if isinstance(value, Quantity):
        return None
    if not isinstance(value, Concept):
        return wording.yes_or_no(str(value))
    answers = {True} if value.pairs & codes.PRESENT_OR_YES else set[bool]()
    answers |= {False} if value.pairs & codes.ABSENT_OR_NO else set()
    answers = answers or {said for said in map(wording.yes_or_no, value.words) if said is not None}
    return answers.pop() if len(answers) == 1 else None


def _one(observed: Observed) -> Raw:
    if len(observed.values) != 1:
        raise NotUsable("no value" if not observed.values else "more than one value")
    return observed.values[0]


def _exact(observed: Observed) -> Quantity:
    """The one value as an exact quantity; a text such as "480 U/L" counts."""
    value = _one(observed)
    if isinstance(value, int) and not isinstance(value, bool):
        value = Quantity(float(value))
    if isinstance(value, str) and (parts := wording.number_with_unit(value)):
        value = Quantity(*parts)
    if not isinstance(value, Quantity):
        raise NotUsable("not a number")
    if value.comparator not in ("", "="):
        raise NotUsable("only a bound, not a value")
    return value


def said_of(observed: Observed) -> str:
    """The observation as its source put it, in one line."""
    parts = [*map(words_of, observed.values), *(words_of(site) for site in observed.body_sites)]
    limits = dict.fromkeys(observed.limits)
    parts += [f"upper limit {words_of(Quantity(limit.value, limit.unit))}" for limit in limits]
    return ", ".join(filter(None, parts))[:_LONGEST_SAID] or "no value"
