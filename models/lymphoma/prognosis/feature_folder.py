"""Pooled features of patients in a folder (:mod:`lymphoma.prognosis.patient_folder`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lymphoma.errors import NotComputable
from lymphoma.prognosis.measures import PetMeasures
from lymphoma.prognosis.model import Endpoint
from lymphoma.prognosis.patient_folder import KnownPatient, PatientFolder
from lymphoma.prognosis.pooled import PooledFeatures
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.training.case import Outcome

__all__ = ["FeatureFolder", "FeaturePatient", "FeatureSource"]


@dataclass(frozen=True)
class FeatureSource:
    """What made the features of a folder; all of its patients share it.

    Attributes:
        cohort: name of the patients. virtual: whether they are simulated.
        network: digest of the bundle of the lesion network. organ_names: in the order of the organ rows.
        way: how the lesions were drawn, in words and digests: another way gives other features.
    """

    cohort: str
    virtual: bool
    network: str
    organ_names: tuple[str, ...]
    way: str


@dataclass(frozen=True, eq=False)
class FeaturePatient:
    """One patient.

    Attributes:
        content: digest of all that the features were made from; the only name that he or she has here.
        outcomes: None where not known. truth: an ``.npz`` file of a virtual patient; None for any other.
    """

    content: str
    centre: str
    clinical: ClinicalFactors
    pet: PetMeasures
    outcomes: Mapping[Endpoint, Outcome | None]
    pooled: PooledFeatures
    truth: bytes | None = None


class FeatureFolder(PatientFolder[FeatureSource]):
    """Patients with the features of their lesions and organs."""

    source_class = FeatureSource
    holds = "pooled features"

    def add(self, patient: FeaturePatient) -> None:
        """Keeps a patient; the same content again takes the place of the one before.

        Raises:
            NotComputable: ``BUNDLE_MISMATCH``: features of another network or of other organs.
            ValueError: a content that is no digest.
        """
        pooled, source = patient.pooled, self.source
        if (pooled.network, pooled.organ_names) != (source.network, source.organ_names):
            raise NotComputable("BUNDLE_MISMATCH", "the features are of another network or of other organs")
        arrays = {"lesions": pooled.lesions, "organs": pooled.organs, "present": pooled.present}
        self.keep(
            KnownPatient(
                patient.content,
                patient.centre,
                patient.clinical,
                patient.pet,
                patient.outcomes,
                arrays,
                patient.truth,
            )
        )

    def read(self, content: str) -> FeaturePatient:
        """One patient.

        Raises:
            NotComputable: ``FEATURES_UNREADABLE``: not in the folder, or its file is not the one that was written.
        """
        known = self.known(content)
        try:
            lesions, organs, present = (known.arrays[name] for name in ("lesions", "organs", "present"))
        except KeyError as fault:
            raise NotComputable("FEATURES_UNREADABLE", "a file holds no features of a patient") from fault
        source = self.source
        pooled = PooledFeatures(source.network, lesions, organs, present.astype(bool), source.organ_names)
        return FeaturePatient(content, known.centre, known.clinical, known.pet, known.outcomes, pooled, known.truth)

    def patients(self) -> tuple[FeaturePatient, ...]:
        """All patients, in ascending order of content; see :meth:`read`."""
        return tuple(self.read(content) for content in self.contents)
