"""What one message, file or request says of one patient: the type that every source hands to the node."""

from __future__ import annotations

from dataclasses import dataclass

from nodal.clinical.record import Statement, Unusable

__all__ = ["PatientStatements"]


@dataclass(frozen=True)
class PatientStatements:
    """Statements of one source on one patient.

    Attributes:
        patient_key: ``issuer~id``; the issuer may be empty, the id may not.
        unusable: what the source said and could not be used, shown with its reason.
    """

    patient_key: str
    statements: tuple[Statement, ...] = ()
    unusable: tuple[Unusable, ...] = ()
