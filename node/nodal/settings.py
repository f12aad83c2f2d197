"""The settings: one frozen tree, read and checked once, passed in.

Read from a YAML file (``config/node.yaml`` shows every key) with ``NODAL_*`` environment variables on top, two
underscores between levels: ``NODAL_LISTENER__PORT=11112``. Secrets come from files, never from the YAML itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from nodal.errors import SettingsInvalid

__all__ = [
    "Accepts",
    "AnatomyChoice",
    "AnatomySettings",
    "ApiSettings",
    "DeliverySettings",
    "Destination",
    "EngineSettings",
    "FhirSettings",
    "FurtherResults",
    "Hl7Settings",
    "ListenerSettings",
    "NnunetSettings",
    "ObjectKind",
    "OrthancSettings",
    "Profile",
    "ResultSettings",
    "SegmentationMethod",
    "SegmentationSettings",
    "Settings",
    "TotalSegmentatorSettings",
    "load_settings",
]

ObjectKind = Literal[
    "seg", "sr", "pdf", "summary", "pdf_capture", "rotating_mip", "rtstruct", "key_images", "outlines", "fhir"
]
"""The result objects: segmentation, report, encapsulated PDF, summary image, and the PDF's pages as images; by setting
also the rotating projection, the lesions as structure set, the key images, their outlines, and the FHIR report."""

Accepts = Literal["measurements", "locally_trained", "simulation_trained"]
SegmentationMethod = Literal[
    "suv4", "suv4_reviewed", "network", "suv2.5", "percent41", "a50p", "mv2", "mv3", "percist", "nnunet"
]


AnatomyChoice = Literal["network", "totalsegmentator", "none"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ListenerSettings(_Frozen):
    """The node's own DICOM storage SCP."""

    host: str = Field("127.0.0.1", description="Address to bind; loopback until an administrator opens it.")
    port: int = Field(11112, description="TCP port; 0 takes a free one.")
    ae_title: str = Field("NODAL", max_length=16, description="Called AE title; a caller must use it.")
    allowed_callers: tuple[str, ...] = Field((), description="Calling AE titles let in; empty lets in everyone.")
    quiet_period_s: float = Field(
        60.0,
        gt=0,
        description="A study is complete this many seconds after its last "
        "instance, or at once when every series has its declared number of slices.",
    )
    forward_to_orthanc: bool = Field(False, description="Send what the listener receives on to the node's Orthanc.")


class ApiSettings(_Frozen):
    """The node's HTTP interface."""

    host: str = Field("127.0.0.1", description="Address to bind; loopback unless a proxy guards it.")
    port: int = Field(8095, description="TCP port; 0 takes a free one.")
    secret_file: Path | None = Field(
        None, description="File with the token that callers must show; none means that only loopback may bind."
    )


class OrthancSettings(_Frozen):
    """The node's own Orthanc, reached by REST."""

    url: str = Field(description="Base URL, such as http://127.0.0.1:8042.")
    user: str | None = Field(None, description="Login, if Orthanc asks for one.")
    password_file: Path | None = Field(None, description="File that holds the password.")
    reconcile_s: float = Field(60.0, gt=0, description="Seconds between two readings of Orthanc's change log.")


class FurtherResults(_Frozen):
    """Result objects that are made only where they are asked for."""

    rotating_mip: bool = Field(
        False, description="A projection that turns once about the body, as a multi-frame secondary capture."
    )
    key_images: Literal["none", "references", "outlined"] = Field(
        "none",
        description="A key object selection of each lesion's hottest slice; outlined adds presentation states with "
        "the lesions' outlines on these slices.",
    )
    rtstruct: bool = Field(False, description="The lesions as an RT structure set, for radiotherapy.")


class ResultSettings(FurtherResults):
    """Further result objects of the node's own Orthanc and of ``nodal process``; destinations have their profile's."""

    fhir: bool = Field(
        False, description="A FHIR report beside the result objects; destinations of kind fhir always get one."
    )


class Profile(FurtherResults):
    """What kind of objects a destination can take."""

    sr: Literal["3d", "comprehensive", "none"] = Field(
        "3d", description="SR as Comprehensive 3D, Comprehensive, or none."
    )
    seg: Literal["binary", "labelmap", "none"] = Field("binary", description="SEG as BINARY, LABELMAP, or none.")
    pdf: Literal["encapsulated", "secondary_capture", "both"] = Field(
        "encapsulated", description="How the PDF travels."
    )
    character_set: str = Field("ISO_IR 192", description="Specific Character Set of the objects' own text.")
    transfer_syntaxes: tuple[str, ...] = Field(
        ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2"), description="Transfer syntax UIDs offered, best first."
    )


