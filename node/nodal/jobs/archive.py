"""The node's own Orthanc as the jobs see it: studies come from it, result objects go back to it by REST."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nodal.delivery import Outcome, Parcel
from nodal.errors import Code, NodalError, Unreachable
from nodal.intake.orthanc import OrthancSource

__all__ = ["OrthancArchive"]


class OrthancArchive:
    """Both faces of :class:`nodal.intake.orthanc.OrthancSource` (see ``Archive`` in ``node_pipeline``)."""

    def __init__(self, source: OrthancSource) -> None:
        self._source = source

    def fetch(self, orthanc_id: str, folder: Path) -> Path:
        """Brings a study's instances into a folder."""
        return self._source.fetch(orthanc_id, folder)

    def calling_ae(self, instance_id: str) -> str | None:
        """The AE title that sent an instance; None where it came otherwise."""
        return self._source.calling_ae(instance_id)

    def has_pet(self, orthanc_id: str) -> bool:
        """Whether a study still holds a PET series."""
        return self._source.has_pet(orthanc_id)

    def send(self, parcels: Sequence[Parcel]) -> tuple[Outcome, ...]:
        """Stores every object; when Orthanc does not answer, the rest waits for the next attempt."""
        outcomes: list[Outcome] = []
        down: Unreachable | None = None
        for parcel in parcels:
            if down is None:
                try:
                    outcomes.append(self._store(parcel))
                    continue
                except Unreachable as error:
                    down = error
            outcomes.append(Outcome(parcel.sop_instance_uid, "retry", down.code, down.message))
        return tuple(outcomes)

    def _store(self, parcel: Parcel) -> Outcome:
        try:
            self._source.store(parcel.data)
        except Unreachable:
            raise
        except NodalError as error:
            if error.code is Code.FORBIDDEN:  # a login can be put right; an object stays what it is
                return Outcome(parcel.sop_instance_uid, "retry", error.code, error.message)
            return Outcome(parcel.sop_instance_uid, "refused_permanent", error.code, error.message)
        return Outcome(parcel.sop_instance_uid, "sent")
