"""Cohort folders: ``cohort.csv``, DICOM or NIfTI studies and contours become :class:`lymphoma.training.case.Case`."""

from nodal.cohort.check import check_cohort
from nodal.cohort.folder import FolderCohort, read_cohort
from nodal.cohort.model import CohortReport, Fault, PatientReport, Use

__all__ = ["CohortReport", "Fault", "FolderCohort", "PatientReport", "Use", "check_cohort", "read_cohort"]