class Destination(_Frozen):
    """A PACS that receives result objects."""

    name: str = Field(description="Unique short name, shown in the audit.")
    kind: Literal["dimse", "stow", "fhir"] = Field(
        "dimse", description="C-STORE, STOW-RS, or a FHIR server, which gets the report as a transaction and no image."
    )
    host: str | None = Field(None, description="DIMSE host.")
    port: int | None = Field(None, description="DIMSE port.")
    ae_title: str | None = Field(None, description="DIMSE called AE title.")
    url: str | None = Field(None, description="Base URL of DICOMweb for STOW-RS, or of the FHIR server.")
    accepts: Accepts = Field(
        "measurements",
        description="The furthest that results may go: published measures only, "
        "also locally trained systems, also simulation-trained ones.",
    )
    profile: Profile = Field(Profile(), description="Object kinds this destination can take.")

    @model_validator(mode="after")
    def _has_an_address(self) -> Self:
        if self.name in ("orthanc", "files"):
            raise ValueError(f"the name {self.name} stands for the node's own results")
        if self.kind == "dimse" and not (self.host and self.port and self.ae_title):
            raise ValueError("a dimse destination needs host, port and ae_title")
        if self.kind != "dimse" and not self.url:
            raise ValueError(f"a {self.kind} destination needs url")
        return self


class DeliverySettings(_Frozen):
    """When results leave, and how long the node keeps trying."""

    release: Literal["automatic", "after_review"] = Field(
        "automatic", description="Send at once, or after a person accepts."
    )
    give_up_after_h: float = Field(72.0, gt=0, description="Hours after which an undelivered object is parked.")
    retry_first_s: float = Field(30.0, gt=0, description="Seconds before the first retry; doubles each time.")
    retry_max_s: float = Field(3600.0, gt=0, description="Longest pause between two retries, in seconds.")


class SuvSettings(_Frozen):
    """How far a PET header may be read."""

    assume_bw: bool = Field(False, description="Read Units GML without SUVType as body-weight SUV (QIBA's reading).")


class SegmentationSettings(_Frozen):
    """How lesions are delineated."""

    method: SegmentationMethod = Field("suv4_reviewed", description="Threshold rule or network; see docs/reference.")
    min_volume_ml: float = Field(3.0, ge=0, description="Components smaller than this are dropped, in mL.")


class AnatomySettings(_Frozen):
    """Who finds the organs."""

    engine: AnatomyChoice = Field(
        "network",
        description="The shipped network, TotalSegmentator as set in engines, or none: then no physiological uptake "
        "can be told from lesions.",
    )


class TotalSegmentatorSettings(_Frozen):
    """TotalSegmentator v2, installed beside the node; it runs as a program of its own."""

    command: tuple[str, ...] = Field(
        ("TotalSegmentator",),
        min_length=1,
        description="Program and first arguments (such as --device cpu); input, output and --ml are added.",
    )
    time_limit_s: float = Field(1800.0, gt=0, description="It is ended after so many seconds.")
    memory_gb: float = Field(24.0, gt=0, description="It is ended when it holds more memory, in 10^9 bytes.")
    fast: bool = Field(True, description="Its network of 3 mm voxels; without a GPU the other takes very long.")


class NnunetSettings(_Frozen):
    """A model folder of nnU-Net v2; nnU-Net is installed beside the node and runs as a program of its own."""

    folder: Path | None = Field(
        None,
        description="Folder with dataset.json, plans.json and fold_<n>/checkpoint_final.pth; null when there is none.",
    )
    sha256: Mapping[str, str] = Field(
        default_factory=dict,
        description="File in the folder -> its SHA-256: dataset.json, plans.json and the checkpoint of each fold to "
        "use. No other file is opened, and none whose digest differs.",
    )
    command: tuple[str, ...] = Field(
        ("nnUNetv2_predict_from_modelfolder", "-device", "cpu", "--disable_tta"),
        min_length=1,
        description="Program and first arguments; input, output, folder and folds are added.",
    )
    channels: tuple[Literal["CT", "SUV"], ...] = Field(
        (), description="What each channel is, where dataset.json names it otherwise; empty takes its names."
    )
    lesion_labels: tuple[str, ...] = Field(
        (),
        description="Labels of dataset.json that are lesions; empty takes those with lesion, tumor or lymphoma in the "
        "name, or else label 1.",
    )
    time_limit_s: float = Field(3600.0, gt=0, description="It is ended after so many seconds.")
    memory_gb: float = Field(16.0, gt=0, description="It is ended when it holds more memory, in 10^9 bytes.")


class EngineSettings(_Frozen):
    """External engines."""

    totalsegmentator: TotalSegmentatorSettings = TotalSegmentatorSettings()
    nnunet: NnunetSettings = NnunetSettings()


class EvidenceSettings(_Frozen):
    show_simulated: bool = Field(False, description="Print simulation-trained survival on real studies, watermarked.")


