"""A job's folder: the one place where stages leave their work for the next."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from nodal.jobs.model import JobRequest

__all__ = ["Workspace"]

_REQUEST: TypeAdapter[JobRequest] = TypeAdapter(JobRequest)


@dataclass(frozen=True)
class Workspace:
    """``jobs/<job_id>/`` of the state folder, or a scratch folder of ``nodal process``.

    Every file is written under another name and renamed, so that a stage killed half-way leaves nothing that a
    later run could take for whole.
    """

    root: Path

    @property
    def source(self) -> Path:
        """Folder with the study's instances: fetched copies or links; deleted when the job ends."""
        return self.root / "source"

    @property
    def results(self) -> Path:
        """Folder with the result objects, one subfolder for each target."""
        return self.root / "results"

    def path(self, name: str) -> Path:
        """A file of this job by name, such as ``findings.json`` or ``pet_suv.nrrd``."""
        return self.root / name

    def write_text(self, name: str, text: str) -> Path:
        """Writes a small file whole or not at all, on disk when this returns."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.part")
        with temporary.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
        return path

    def write_json(self, name: str, value: Any) -> Path:
        """As :meth:`write_text`, for plain JSON values."""
        return self.write_text(name, json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")

    def read_json(self, name: str) -> Any:
        """What :meth:`write_json` wrote."""
        return json.loads(self.path(name).read_text(encoding="utf-8"))

    def save_request(self, request: JobRequest) -> None:
        """Writes what the job shall do."""
        self.write_json("request.json", asdict(request))

    def request(self) -> JobRequest:
        """What the job shall do."""
        return _REQUEST.validate_python(self.read_json("request.json"))
