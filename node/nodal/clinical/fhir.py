"""A FHIR Bundle (R4 or R5) as statements of the clinical record.

Read are Patient (identifier, birth date, gender), Condition (diagnosis, stage, body site) and Observation; the tables
of codes stand in docs/reference/clinical-sources.md. Every dated observation is handed on: which one counts for a
scan, the record decides. What is not valid, withdrawn, or not plain becomes :class:`Unusable` with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import structlog

from nodal.clinical import fhir_codes as codes
from nodal.clinical import wording
from nodal.clinical.fhir_bundle import Entry, Patients, entries_of, faults_of, identified, versions_of
from nodal.clinical.fhir_elements import (
    Json,
    code_of,
    concept_in,
    concepts_in,
    dicom_time,
    effective_of,
    elements,
    quantities_in,
    text_of,
    values_of,
)
from nodal.clinical.observed import Concept, Limit, NotUsable, Observed, Origin, hiding
from nodal.clinical.readings import Read, field_of, read, read_as, said_of, sites_of, together
from nodal.clinical.record import Statement, Unusable
from nodal.clinical.statements import PatientStatements
from nodal.errors import Code, Refused

__all__ = ["BundleRead", "read_bundle", "statements_of_bundle"]

log = structlog.get_logger()

_SEXES: Mapping[str, str] = {"male": "M", "female": "F"}
_SEX_OF_RANGE: Mapping[str, str] = {"248153007": "M", "248152002": "F", "male": "M", "female": "F", "M": "M", "F": "F"}
_WITHDRAWN = frozenset(("entered-in-error", "cancelled"))
_SETTLED = frozenset(("final", "amended", "corrected", "appended"))
_STAGE_MODIFIER = (codes.SNOMED, "106252000")  # Staging classification for lymphoma, as mCODE's components name it


@dataclass(frozen=True)
class BundleRead:
    """What a Bundle says. ``unattributed``: why a resource belongs to no patient here; one sentence each."""

    patients: tuple[PatientStatements, ...]
    unattributed: tuple[str, ...] = ()


def statements_of_bundle(
    bundle: Mapping[str, object], received: str, issuers: Mapping[str, str] | None = None
) -> tuple[PatientStatements, ...]:
    """The statements of a Bundle, patient by patient; see :func:`read_bundle`.

    Raises:
        Refused: it is no Bundle, or nothing in it can be attributed to a patient.
    """
    return read_bundle(bundle, received, issuers).patients


def read_bundle(bundle: Mapping[str, object], received: str, issuers: Mapping[str, str] | None = None) -> BundleRead:
    """What a Bundle says of each of its patients, and what could be attributed to none.

    Args:
        bundle: parsed JSON of a Bundle of any type.
        received: DICOM DT, when it reached the node.
        issuers: identifier system -> Issuer of Patient ID as the scanners write it; may be empty text.

    Raises:
        Refused: it is no Bundle, or nothing in it can be attributed to a patient.
    """
    entries, versions = entries_of(bundle), versions_of(bundle)
    patients = Patients(entries, lambda resource: identified(resource, issuers or {}))
    about: dict[str, list[Entry]] = {}
    unattributed: list[str] = []
    for entry in entries:
        if entry.kind == "Observation" and not _concerns_us(entry.resource):
            continue
        try:
            patient = entry.kind == "Patient"
            key = identified(entry.resource, issuers or {}) if patient else patients.key_of_subject(entry)
        except NotUsable as reason:
            unattributed.append(f"{entry.kind} left out: {reason}")
            continue
        if key is not None:
            about.setdefault(key, []).append(entry)
    if not about:
        raise Refused(Code.FHIR_NO_PATIENT, unattributed[0] if unattributed else "the Bundle is about no patient")
    if unattributed:
        log.warning("resources of a bundle belong to no patient", resources=len(unattributed))
    found = tuple(_Chart(tuple(about[key]), versions, received).statements(key) for key in about)
    return BundleRead(found, tuple(unattributed))


def _concerns_us(observation: Json) -> bool:
    parts = (observation, *elements(observation, "component"))
    return any(field_of(concept) or _STAGE_MODIFIER in concept.pairs for concept in map(code_of, parts))


class _Chart:
    """The resources about one patient."""

    def __init__(self, entries: tuple[Entry, ...], versions: tuple[str, ...], received: str) -> None:
        self._entries = entries
        self._versions = versions
        people = [entry.resource for entry in entries if entry.kind == "Patient"]
        self._origin = Origin("fhir", received, _hiding(people))
        genders = {text_of(person, "gender") for person in people}
        self._sex = _SEXES.get(genders.pop()) if len(genders) == 1 else None

    def statements(self, key: str) -> PatientStatements:
        readers: Mapping[str, Callable[[Json], Iterator[Read]]] = {
            "Patient": self._patient,
            "Condition": self._condition,
            "Observation": self._observation,
        }
        reads = (read for entry in self._entries for read in self._valid(entry, readers[entry.kind]))
        usable, unusable = together(reads, self._origin)
        return PatientStatements(key, usable, unusable)

    def _valid(self, entry: Entry, reader: Callable[[Json], Iterator[Read]]) -> Iterator[Read]:
        """A Patient loses only the elements that are not valid; a finding must be valid as a whole."""
        faults = faults_of(entry.resource, self._versions)
        if not faults:
            yield from reader(entry.resource)
        elif entry.kind == "Patient":
            if "birthDate" in faults:
                yield self._refused("birth_date", "a date of birth", faults["birthDate"])
            yield from reader({name: value for name, value in entry.resource.items() if name not in faults})
        else:
            field = field_of(code_of(entry.resource)) if entry.kind == "Observation" else None
            yield self._refused(field or entry.kind.lower(), "not read", next(iter(faults.values())))

    def _refused(self, field: str, said: str, reason: str) -> Read:
        return (), (Unusable(field, "fhir", self._origin.received, said, reason),)

    def _patient(self, patient: Json) -> Iterator[Read]:
        born, gender = text_of(patient, "birthDate"), text_of(patient, "gender")
        day = dicom_time(born)
        if day is not None and len(day) == len("YYYYMMDD"):
            yield (Statement("birth_date", day, "fhir", self._origin.received),), ()
        elif born:
            yield self._refused("birth_date", "a date of birth", "the date of birth has no day")
        if gender in _SEXES:
            yield (Statement("sex", _SEXES[gender], "fhir", self._origin.received),), ()
        elif gender == "other":
            yield self._refused("sex", gender, "the indices and lean body mass know male and female only")

    # ----- Observation

    def _observation(self, observation: Json) -> Iterator[Read]:
        field = field_of(code_of(observation))
        components = elements(observation, "component")
        status = text_of(observation, "status")
        observed = self._observed(observation, observation)
        if status in _WITHDRAWN:
            if field:
                yield self._refused(field, self._origin.hide(said_of(observed)), f"its source took it back ({status})")
            return
        if status == "registered" and not observed.values:
            return
        if observed.values or observed.body_sites or not components:
            yield read(observed, self._origin)
        for component in components:
            part = self._observed(component, observation)
            if _STAGE_MODIFIER in part.name.pairs:
                yield self._stage_modifier(part)
            else:
                yield read(part, self._origin)

    def _observed(self, part: Json, observation: Json) -> Observed:
        """``part`` is the Observation itself or a component, which shares its date, status and performer."""
        status = text_of(observation, "status")
        name = code_of(part)
        values = values_of(part)
        if not values and field_of(name) == "ecog":  # mCODE puts the answer into the interpretation too
            values = concepts_in(part, "interpretation")[:1]
        return Observed(
            name,
            values,
            concept_in(part, "method"),
            concepts_in(part, "bodySite"),
            tuple(self._limits(part)),
            effective_of(observation),
            "" if status in _SETTLED else status or "status unknown",
            self._by(observation),
        )

    def _limits(self, part: Json) -> Iterator[Limit]:
        """Upper limits of the normal ranges; of ranges for the sexes, the patient's."""
        for span in elements(part, "referenceRange"):
            kinds = {code for _, code in concept_in(span, "type").pairs}
            groups = concepts_in(span, "appliesTo")
            named = {word for group in groups for word in (*group.words, *(code for _, code in group.pairs))}
            sexes = {_SEX_OF_RANGE[word] for word in named if word in _SEX_OF_RANGE}
            if (kinds and "normal" not in kinds) or (self._sex and sexes and self._sex not in sexes):
                continue
            high = quantities_in(span, "high")
            if high:
                yield Limit(high[0].value, high[0].unit)
            elif told := wording.upper_limit(text_of(span, "text")):
                yield Limit(*told)

    def _stage_modifier(self, part: Observed) -> Read:
        """Components that say A, B, X or bulky beside a stage."""
        words = " ".join(word for value in part.values if isinstance(value, Concept) for word in value.words)
        if re.match(r"\s*[AB]\b", words) or re.search(r"B[ -]symptom", words):
            answer = not re.match(r"\s*A\b", words) and not re.search(
                r"\b(no|without|absen\w+)\b", words, re.IGNORECASE
            )
            return read_as("b_symptoms", replace(part, values=(answer,)), self._origin)
        if re.match(r"\s*X\b", words):
            return read_as("bulky", replace(part, values=(True,)), self._origin)
        return (), ()

    def _by(self, resource: Json) -> str | None:
        for name in ("performer", "asserter", "recorder"):
            for who in elements(resource, name):
                if "Patient/" not in text_of(who, "reference") and text_of(who, "display"):
                    return self._origin.hide(text_of(who, "display"))
        return None

    # ----- Condition

    def _condition(self, condition: Json) -> Iterator[Read]:
        diagnosis = code_of(condition)
        verified = {code for _, code in concept_in(condition, "verificationStatus").pairs}
        stages = elements(condition, "stage")
        if verified & {"entered-in-error", "refuted"}:
            for stage in stages:
                said = self._origin.hide(", ".join(concept_in(stage, "summary").words)) or "no value"
                yield self._refused("stage", said, f"its source took it back ({min(verified)})")
            return
        lymphoma = any(codes.is_lymphoma_code(*pair) for pair in diagnosis.pairs) or any(
            map(wording.names_a_lymphoma, diagnosis.words)
        )
        course = {code for _, code in concept_in(condition, "clinicalStatus").pairs} & {
            "recurrence",
            "relapse",
            "remission",
        }
        facts = Observed(
            Concept(),
            effective=dicom_time(text_of(condition, "onsetDateTime") or text_of(condition, "recordedDate")),
            remark="; ".join((*sorted(verified - {"confirmed"}), *sorted(course))),
            by=self._by(condition),
        )
        yield from self._stages(stages, diagnosis, lymphoma, facts)
        if lymphoma:
            yield from self._of_lymphoma(condition, diagnosis, facts)

    def _stages(self, stages: tuple[Json, ...], diagnosis: Concept, lymphoma: bool, facts: Observed) -> Iterator[Read]:
        for stage in stages:
            kind, summary = concept_in(stage, "type"), concept_in(stage, "summary")
            if summary == Concept():
                continue  # its Observation, where it is in the Bundle, speaks for itself
            named = any(map(wording.staging_is_ann_arbor, (*kind.words, *summary.words)))
            if not lymphoma and not named and (diagnosis.words or diagnosis.codings):
                said = self._origin.hide(", ".join(summary.words)) or "no words"
                yield self._refused("stage", said, "the stage of a diagnosis that is not known as a lymphoma")
                continue
            method = Concept(text="lymphoma") if lymphoma else Concept()
            yield read_as("stage", replace(facts, name=kind, method=method, values=(summary,)), self._origin)

    def _of_lymphoma(self, condition: Json, diagnosis: Concept, facts: Observed) -> Iterator[Read]:
        origins = {origin for origin in map(wording.cell_of_origin, diagnosis.words) if origin is not None}
        if origins:
            yield read_as("cell_of_origin", replace(facts, values=(diagnosis,)), self._origin)
        places = concepts_in(condition, "bodySite")
        if places and any(map(_may_be_extranodal, places)):
            remark = "; ".join(filter(None, ("body site of the diagnosis", facts.remark)))
            yield read_as("extranodal_sites", replace(facts, body_sites=places, remark=remark), self._origin)


def _may_be_extranodal(place: Concept) -> bool:
    """False for lymphatic tissue: a diagnosis that names only a node does not deny other organs."""
    try:
        return bool(sites_of(place))
    except NotUsable:
        return True


def _hiding(people: list[Json]) -> Callable[[str], str]:
    names: list[str] = []
    for person in people:
        for name in elements(person, "name"):
            given = name.get("given")
            names += [text_of(name, "family"), text_of(name, "text")]
            names += [part for part in given if isinstance(part, str)] if isinstance(given, list) else []
    return hiding(names, (text_of(one, "value") for person in people for one in elements(person, "identifier")))