class BaselineSettings(_Frozen):
    allow_followup: bool = Field(False, description="Process interim and end-of-treatment scans too.")


class CorrectionSettings(_Frozen):
    accept_from: tuple[str, ...] = Field((), description="AE titles whose contours count as corrections.")


class RetentionSettings(_Frozen):
    spool_days: float = Field(7.0, ge=0, description="Days a received study stays in the spool after delivery.")
    results_days: float = Field(365.0, ge=0, description="Days maps, findings and result objects are kept.")


class FhirSettings(_Frozen):
    """How FHIR Bundles are read."""

    issuers: Mapping[str, str] = Field(
        default_factory=dict,
        description="Identifier system -> Issuer of Patient ID as the scanners write it, which may be empty; "
        "a system that is not listed is the issuer itself.",
    )


class Hl7Settings(_Frozen):
    """The node's own receiver of HL7 v2 results (ORU^R01) over MLLP."""

    host: str = Field("127.0.0.1", description="Address to bind; loopback until an administrator opens it.")
    port: int = Field(2575, ge=0, le=65535, description="TCP port; 0 takes a free one.")
    allowed_hosts: tuple[str, ...] = Field(
        (), description="Addresses of senders let in; empty lets in everyone, which only loopback may."
    )
    issuers: Mapping[str, str] = Field(
        default_factory=dict,
        description="Assigning authority (namespace or universal id in PID-3) -> Issuer of Patient ID as the scanners "
        "write it, which may be empty; an authority that is not listed is the issuer itself.",
    )
    max_message_bytes: int = Field(1_048_576, ge=1024, description="A longer message is rejected.")
    idle_s: float = Field(300.0, gt=0, description="A connection on which nothing comes for so long is closed.")
    character_set: Literal["ASCII", "8859/1", "8859/15", "UNICODE UTF-8"] = Field(
        "UNICODE UTF-8", description="Read so where MSH-18 is empty."
    )
    processing_ids: tuple[Literal["P", "T", "D"], ...] = Field(
        ("P",), description="MSH-11 taken: P production, T training, D debugging."
    )

    @model_validator(mode="after")
    def _knows_its_senders(self) -> Self:
        if not self.allowed_hosts and self.host not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError("a host beyond loopback needs allowed_hosts: MLLP has no login")
        return self


class Settings(BaseSettings):
    """Everything an administrator may decide."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", env_prefix="NODAL_", env_nested_delimiter="__")

    state_dir: Path = Field(
        Path("state"),
        description="Folder for jobs.sqlite, registry.sqlite, audit/, spool/, jobs/, results/ and quarantine/.",
    )
    listener: ListenerSettings | None = Field(ListenerSettings(), description="null switches it off.")
    api: ApiSettings = ApiSettings()
    hl7: Hl7Settings | None = Field(None, description="Receiver of HL7 v2 results; null switches it off.")
    fhir: FhirSettings = FhirSettings()
    orthanc: OrthancSettings | None = Field(None, description="The node's own Orthanc; null when there is none.")
    destinations: tuple[Destination, ...] = Field(())
    results: ResultSettings = ResultSettings()
    delivery: DeliverySettings = DeliverySettings()
    suv: SuvSettings = SuvSettings()
    segmentation: SegmentationSettings = SegmentationSettings()
    anatomy: AnatomySettings = AnatomySettings()
    systems: tuple[str, ...] | None = Field(
        None, description="Prognosis systems to run; null runs every installed bundle."
    )
    bundles: Mapping[str, Path] = Field(
        default_factory=dict, description="Bundle folders by name; add to or override the shipped."
    )
    evidence: EvidenceSettings = EvidenceSettings()
    baseline: BaselineSettings = BaselineSettings()
    corrections: CorrectionSettings = CorrectionSettings()
    retention: RetentionSettings = RetentionSettings()
    database_url: str | None = Field(
        None, description="PostgreSQL URL for several machines; null uses SQLite in state_dir."
    )
    engines: EngineSettings = EngineSettings()

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        names = [destination.name for destination in self.destinations]
        if len(set(names)) != len(names):
            raise ValueError("two destinations have the same name")
        if self.api.secret_file is None and self.api.host not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError("api.host beyond loopback needs api.secret_file")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file (which arrives as init values)."""
        return env_settings, init_settings


def load_settings(path: Path | None = None) -> Settings:
    """Reads and checks the settings.

    Args:
        path: YAML file; None uses the defaults and the environment alone.

    Raises:
        SettingsInvalid: with every fault found, one a line.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {} if path else {}
        return Settings(**values)
    except OSError as error:
        raise SettingsInvalid(f"cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, TypeError) as error:
        raise SettingsInvalid(f"{path} is not a YAML mapping: {error}") from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise SettingsInvalid(faults) from error
