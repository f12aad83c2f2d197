"""Fixtures of the end-to-end tests: real Orthancs, each in a folder of its own, all stopped at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.orthanc import OrthancServer, orthanc_executable

StartOrthanc = Callable[..., OrthancServer]


@pytest.fixture
def start_orthanc(tmp_path: Path) -> Iterator[StartOrthanc]:
    """Starts an Orthanc with the given fields of :class:`OrthancServer`; what still runs at the end is killed."""
    if orthanc_executable() is None:
        pytest.fail("Orthanc is not installed: run make setup, or name one in NODAL_ORTHANC")
    started: list[OrthancServer] = []

    def start(name: str = "orthanc", **fields: Any) -> OrthancServer:
        server = OrthancServer(tmp_path / name, **fields)
        started.append(server)
        return server.start()

    yield start
    for server in started:
        server.kill()
