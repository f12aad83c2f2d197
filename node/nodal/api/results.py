"""What a job made, as files for pages and people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pydicom import dcmread

from nodal.errors import Code, Failed
from nodal.jobs.results import OWN_ORTHANC, ResultStore, StoredObject, objects_from_json
from nodal.jobs.workspace import Workspace

__all__ = ["JobResults"]


def _none_yet() -> Failed:
    return Failed(Code.JOB_STATE, "this job has no such result, or not yet")


class JobResults:
    """The results of the jobs in a state folder; a job that has none yet raises JOB_STATE."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._store = ResultStore(state_dir / "results")

    def objects(self, job_id: str) -> Sequence[StoredObject]:
        """The result objects, for every destination; none before they are made."""
        workspace = Workspace(self._state_dir / "jobs" / job_id)
        if not workspace.path("objects.json").exists():
            return ()
        return objects_from_json(workspace.read_json("objects.json"))

    def findings(self, job_id: str) -> Path:
        """``findings.json``."""
        path = Workspace(self._state_dir / "jobs" / job_id).path("findings.json")
        if not path.is_file():
            raise _none_yet()
        return path

    def instance(self, job_id: str, sop_instance_uid: str) -> Path:
        """The Part 10 file of a result object."""
        for entry in self.objects(job_id):
            if entry.sop_instance_uid == sop_instance_uid:
                path = self._store.path(entry.sha256)
                if path.is_file():
                    return path
        raise _none_yet()

    def report(self, job_id: str) -> bytes:
        """The PDF, as it stands in the encapsulated document made for the node's own Orthanc (PS3.3 C.24.2)."""
        for entry in self.objects(job_id):
            if entry.kind == "pdf" and entry.target == OWN_ORTHANC:
                data_set = dcmread(self.instance(job_id, entry.sop_instance_uid))
                document: bytes = data_set.EncapsulatedDocument
                return document[: int(data_set.get("EncapsulatedDocumentLength", len(document)))]
        raise _none_yet()
