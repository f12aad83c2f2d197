"""The node's own Orthanc over REST: studies are fetched from it, result objects go back into it.

Orthanc's identifiers of studies, series and instances are hashes of their DICOM UIDs; a study that is deleted and
sent again has the same one. ``FileUuid`` of an instance changes when its file is replaced.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import structlog
from pyorthanc import Orthanc

from nodal.errors import Code, Failed, Refused, SettingsInvalid, SourceGone, Unreachable
from nodal.settings import OrthancSettings

__all__ = ["ArchiveChange", "ArchivedInstance", "ArchivedStudy", "ChangePage", "OrthancSource", "Stored", "fingerprint"]

log = structlog.get_logger()

PARALLEL_DOWNLOADS = 4
PAGE = 100
TIMEOUT_S = 60.0
CONTOURS = ("SEG", "RTSTRUCT")
KEEP_ALIVE_S = 0.5  # Orthanc closes an idle connection after one second


@dataclass(frozen=True)
class ArchivedStudy:
    """A study as Orthanc holds it; ``last_update`` is Orthanc's clock, UTC, as ``YYYYMMDDTHHMMSS``."""

    orthanc_id: str
    study_instance_uid: str
    stable: bool
    last_update: str


@dataclass(frozen=True)
class ArchivedInstance:
    """One instance of a study; ``file_uuid`` names its present bytes."""

    orthanc_id: str
    series_id: str
    sop_instance_uid: str
    file_uuid: str
    size_bytes: int


@dataclass(frozen=True)
class ArchiveChange:
    """One line of Orthanc's change log."""

    sequence: int
    kind: str
    orthanc_id: str


@dataclass(frozen=True)
class ChangePage:
    """Consecutive changes, the sequence number they lead up to, and whether the log ends there."""

    changes: tuple[ArchiveChange, ...]
    last: int
    done: bool


@dataclass(frozen=True)
class Stored:
    """What became of an object sent to Orthanc; ``already`` when it was there before."""

    orthanc_id: str
    study_id: str
    already: bool


def _nobodys(_sop_instance_uid: str) -> bool:
    return False


def _login(settings: OrthancSettings) -> tuple[str | None, str | None]:
    if settings.user is None:
        return None, None
    if settings.password_file is None:
        raise SettingsInvalid("orthanc.user is set but orthanc.password_file is not")
    try:
        return settings.user, settings.password_file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingsInvalid(f"cannot read orthanc.password_file: {error.strerror}") from error


