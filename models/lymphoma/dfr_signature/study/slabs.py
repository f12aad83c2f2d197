"""Patients of a centre as slabs: the 10 cm about the largest lesion, with crops, radiomics and the truth."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lymphoma.dfr_signature.inputs import InputSettings, inputs_of, way_of
from lymphoma.dfr_signature.radiomics_signature import radiomics_of
from lymphoma.dfr_signature.study.centres import Centre
from lymphoma.errors import NotComputable
from lymphoma.evaluation.input_cohort import InputCohort, input_cohort, stored_truth
from lymphoma.prognosis.cross_fit import Progress
from lymphoma.prognosis.input_folder import InputFolder, InputSource
from lymphoma.prognosis.model import Endpoint
from lymphoma.prognosis.patient_folder import KnownPatient
from lymphoma.prognosis.system import StudyArrays
from lymphoma.radiomics import RadiomicsSettings
from lymphoma.simulation.cohort import case_of, features_of, subject_of
from lymphoma.simulation.feature_table import stack_features
from lymphoma.simulation.field import slab_protocol
from lymphoma.simulation.patient import build_patient
from lymphoma.simulation.pet_measures import pet_measures
from lymphoma.simulation.plan import draw_patient
from lymphoma.training.case import Outcome

__all__ = ["made_slabs", "make_slabs"]

NO_LESION = "NO_AVID_LESION"


def make_slabs(
    folder: Path,
    centre: Centre,
    count: int,
    settings: InputSettings,
    radiomics: RadiomicsSettings | None = None,
    *,
    ends_s: float | None = None,
    progress: Progress | None = None,
) -> bool:
    """Makes the slabs of the first ``count`` seeds that are not there yet; a kill loses the one it hits.

    A patient without a lesion in the slab, or whose slab cannot be read, is passed over.

    Args:
        ends_s: of :func:`time.monotonic`; None has no end. progress: called with (patients done, patients in all).

    Returns:
        Whether all are there.

    Raises:
        NotComputable: ``BUNDLE_MISMATCH``: the folder holds slabs that were made otherwise.
    """
    chosen = radiomics or RadiomicsSettings()
    way = f"{way_of(settings)}; {chosen.way}; true lesions of slabs in voxels of {centre.edge_mm:g} mm"
    made = InputFolder.make(folder, InputSource(f"slabs of {centre.name}", True, "dfr_signature", way))
    for done in range(count):
        if ends_s is not None and time.monotonic() >= ends_s:
            return False
        plan = draw_patient(centre.first_seed + done, variety=centre.variety)
        protocol = slab_protocol(plan, spacing_mm=centre.edge_mm)
        subject = subject_of(plan, protocol=protocol)
        if made.lacks(subject.content):
            patient = build_patient(plan, protocol)
            case = case_of(patient, subject)
            measures = pet_measures(stack_features([features_of(patient)]))[0]
            study = StudyArrays(
                case.suv,
                case.ct_hu,
                patient.lesion_map,
                case.anatomy,
                subject.clinical,
                replace(measures, dmax_mm=None),
            )
            try:
                arrays = {**inputs_of(study, settings), **radiomics_of(study, settings, chosen)}
            except NotComputable as fault:
                made.pass_over(subject.content, fault.code)
                continue
            truth = stored_truth(stack_features([features_of(patient, noise_free=True)]))
            unknown: dict[Endpoint, Outcome | None] = {"pfs": None, "os": None}
            made.keep(KnownPatient(subject.content, centre.name, subject.clinical, study.pet, unknown, arrays, truth))
        if progress is not None:
            progress(done + 1, count)
    return True


def made_slabs(folder: Path, contents: Sequence[str] | None = None) -> InputCohort:
    """The slabs of a folder; outcomes are drawn by :mod:`lymphoma.dfr_signature.study.outcomes`.

    Args:
        contents: of the patients that are wanted; None: all.

    Raises:
        NotComputable: ``NO_USABLE_PATIENT``, ``FEATURES_UNREADABLE``.
    """
    cohort = input_cohort(InputFolder.open(folder))
    if contents is None:
        return cohort
    wanted = set(contents)
    return cohort.take([at for at, one in enumerate(cohort.patients.contents) if one in wanted])
