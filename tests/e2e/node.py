"""A real node as a process of its own, for the tests and for ``make demo``.

with NodeProcess(folder, {"orthanc": {"url": orthanc.url}}) as node:
    node.client.get("/api/jobs")
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import httpx
import yaml

from tests.e2e.orthanc import free_port

__all__ = ["NodeProcess", "wait_for"]

T = TypeVar("T")
START_LIMIT_S = 60.0
STOP_LIMIT_S = 30.0


def wait_for(what: str, ask: Callable[[], T | None], limit_s: float, pause_s: float = 0.2) -> T:
    """Asks until the answer is neither None nor False.

    Raises:
        TimeoutError: naming what was waited for.
    """
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        answer = ask()
        if answer is not None and answer is not False:
            return answer
        time.sleep(pause_s)
    raise TimeoutError(f"{what}: not within {limit_s:.0f} s")


@dataclass
class NodeProcess:
    """``nodal serve`` with its own state folder; ``kill()`` is kill -9, ``start()`` goes on with the same state."""

    folder: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    api_port: int = field(default_factory=free_port)
    dicom_port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)

    @property
    def url(self) -> str:
        """Base URL of the API and the pages."""
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def config(self) -> Path:
        """The settings file."""
        return self.folder / "node.yaml"

    @property
    def state_dir(self) -> Path:
        """The node's state."""
        return self.folder / "state"

    @property
    def log_file(self) -> Path:
        """The node's log, appended to by every start."""
        return self.folder / "node.log"

    @property
    def pid(self) -> int | None:
        """Process id while the node runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def client(self) -> httpx.Client:
        """An HTTP client with the node's address."""
        return httpx.Client(base_url=self.url, timeout=30.0, trust_env=False)

    def start(self, *, wait: bool = True) -> NodeProcess:
        """Starts the node; with ``wait`` returns when its API answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        values: dict[str, Any] = {
            "state_dir": str(self.state_dir),
            "listener": {"port": self.dicom_port, "quiet_period_s": 2.0},
            "api": {"port": self.api_port},
        }
        for name, value in self.settings.items():
            values[name] = {**values[name], **value} if name in ("listener", "api") else value
        self.config.write_text(yaml.safe_dump(values), encoding="utf-8")
        command = [str(Path(sys.executable).with_name("nodal")), "serve", "--config", str(self.config)]
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, env={**os.environ, **self.environment}, cwd=self.folder
            )
        if wait:
            wait_for("the node's API", self._answers, START_LIMIT_S)
        return self

    def _answers(self) -> bool:
        if self.pid is None:
            raise RuntimeError(f"the node ended:\n{self.log_file.read_text(errors='replace')[-3000:]}")
        try:
            return self.client.get("/api/health").status_code == 200
        except httpx.HTTPError:
            return False

    def stop(self) -> None:
        """Asks the node to end, as a service manager does."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def wait_for_exit(self, limit_s: float) -> int:
        """Waits until the process has ended by itself; its return code."""
        if self._process is None:
            raise RuntimeError("the node was not started")
        return self._process.wait(limit_s)

    def jobs(self, study_instance_uid: str | None = None) -> list[dict[str, Any]]:
        """``GET /api/jobs``."""
        query = {"study": study_instance_uid} if study_instance_uid else {}
        answer = self.client.get("/api/jobs", params=query)
        answer.raise_for_status()
        jobs: list[dict[str, Any]] = answer.json()
        return jobs

    def wait_for_state(self, study_instance_uid: str, *states: str, limit_s: float = 120.0) -> dict[str, Any]:
        """The newest job of a study, when it has reached one of the states."""

        def reached() -> dict[str, Any] | None:
            try:
                jobs = self.jobs(study_instance_uid)
            except httpx.HTTPError:
                return None
            return next((job for job in jobs if job["state"] in states), None)

        return wait_for(f"job in state {' or '.join(states)}", reached, limit_s)

    def __enter__(self) -> NodeProcess:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
