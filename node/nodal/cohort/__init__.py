"""Cohort folders: ``cohort.csv``, DICOM or NIfTI studies and contours become :class:`lymphoma.training.case.Case`."""
