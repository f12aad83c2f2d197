"""A pipeline without images: it writes down what it is asked, and misbehaves on request.

A study is a folder with text files; its digest is that of all of them but those named ``other*``. What shall go
wrong stands in ``orders.json`` of the control folder, read anew at every call, so that another process can change it.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from nodal.audit import Trail
from nodal.clinical.statements import PatientStatements
from nodal.delivery.outcome import Outcome
from nodal.dicom.contour_header import ContourHeader
from nodal.errors import Code, Refused, SourceGone, Unreachable
from nodal.jobs.clinical import freeze
from nodal.jobs.context import JobContext, link_tree
from nodal.jobs.model import Stage, StudySource
from nodal.jobs.pipeline import Admission
from nodal.jobs.registry import Registry
from nodal.jobs.results import StoredObject
from nodal.jobs.workspace import Workspace
from nodal.settings import DeliverySettings

FILES = {
    Stage.SELECT: "selection.json",
    Stage.LOAD: "pet_suv.nrrd",
    Stage.SEGMENT: "lesions.nrrd",
    Stage.ANATOMY: "measured.json",
    Stage.PROGNOSIS: "findings.json",
    Stage.ENCODE: "objects.json",
}


class FakePipeline:
    """See the module."""

    def __init__(self, control: Path, clinical_of: Callable[[str], PatientStatements] = PatientStatements) -> None:
        self._control = control
        self._clinical_of = clinical_of
        control.mkdir(parents=True, exist_ok=True)

    def order(self, **orders: Any) -> None:
        """Changes what shall go wrong; None takes an order back."""
        known = {**self._orders(), **orders}
        part = self._control / "orders.part"
        part.write_text(json.dumps({name: value for name, value in known.items() if value is not None}))
        part.replace(self._control / "orders.json")

    def runs(self) -> list[str]:
        """Everything that was begun and ended, in order: ``begin segment``, ``end segment``, ``sent pacs 2.25.1``."""
        path = self._control / "runs"
        return path.read_text().splitlines() if path.exists() else []

    def _orders(self) -> dict[str, Any]:
        path = self._control / "orders.json"
        orders: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return orders

    def _note(self, line: str) -> None:
        descriptor = os.open(self._control / "runs", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, f"{line}\n".encode())
        os.close(descriptor)

    def _obey(self, where: str) -> None:
        """Kills itself, sleeps or raises as ordered for this place, such as ``segment``."""
        orders = self._orders()
        time.sleep(orders.get(f"sleep {where}", orders.get("sleep", 0)))
        if kills := orders.get(f"kill {where}", 0):
            self.order(**{f"kill {where}": kills - 1})
            self._note(f"killed {where}")
            os.kill(os.getpid(), signal.SIGKILL)
        match orders.get(f"raise {where}"):
            case "refused":
                raise Refused(Code.SUV_MISSING_WEIGHT, "the PET header holds no patient weight")
            case "unreachable":
                raise Unreachable("Orthanc does not answer")
            case "broken":
                raise ValueError("DOE^JANE is a name that no log may show")
            case "gone":
                raise SourceGone("the folder of this study is not there")

    def fetch(self, source: StudySource, folder: Path) -> None:
        self._note("begin fetch")
        self._obey("fetch")
        if source.path is None or not source.path.is_dir():
            raise SourceGone("the folder of this study is not there")
        link_tree(source.path, folder)
        self._note("end fetch")

    def admit(self, folder: Path) -> Admission:
        self._note("begin admit")
        self._obey("admit")
        files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("other"))
        if not files:
            raise Refused(Code.NO_PET, "the study has no PET series")
        digest = hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in files)).hexdigest()
        study = (files[0].read_text().split() or ["1.2"])[0]
        self._note("end admit")
        return Admission(digest, study, f"~{study}", "20260102")

    def contours(self, folder: Path) -> list[ContourHeader]:
        return [_contour(path) for path in sorted(folder.rglob("other-contour*.json"))]

    def contour_digest(self, path: Path) -> str:
        return hashlib.sha256(path.read_bytes()).hexdigest()

    def calling_ae(self, source: StudySource, contour: ContourHeader) -> str | None:
        caller: str | None = json.loads(contour.path.read_text()).get("caller")
        return caller

    def check_contour(self, workspace: Workspace, path: Path, *, may_be_empty: bool) -> bool:
        said = json.loads(path.read_text())
        if said.get("empty") and not may_be_empty:
            raise Refused(Code.CONTOUR_EMPTY, "The contour marks nothing.")
        if fault := said.get("fault"):
            raise Refused(Code(fault), "The contour belongs to another study.")
        return not said.get("same")

    def has_images(self, source: StudySource) -> bool:
        return source.path is not None and any(
            not path.name.startswith("other") for path in source.path.rglob("*") if path.is_file()
        )

    def prepare(self, workspace: Workspace, patient_key: str | None) -> None:
        freeze(workspace, self._clinical_of(patient_key or ""))

    def run_stage(self, stage: Stage, workspace: Workspace) -> None:
        self._note(f"begin {stage}")
        self._obey(stage)
        assert any(workspace.source.iterdir())
        for earlier in list(Stage)[: list(Stage).index(stage)]:
            assert workspace.path(FILES[earlier]).exists(), f"{stage} before {earlier}"
        workspace.write_json(FILES[stage], {"stage": stage})
        self._note(f"end {stage}")

    def planned(self, workspace: Workspace) -> Sequence[StoredObject]:
        job_id = workspace.request().job_id
        names = self._orders().get("destinations", ["pacs"])
        return [
            StoredObject(name, kind, f"1.2.{kind}", f"2.25.{name}.{kind}.{job_id}", f"{name}{kind}")
            for name in names
            for kind in ("seg", "sr")
        ]

    def summary(self, workspace: Workspace) -> Mapping[str, float | int | str | None]:
        return {"tmtv_ml": 12.5, "lesion_count": 2}

    def deliver(
        self, workspace: Workspace, destination: str, objects: Sequence[StoredObject]
    ) -> Iterator[tuple[StoredObject, Outcome]]:
        self._note(f"begin deliver {destination}")
        for entry in objects:
            down = destination in self._orders().get("down", [])
            refused = entry.kind in self._orders().get("refuses", [])
            if down:
                yield entry, Outcome(entry.sop_instance_uid, "retry", Code.UNREACHABLE, f"{destination} is down")
            elif refused:
                sentence = f"{destination} takes no {entry.kind}"
                yield (
                    entry,
                    Outcome(entry.sop_instance_uid, "refused_permanent", Code.REJECTED_BY_DESTINATION, sentence),
                )
            else:
                self._note(f"sent {entry.sop_instance_uid}")
                self._obey(f"deliver {entry.kind}")
                yield entry, Outcome(entry.sop_instance_uid, "sent")

    def tidy(self, workspace: Workspace) -> None:
        for path in workspace.source.glob("*"):
            path.unlink()
        if workspace.source.is_dir():
            workspace.source.rmdir()
        workspace.path("pet_suv.nrrd").unlink(missing_ok=True)


def fake_contour(folder: Path, name: str, study: str = "1.2.3", **said: Any) -> Path:
    """A contour among a study's files; refs, tracking, instant and caller; what a check says: fault, same, empty."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"other-contour-{name}.json"
    path.write_text(json.dumps({"sop": f"1.2.9.{name}", "study": study, **said}))
    return path


def _contour(path: Path) -> ContourHeader:
    said = json.loads(path.read_text())
    refs = frozenset(said.get("refs", ()))
    tracking = frozenset(said.get("tracking", ()))
    return ContourHeader(
        path, "1.2.seg", said["sop"], f"{said['sop']}.1", said["study"], refs, refs, tracking, said.get("instant")
    )


def fake_context(folder: Path, **delivery: Any) -> JobContext:
    """A node's jobs in a folder, with the fake pipeline."""
    rules = DeliverySettings(**{"retry_first_s": 0.05, "retry_max_s": 0.4, **delivery})
    state = folder / "state"
    registry = Registry.in_folder(state)
    pipeline = FakePipeline(folder / "control", registry.memory.clinical)
    return JobContext(state, registry, pipeline, Trail(state / "audit"), rules)


def fake_study(folder: Path, study: str = "1.2.3", files: int = 3) -> StudySource:
    """A study to submit."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(files):
        (folder / f"{number}.txt").write_text(f"{study} {number}")
    return StudySource("folder", folder)
