"""``nodal serve``: listener, jobs, HTTP and what keeps them in step with Orthanc, in one process until SIGTERM.

Everything that was taken in is on disk before it is acknowledged, so that the order of stopping matters little: what
runs is given a few seconds, the rest is taken up at the next start.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import structlog
import uvicorn
from fastapi import FastAPI

from nodal.api.app import create_app
from nodal.audit import Trail
from nodal.clinical.statements import PatientStatements
from nodal.errors import Code, Failed
from nodal.intake.listener import Listener
from nodal.intake.mllp import MllpListener
from nodal.intake.orthanc import OrthancSource
from nodal.intake.reconcile import Reconciler
from nodal.intake.spool import Spool
from nodal.intake.watch import StudyWatch
from nodal.jobs.archive import OrthancArchive
from nodal.jobs.context import JobContext
from nodal.jobs.engine import Engine
from nodal.jobs.forward import Forwarder
from nodal.jobs.model import IntakeView, StudySource
from nodal.jobs.node_pipeline import NodePipeline
from nodal.jobs.registry import Registry
from nodal.jobs.results import ResultStore
from nodal.jobs.retention import Retention
from nodal.jobs.service import NodeService
from nodal.jobs.stages import StageContext
from nodal.jobs.workspace import Workspace
from nodal.settings import Hl7Settings, ListenerSettings, OrthancSettings, Settings

__all__ = ["Node", "serve"]

log = structlog.get_logger()

GRACE_S = 5
"""What runs may end by itself within this time; a longer stage is run again at the next start."""


class Node:
    """All parts of a running node. Starting either starts every part or, after an error, leaves none behind."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._parts = ExitStack()
        self.api_port: int | None = None
        self.listener_port: int | None = None
        self.hl7_port: int | None = None

    def start(self) -> None:
        """Starts every part, the doors last.

        Raises:
            Failed: a port is taken, or another process works in the state folder.
        """
        with ExitStack() as parts:
            self._start(parts)
            self._parts = parts.pop_all()

    def stop(self) -> None:
        """Stops every part, the doors first."""
        self._parts.close()

    def _start(self, parts: ExitStack) -> None:
        settings, state_dir = self._settings, self._settings.state_dir
        registry = Registry.in_folder(state_dir, settings.database_url)
        parts.callback(registry.close)
        trail = Trail(state_dir / "audit")
        orthanc = None
        if settings.orthanc is not None:
            orthanc = OrthancSource(settings.orthanc, is_own=registry.memory.is_own)
            parts.callback(orthanc.close)
        engine = Engine(_job_context(settings, registry, trail, orthanc), settings.database_url)
        engine.start()
        parts.callback(engine.stop, GRACE_S)
        works: dict[str, Callable[[], bool | None]] = {"engine": lambda: engine.works}
        service = NodeService(settings, registry, trail, engine, works)
        announce = None
        if orthanc is not None and settings.orthanc is not None:
            reconciler = _reconciler(settings.orthanc, orthanc, registry, service)
            works["orthanc"] = lambda: reconciler.reachable
            announce = reconciler.announce
            reconciler.start()
            parts.callback(reconciler.stop)
        spool = None
        if settings.listener is not None:
            spool = Spool(state_dir / "spool", state_dir / "quarantine")
            self._open_listener(parts, settings.listener, spool, registry, trail, service, orthanc)
        if settings.hl7 is not None:
            self._open_hl7(parts, settings.hl7, trail, service, works)
        retention = Retention(state_dir, settings.retention, registry, trail, spool=spool, forget_work=engine.forget)
        retention.start()
        parts.callback(retention.stop)
        self.api_port = _open_api(parts, create_app(service, settings, trail, announce=announce), settings)
        ports = {"listener": self.listener_port, "api": self.api_port, "hl7": self.hl7_port}
        Workspace(state_dir).write_json("ports.json", ports)
        trail.record("node_started", listener_port=self.listener_port, api_port=self.api_port, hl7_port=self.hl7_port)
        parts.callback(trail.record, "node_stopped")

    def _open_listener(
        self,
        parts: ExitStack,
        settings: ListenerSettings,
        spool: Spool,
        registry: Registry,
        trail: Trail,
        service: NodeService,
        orthanc: OrthancSource | None,
    ) -> None:
        forwarder = None
        if settings.forward_to_orthanc and orthanc is not None:
            forwarder = Forwarder(spool, orthanc.store, registry.memory, trail)
            forwarder.start()
            parts.callback(forwarder.stop)

        def on_study(study_instance_uid: str, folder: Path) -> None:
            service.submit(StudySource("spool", folder), "received", study_instance_uid)
            if forwarder is not None:
                forwarder.add(study_instance_uid)

        watch = StudyWatch(spool, settings.quiet_period_s, on_study)
        watch.start()
        parts.callback(watch.stop)
        listener = Listener(settings, spool, trail)
        listener.start()
        parts.callback(listener.stop)
        self.listener_port = listener.port

    def _open_hl7(
        self,
        parts: ExitStack,
        settings: Hl7Settings,
        trail: Trail,
        service: NodeService,
        works: dict[str, Callable[[], bool | None]],
    ) -> None:
        def on_statements(patient: PatientStatements) -> None:
            service.put_statements(patient, replace_source=False)

        results = MllpListener(settings, on_statements, trail)
        results.start()
        parts.callback(results.stop)
        works["hl7"] = results.works
        self.hl7_port = results.port