class OrthancSource:
    """Reads studies from Orthanc and stores result objects there. May be used from several threads.

    Args:
        is_own: tells by SOP Instance UID whether this node made the object; own objects are no part of a study.
        transport: how requests travel; None for the network.
    """

    def __init__(
        self,
        settings: OrthancSettings,
        *,
        is_own: Callable[[str], bool] = _nobodys,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        user, password = _login(settings)
        self._is_own = is_own
        self._orthanc: httpx.Client = Orthanc(
            settings.url,
            user,
            password,
            return_raw_response=True,
            base_url=settings.url,
            timeout=TIMEOUT_S,
            trust_env=False,
            transport=transport,
            # gzip, which Orthanc would use for images, takes five times as long as the images themselves
            headers={"Accept-Encoding": "identity"},
            limits=httpx.Limits(keepalive_expiry=KEEP_ALIVE_S),
        )

    def close(self) -> None:
        """Closes the connections."""
        self._orthanc.close()

    def version(self) -> str:
        """Orthanc's own version, such as "1.10.1".

        Raises:
            Unreachable: Orthanc does not answer.
        """
        return str(self._json("/system")["Version"])

    def study(self, orthanc_id: str) -> ArchivedStudy:
        """A study.

        Raises:
            SourceGone: Orthanc does not hold it. Unreachable: Orthanc does not answer.
        """
        return _study(self._json(f"/studies/{orthanc_id}"))

    def studies(self) -> Iterator[ArchivedStudy]:
        """Every study in Orthanc, in pages."""
        since = 0
        while page := self._json("/studies", {"expand": "true", "since": since, "limit": PAGE}):
            yield from map(_study, page)
            since += len(page)

    def study_of(self, kind: str, orthanc_id: str) -> ArchivedStudy:
        """The study that an instance or series ("instances", "series") belongs to; raises as :meth:`study`."""
        return _study(self._json(f"/{kind}/{orthanc_id}/study"))

    def instances(self, orthanc_id: str) -> tuple[ArchivedInstance, ...]:
        """The instances of a study in the order of their ids, without those this node made; raises as :meth:`study`."""
        listed = self._json(f"/studies/{orthanc_id}/instances", {"expand": "true"})
        found = (
            ArchivedInstance(
                entry["ID"],
                entry["ParentSeries"],
                entry["MainDicomTags"].get("SOPInstanceUID", ""),
                entry["FileUuid"],
                int(entry["FileSize"]),
            )
            for entry in listed
        )
        return tuple(sorted((i for i in found if not self._is_own(i.sop_instance_uid)), key=lambda i: i.orthanc_id))

    def changes(self, since: int, limit: int = 1000) -> ChangePage:
        """The changes after sequence number ``since``, oldest first."""
        page = self._json("/changes", {"since": since, "limit": limit})
        changes = tuple(
            ArchiveChange(int(c["Seq"]), str(c["ChangeType"]), str(c["ID"])) for c in page["Changes"] if "ID" in c
        )
        return ChangePage(changes, int(page["Last"]), bool(page["Done"]))

    def last_change(self) -> int:
        """Sequence number of the newest change; 0 in an empty log."""
        return int(self._json("/changes", {"last": "true"})["Last"])

    def fetch(self, orthanc_id: str, folder: Path) -> Path:
        """Downloads a study's instances into a folder, one file each; what lies there already is not fetched again.

        A study without any PET series is refused before its images travel; of one with contours only these do.

        Returns:
            the folder.

        Raises:
            SourceGone: the study, or an instance of it, is no longer in Orthanc.
            Unreachable: Orthanc does not answer.
            Refused: EMPTY_STUDY, nothing but this node's own results; NO_PET, neither a PET nor a contour.
        """
        wanted = self.instances(orthanc_id)
        if not wanted:
            raise Refused(Code.EMPTY_STUDY, "the study holds nothing but results of this node")
        wanted = self._without_pet(orthanc_id, wanted)
        folder.mkdir(parents=True, exist_ok=True)
        names = {f"{instance.orthanc_id}.dcm" for instance in wanted}
        for stray in [path for path in folder.iterdir() if path.name not in names]:
            stray.unlink()
        with ThreadPoolExecutor(PARALLEL_DOWNLOADS, thread_name_prefix="orthanc-fetch") as pool:
            for _ in pool.map(lambda instance: self._download(instance, folder), wanted):
                pass
        log.info("study fetched from Orthanc", instances=len(wanted), bytes=sum(i.size_bytes for i in wanted))
        return folder

    def has_pet(self, orthanc_id: str) -> bool:
        """Whether a study holds a PET series; False also where Orthanc holds no such study.

        Raises:
            Unreachable: Orthanc does not answer.
        """
        try:
            return "PT" in self._modalities(orthanc_id).values()
        except SourceGone:
            return False

    def calling_ae(self, instance_id: str) -> str | None:
        """The AE title that sent an instance by C-STORE; None where it came otherwise, or Orthanc does not hold it."""
        try:
            said: str = self._ask("GET", f"/instances/{instance_id}/metadata/RemoteAET").text.strip()
        except SourceGone:
            return None
        return said or None

    def _modalities(self, orthanc_id: str) -> dict[str, str]:
        """Series -> modality, empty where Orthanc does not know it."""
        series = self._json(f"/studies/{orthanc_id}/series", {"expand": "true"})
        return {str(entry["ID"]): str(entry["MainDicomTags"].get("Modality", "")) for entry in series}

    def _without_pet(self, orthanc_id: str, wanted: tuple[ArchivedInstance, ...]) -> tuple[ArchivedInstance, ...]:
        """All that is wanted of a study with a PET; of another its contours alone, which may correct a study that came
        another way; refused where it has none.
        """
        modalities = self._modalities(orthanc_id)
        named = set(modalities.values())
        if named & {"PT", ""}:
            return wanted
        contours = tuple(one for one in wanted if modalities.get(one.series_id) in CONTOURS)
        if not contours:
            raise Refused(Code.NO_PET, f"the study has no PET series, only {', '.join(sorted(named))}")
        return contours

    def _download(self, instance: ArchivedInstance, folder: Path) -> None:
        path = folder / f"{instance.orthanc_id}.dcm"
        if path.exists() and path.stat().st_size == instance.size_bytes:
            return
        temporary = path.with_suffix(".part")
        temporary.write_bytes(self._ask("GET", f"/instances/{instance.orthanc_id}/file").content)
        temporary.replace(path)

    def store(self, data: bytes | Path) -> Stored:
        """Stores one DICOM file; storing it again changes nothing.

        Raises:
            Failed: REJECTED_BY_DESTINATION, Orthanc will not have it. Unreachable: Orthanc does not answer.
        """
        content = data.read_bytes() if isinstance(data, Path) else data
        answer = self._ask("POST", "/instances", content=content).json()
        if isinstance(answer, list):  # the form of the answer when the configuration lets archives in
            answer = answer[0]
        if answer.get("Status") not in ("Success", "AlreadyStored"):
            raise Failed(Code.REJECTED_BY_DESTINATION, f"Orthanc answered {answer.get('Status')} to a result object")
        return Stored(answer["ID"], answer["ParentStudy"], answer["Status"] == "AlreadyStored")

    def _json(self, path: str, params: dict[str, Any] | None = None) -> Any:
        return self._ask("GET", path, params=params).json()

    def _ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            answer = self._orthanc.request(method, path, **options)
        except httpx.TransportError as error:
            raise Unreachable(f"Orthanc does not answer ({type(error).__name__})") from error
        if answer.is_success:
            return answer
        status = answer.status_code
        if status in (401, 403):
            raise Failed(Code.FORBIDDEN, "Orthanc does not accept the login in orthanc.user and orthanc.password_file")
        if status == 404 and method == "GET":
            raise SourceGone("Orthanc no longer holds this study")
        if status >= 500:
            raise Unreachable(f"Orthanc answered with status {status}")
        raise Failed(Code.REJECTED_BY_DESTINATION, f"Orthanc answered with status {status}")


def _study(entry: dict[str, Any]) -> ArchivedStudy:
    uid = entry["MainDicomTags"].get("StudyInstanceUID", "")
    return ArchivedStudy(entry["ID"], uid, bool(entry["IsStable"]), str(entry["LastUpdate"]))


def fingerprint(instances: Sequence[ArchivedInstance]) -> str:
    """Names a study's present content, cheaply: equal as long as no instance came, went or was replaced."""
    lines = sorted(f"{instance.orthanc_id} {instance.file_uuid}" for instance in instances)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]
