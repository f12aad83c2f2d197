"""What a system reads of patients' images, prepared once and kept (:mod:`lymphoma.prognosis.patient_folder`)."""

from __future__ import annotations

from dataclasses import dataclass

from lymphoma.prognosis.patient_folder import PatientFolder

__all__ = ["InputFolder", "InputSource"]


@dataclass(frozen=True)
class InputSource:
    """What made the arrays of a folder; all of its patients share it.

    Attributes:
        cohort: name of the patients. virtual: whether they are simulated. system: whose inputs they are.
        way: how lesions and organs were found and the arrays prepared, in words and digests: another way, other arrays.
    """

    cohort: str
    virtual: bool
    system: str
    way: str


class InputFolder(PatientFolder[InputSource]):
    """Patients with a system's inputs; :meth:`keep` adds one, :meth:`known` reads one."""

    source_class = InputSource
    holds = "prepared inputs"