def _job_context(settings: Settings, registry: Registry, trail: Trail, orthanc: OrthancSource | None) -> JobContext:
    stages = StageContext(
        settings,
        trail,
        ResultStore(settings.state_dir / "results"),
        earlier_pet_ct=registry.memory.earlier_study,
        clinical_of=registry.memory.clinical,
    )
    pipeline = NodePipeline(stages, None if orthanc is None else OrthancArchive(orthanc))
    accept_from = settings.corrections.accept_from
    return JobContext(settings.state_dir, registry, pipeline, trail, settings.delivery, accept_from)


def _reconciler(
    settings: OrthancSettings, orthanc: OrthancSource, registry: Registry, service: NodeService
) -> Reconciler[IntakeView]:
    def on_study(orthanc_id: str, study_instance_uid: str) -> IntakeView:
        return service.submit(StudySource("orthanc", orthanc_id=orthanc_id), "orthanc", study_instance_uid)

    return Reconciler(
        orthanc,
        cursor=registry.memory.cursor,
        put_cursor=registry.memory.put_cursor,
        on_study=on_study,
        interval_s=settings.reconcile_s,
    )


def _open_api(parts: ExitStack, app: FastAPI, settings: Settings) -> int:
    """Binds the port and serves in a thread; signals stay with the main thread."""
    try:
        bound = socket.create_server((settings.api.host, settings.api.port))
    except OSError as error:
        where = f"{settings.api.host}:{settings.api.port}"
        raise Failed(Code.INTERNAL, f"the HTTP interface cannot bind {where}: {error.strerror}") from error
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=2))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, name="api", daemon=True)
    thread.start()

    def close() -> None:
        server.should_exit = True
        thread.join(timeout=10)
        bound.close()

    parts.callback(close)
    return int(bound.getsockname()[1])


def serve(settings: Settings) -> None:
    """Runs the node until SIGTERM or SIGINT. ``ports.json`` in the state folder holds the ports that were bound.

    Raises:
        Failed: a port is taken, or another process works in the state folder.
    """
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ending.set())
    node = Node(settings)
    node.start()
    log.info("node started", api=node.api_port, listener=node.listener_port)
    ending.wait()
    node.stop()
    log.info("node stopped")
    if any(thread.name.startswith("dbos-executor") for thread in threading.enumerate()):
        # a stage still computes: nobody waits for it, the next start runs it again
        os._exit(0)
