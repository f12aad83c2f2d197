"""A real Orthanc on free loopback ports, in a folder of its own. Used by the tests and by ``make demo``.

    with OrthancServer(folder, node_url="http://127.0.0.1:8095") as orthanc:
        orthanc.client.get("/studies")

``kill()`` is kill -9; ``start()`` afterwards takes the same ports and the same storage.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

__all__ = ["OrthancServer", "free_port", "orthanc_executable"]

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ROOT / "plugins/orthanc/nodal_plugin.py"
CONFIGURATION = ROOT / "config/orthanc.json"
PLUGIN_FOLDERS = ("/usr/share/orthanc/plugins", "/usr/local/share/orthanc/plugins", "/usr/lib/orthanc/plugins")
START_LIMIT_S = 30.0
FIRST_PORT, STRETCHES, STRETCH = 20000, 60, 200
_PORTS_GIVEN = itertools.count()


def orthanc_executable() -> Path | None:
    """``$NODAL_ORTHANC``, else Debian's Orthanc; None when there is none."""
    named = os.environ.get("NODAL_ORTHANC")
    usual = ("/usr/sbin/Orthanc", "/usr/local/sbin/Orthanc")
    return next((Path(path) for path in ([named] if named else usual) if os.access(path, os.X_OK)), None)


def orthanc_library(name: str) -> Path | None:
    """An Orthanc plugin such as ``libOrthancPython.so``, in ``$NODAL_ORTHANC_PLUGINS`` or the usual folders."""
    folders = (os.environ.get("NODAL_ORTHANC_PLUGINS"), *PLUGIN_FOLDERS)
    return next((Path(folder) / name for folder in folders if folder and (Path(folder) / name).is_file()), None)


def free_port() -> int:
    """A TCP port on loopback that nobody listens on, and that this process has not given away lately.

    Below the range from which the system takes ports for outgoing connections, in a stretch of the process's own: the
    system itself may name the same port twice, and two test processes run side by side.
    """
    start = FIRST_PORT + os.getpid() % STRETCHES * STRETCH
    for _ in range(STRETCH):
        port = start + next(_PORTS_GIVEN) % STRETCH
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    raise RuntimeError(f"no free port from {start} on")


@dataclass
class OrthancServer:
    """One Orthanc with its storage.

    Attributes:
        folder: holds the configuration, the storage and ``orthanc.log``; kept when Orthanc stops.
        node_url: base URL of the node; given, Orthanc runs with our plugin.
        token_file: the node's secret, for the plugin.
        modalities: DicomModalities, name -> (AE title, host, port).
        stable_age_s: seconds without a new instance after which a study is stable.
        user, password: given, Orthanc asks for them.
        extra: further keys of Orthanc's configuration.
    """

    folder: Path
    node_url: str | None = None
    token_file: Path | None = None
    ae_title: str = "ORTHANC"
    modalities: Mapping[str, tuple[str, str, int]] = field(default_factory=dict)
    stable_age_s: int = 1
    dicomweb: bool = False
    user: str | None = None
    password: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    http_port: int = field(default_factory=free_port)
    dicom_port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False, repr=False)
    _client: httpx.Client | None = field(default=None, init=False, repr=False)

    @property
    def url(self) -> str:
        """Base URL of the REST API and of the Explorer."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def log_file(self) -> Path:
        """Orthanc's log, appended to by every start."""
        return self.folder / "orthanc.log"

    @property
    def pid(self) -> int | None:
        """Process id while Orthanc runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def client(self) -> httpx.Client:
        """An HTTP client with this Orthanc's address and login."""
        if self._client is None:
            auth = (self.user, self.password or "") if self.user else None
            self._client = httpx.Client(base_url=self.url, auth=auth, timeout=30.0, trust_env=False)
        return self._client

    def configuration(self) -> dict[str, Any]:
        """The configuration that ships, with this server's own folder, ports and plugins."""
        values: dict[str, Any] = json.loads(CONFIGURATION.read_text(encoding="utf-8"))
        wanted = [name for name, on in (("Python", self.node_url), ("DicomWeb", self.dicomweb)) if on]
        libraries = {name: orthanc_library(f"libOrthanc{name}.so") for name in wanted}
        missing = [name for name, path in libraries.items() if path is None]
        if missing:
            raise FileNotFoundError(f"no Orthanc plugin: {', '.join(missing)}")
        values |= {
            "StorageDirectory": str(self.folder / "storage"),
            "IndexDirectory": str(self.folder / "storage"),
            "Plugins": [str(path) for path in libraries.values()],
            "HttpPort": self.http_port,
            "DicomPort": self.dicom_port,
            "DicomAet": self.ae_title,
            "StableAge": self.stable_age_s,
            "DicomModalities": {name: list(peer) for name, peer in self.modalities.items()},
            "AuthenticationEnabled": self.user is not None,
            "RegisteredUsers": {self.user: self.password} if self.user else {},
            "ConcurrentJobs": 1,
        }
        values.pop("PythonScript")
        if self.node_url:
            values["PythonScript"] = str(PLUGIN)
            values["Nodal"] = {"Url": self.node_url, "TokenFile": str(self.token_file or "")}
        return values | dict(self.extra)

    def start(self) -> OrthancServer:
        """Starts Orthanc and waits until its REST API and its DICOM port answer.

        Raises:
            FileNotFoundError: Orthanc or a plugin is not installed.
            RuntimeError: it ended or did not answer in time; the message holds the end of its log.
        """
        executable = orthanc_executable()
        if executable is None:
            raise FileNotFoundError("Orthanc is not installed; NODAL_ORTHANC may name it")
        self.folder.mkdir(parents=True, exist_ok=True)
        configuration = self.folder / "orthanc.json"
        configuration.write_text(json.dumps(self.configuration(), indent=2), encoding="utf-8")
        environment = os.environ | {"TCP_NODELAY": "1"}
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [str(executable), str(configuration)],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait_ready()
        return self

    def _wait_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            if self._answers():
                return
            time.sleep(0.05)
        self.kill()
        raise RuntimeError(f"Orthanc did not come up:\n{self.log_tail()}")

    def _answers(self) -> bool:
        try:
            if self.client.get("/system", timeout=2.0).status_code != 200:
                return False
            with socket.create_connection(("127.0.0.1", self.dicom_port), timeout=2.0):
                return True
        except (httpx.HTTPError, OSError):
            return False

    def log_tail(self, lines: int = 20) -> str:
        """The last lines of the log."""
        if not self.log_file.exists():
            return ""
        return "\n".join(self.log_file.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])

    def stop(self) -> None:
        """Asks Orthanc to end, and waits for it."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._close()

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
        self._close()

    def _close(self) -> None:
        if self._process is not None:
            self._process.wait(timeout=20)
            self._process = None
        if self._client is not None:
            self._client.close()
            self._client = None

    def upload(self, data: bytes) -> dict[str, Any]:
        """Stores one DICOM file by REST; what Orthanc answered."""
        answer = self.client.post("/instances", content=data)
        answer.raise_for_status()
        result: dict[str, Any] = answer.json()
        return result

    def wait_stable(self, orthanc_id: str, limit_s: float = 20.0) -> None:
        """Waits until a study is stable.

        Raises:
            TimeoutError: it is not after ``limit_s`` seconds.
        """
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            if self.client.get(f"/studies/{orthanc_id}").json().get("IsStable"):
                return
            time.sleep(0.1)
        raise TimeoutError("the study did not become stable")

    def __enter__(self) -> OrthancServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
