"""What an administrator checks before trusting a node: settings, disk, ports, peers, processor, bundles, fonts."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx
from pydicom.uid import (
    UID,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EncapsulatedPDFStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)

from nodal.delivery import DimseSender
from nodal.errors import Code, NodalError
from nodal.jobs.engines import open_anatomy_engine
from nodal.prognosis.shelf import open_shelf
from nodal.settings import Destination, OrthancSettings, Settings

__all__ = ["Check", "examine_node"]

DISK_FLOOR_GB = 10.0
RESULT_CLASSES = (
    SegmentationStorage,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EncapsulatedPDFStorage,
    SecondaryCaptureImageStorage,
)


@dataclass(frozen=True)
class Check:
    """One thing looked at: ``good``, ``note`` (works, but know it) or ``wrong``."""

    subject: str
    state: Literal["good", "note", "wrong"]
    said: str


def examine_node(settings: Settings) -> tuple[Check, ...]:
    """Every check, in the order of the settings; none of them changes anything."""
    return tuple(_checks(settings))


def _checks(settings: Settings) -> Iterator[Check]:
    yield Check("settings", "good", "read and consistent")
    yield _disk(settings.state_dir)
    if settings.listener is not None:
        yield _port("listener", settings.listener.host, settings.listener.port)
        if not settings.listener.allowed_callers:
            yield Check("listener callers", "note", "every calling AE title is let in")
    yield _port("api", settings.api.host, settings.api.port)
    yield (
        _orthanc(settings.orthanc) if settings.orthanc else Check("orthanc", "note", "none: results stay in state_dir")
    )
    calling = settings.listener.ae_title if settings.listener else "NODAL"
    if not settings.destinations:
        yield Check("destinations", "note", "none")
    for destination in settings.destinations:
        yield _destination(destination, calling)
    yield _processor()
    yield _bundles(settings)
    yield _anatomy(settings)
    yield _fonts()


def _disk(folder: Path) -> Check:
    existing = next(parent for parent in (folder.resolve(), *folder.resolve().parents) if parent.exists())
    free_gb = shutil.disk_usage(existing).free / 1e9
    state: Literal["good", "wrong"] = "good" if free_gb > DISK_FLOOR_GB else "wrong"
    return Check("disk", state, f"{free_gb:.0f} GB free under {folder}")


def _port(subject: str, host: str, port: int) -> Check:
    if port == 0:
        return Check(subject, "good", "takes a free port")
    with socket.socket() as probe:
        probe.settimeout(1.0)
        answered = probe.connect_ex((host, port)) == 0
    said = "answers: the node, or another program, has it" if answered else "free"
    return Check(subject, "note" if answered else "good", f"{host}:{port} {said}")


def _orthanc(orthanc: OrthancSettings) -> Check:
    password = orthanc.password_file.read_text().strip() if orthanc.password_file else ""
    login = httpx.BasicAuth(orthanc.user, password) if orthanc.user else None
    try:
        answer = httpx.get(f"{orthanc.url.rstrip('/')}/system", auth=login, timeout=5.0)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        return Check("orthanc", "wrong", f"{orthanc.url}: {type(error).__name__}")
    return Check("orthanc", "good", f"{orthanc.url} version {answer.json().get('Version')}")


def _destination(destination: Destination, calling: str) -> Check:
    subject = f"destination {destination.name}"
    if destination.kind != "dimse":
        asked, service = ("studies?limit=1", "QIDO-RS") if destination.kind == "stow" else ("metadata", "FHIR")
        try:
            status = httpx.get(f"{(destination.url or '').rstrip('/')}/{asked}", timeout=5.0).status_code
        except httpx.HTTPError as error:
            return Check(subject, "wrong", type(error).__name__)
        return Check(subject, "good" if status < 400 else "wrong", f"{service} answered HTTP {status}")
    try:
        accepted = DimseSender(destination, calling).accepted_classes(RESULT_CLASSES)
    except NodalError as error:
        return Check(subject, "wrong", error.message)
    refused = [UID(name).name for name, taken in accepted.items() if not taken]
    if refused:
        return Check(subject, "note", f"answers C-ECHO; takes no {', '.join(refused)}")
    return Check(subject, "good", f"answers C-ECHO and takes every result object; accepts {destination.accepts}")


def _processor() -> Check:
    import torch

    if torch.cuda.is_available():
        return Check("processor", "good", torch.cuda.get_device_name(0))
    return Check("processor", "note", f"no GPU; {torch.get_num_threads()} CPU threads")


def _bundles(settings: Settings) -> Check:
    shelf = open_shelf(settings)
    if shelf.refused:
        faults = (f"{one.name}: {one.code}, {one.reason}" for one in shelf.refused.values())
        return Check("bundles", "wrong", "; ".join(faults))
    kept = (
        f"{bundle.metadata.name} {bundle.metadata.version} ({bundle.evidence.level})"
        for bundle in shelf.bundles.values()
    )
    return Check("bundles", "good", ", ".join(kept) or "none: no system judges a patient")


def _anatomy(settings: Settings) -> Check:
    asked = settings.anatomy.engine
    if asked == "totalsegmentator":
        program = settings.engines.totalsegmentator.command[0]
        found = shutil.which(program)
        said = f"totalsegmentator: {found}" if found else f"totalsegmentator: no program {program} is found"
        return Check("anatomy", "good" if found else "wrong", said)
    opened = open_anatomy_engine(settings, open_shelf(settings))
    if opened.flag is not None:
        missing = opened.flag.code == Code.NO_BUNDLE
        return Check("anatomy", "note" if missing else "wrong", f"{opened.flag.code}: {opened.flag.message}")
    return Check("anatomy", "note" if asked == "none" else "good", opened.engine.name)


def _fonts() -> Check:
    noto = Path("/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf").is_file()
    cjk = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc").is_file()
    if noto and cjk:
        return Check("fonts", "good", "Noto Sans with Latin, Greek, Cyrillic, CJK, Arabic and Hebrew")
    return Check("fonts", "note", "install fonts-noto-core and fonts-noto-cjk to draw every name")
