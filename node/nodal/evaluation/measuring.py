"""Measures of the whole patient from the images of a cohort folder, kept under the digest of the patient's files."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import structlog
from lymphoma.anatomy.organs import GivenAnatomy, NoAnatomy
from lymphoma.errors import NotComputable
from lymphoma.imaging.volume import Volume
from lymphoma.lesions.measures import measure_lesions
from lymphoma.lesions.totals import measure_totals
from lymphoma.prognosis.measures import PetMeasures
from lymphoma.segmentation.way import delineate
from pydantic import TypeAdapter, ValidationError

from nodal.cohort.examine import reference_of
from nodal.cohort.folder import FolderCohort
from nodal.cohort.images import StudyImages, read_images, read_organs
from nodal.cohort.model import PatientReport
from nodal.cohort.sources import Sources
from nodal.dicom.values import number
from nodal.errors import Code, Failed, Refused
from nodal.jobs.tools import NodeTools, open_tools
from nodal.prognosis.shelf import open_shelf
from nodal.prognosis.study import pet_measures
from nodal.settings import Settings

__all__ = ["CACHE_NAME", "Measuring"]

_LOG = structlog.get_logger()
CACHE_NAME = ".nodal-measures.json"
SAVED_EVERY = 20
"""Patients after which a run that is stopped need not begin again."""


@dataclass(frozen=True)
class _Stored:
    """The file on disk; ``measures``: "<digest of the files> <source>" -> measures. ``layout`` as in the index."""

    layout: int
    measures: dict[str, PetMeasures]


_ADAPTER: TypeAdapter[_Stored] = TypeAdapter(_Stored)
_LAYOUT = 1


@dataclass(frozen=True, eq=False)
class Measuring:
    """Measures patients of a cohort; :meth:`open` reads what was measured before, :meth:`save` keeps it."""

    cohort: FolderCohort
    settings: Settings
    _kept: dict[str, PetMeasures] = field(default_factory=dict)
    _new: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, cohort: FolderCohort, settings: Settings) -> Measuring:
        """Begins with what is kept beside the cohort; with nothing where there is none or it is damaged."""
        try:
            stored = _ADAPTER.validate_json((cohort.report.folder / CACHE_NAME).read_bytes())
        except (OSError, ValidationError):
            return cls(cohort, settings)
        return cls(cohort, settings, stored.measures if stored.layout == _LAYOUT else {})

    @property
    def method(self) -> str:
        """Name of the segmentation of a patient without a contour, with its volume rule."""
        rules = self.settings.segmentation
        return f"{rules.method}, {rules.min_volume_ml:g} mL"

    def measure(self, patient_id: str) -> tuple[PetMeasures, str]:
        """The measures, and "reference" or "segmented".

        Raises:
            Refused: what reading the study refuses, or the segmentation's own code. Failed: NOT_INSTALLED.
            KeyError: not a patient of the cohort.
        """
        report = self._reports[patient_id]
        by = "reference" if "segmentation" in report.uses else "segmented"
        key = f"{report.content} {by if by == 'reference' else f'{self.method}, {self._tools.content[:16]}'}"
        if key not in self._kept:
            self._kept[key] = self._from_images(self.cohort.sources[patient_id], by == "reference")
            self._new.append(key)
            if len(self._new) % SAVED_EVERY == 0:
                self.save()
        return self._kept[key], by

    def save(self) -> None:
        """Keeps what is known, whole or not at all; where the folder cannot be written it is measured again."""
        if not self._new:
            return
        folder: Path = self.cohort.report.folder
        part = folder / f"{CACHE_NAME}.{secrets.token_hex(4)}.part"
        try:
            part.write_bytes(_ADAPTER.dump_json(_Stored(_LAYOUT, self._kept)))
            part.replace(folder / CACHE_NAME)
        except OSError as fault:
            _LOG.warning("the cohort's measures cannot be kept; the next look takes them again", errno=fault.errno)

    @cached_property
    def _tools(self) -> NodeTools:
        try:
            return open_tools(self.settings, open_shelf(self.settings))
        except NotComputable as fault:
            raise Failed(Code(fault.code), fault.reason) from fault

    @cached_property
    def _reports(self) -> dict[str, PatientReport]:
        return {patient.patient_id: patient for patient in self.cohort.report.patients if patient.uses}

    def _from_images(self, sources: Sources, by_reference: bool) -> PetMeasures:
        images = read_images(sources.study, self.settings)
        lesions = reference_of(sources, images)[0] if by_reference else None
        try:
            drawn = self._segmented(sources, images) if lesions is None else lesions
        except NotComputable as fault:
            raise Refused(Code(fault.code), fault.reason) from fault
        header = images.pet_headers[0] if images.pet_headers else None
        weight, height = (number(header, name) if header else None for name in ("PatientWeight", "PatientSize"))
        return pet_measures(measure_totals(measure_lesions(images.suv, drawn), weight_kg=weight, height_m=height))

    def _segmented(self, sources: Sources, images: StudyImages) -> Volume:
        """The accepted lesions, drawn as the node draws them; a cohort's own organ map goes before the engine's."""
        tools = self._tools.tools
        if sources.organs is not None:
            known = read_organs(sources.organs, images)
            organs = NoAnatomy() if known.organs is None else GivenAnatomy(known.organs, known.names, known.engine)
            tools = replace(tools, anatomy=organs)
        done = delineate(images.suv, images.ct_hu, tools)
        outside = done.verdict is not None and done.verdict.range == "outside"
        if outside and done.drawn_by is not tools.drawn_by:
            raise Refused(Code.OUT_OF_DISTRIBUTION, "the scan is unlike those that the networks learned from")
        return done.delineation.accepted_map
