"""A bundle: a system's trained weights, configuration and card in MONAI's bundle layout, verified before use."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from lymphoma.errors import BundleRefused
from lymphoma.training.card import write_card
from lymphoma.training.config import TrainConfig, read_config, write_config
from lymphoma.training.evidence import Evidence
from lymphoma.training.files import file_sha256, write_whole
from lymphoma.training.metadata import LAYOUT, Description, FileDigest, Metadata, describe
from lymphoma.training.statistics import RangeStatistics
from lymphoma.training.weights import (
    SHIPPED_BYTES,
    Tensors,
    WeightFile,
    halved,
    read_weights,
    verify,
    write_weights,
)

__all__ = ["Bundle", "export_bundle", "load_bundle", "write_evidence"]

METADATA = "configs/metadata.json"
TRAIN = "configs/train.yaml"
STATISTICS = "statistics.json"
EVIDENCE = "evidence.json"
CARD = "docs/README.md"
_FIXED = (TRAIN, STATISTICS, EVIDENCE)
_WEIGHTS = re.compile(r"models/[A-Za-z0-9][A-Za-z0-9_.-]*\.safetensors")
_PICKLES = {".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin", ".npy", ".npz", ".joblib", ".ts"}

_METADATA = TypeAdapter(Metadata)
_STATISTICS = TypeAdapter(RangeStatistics)
_EVIDENCE = TypeAdapter(Evidence)
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Bundle:
    """A verified bundle. Weights are read when they are asked for, and verified again then."""

    folder: Path
    metadata: Metadata
    config: TrainConfig
    statistics: RangeStatistics
    evidence: Evidence

    @property
    def digest(self) -> str:
        """SHA-256 over the digests of weights, configuration and statistics; the evidence may grow without it."""
        return _digest(self.metadata)

    @property
    def networks(self) -> tuple[str, ...]:
        """Names of its networks, in the order of export."""
        return tuple(dict.fromkeys(entry.network for entry in self.metadata.nodal.weights))

    def weights(self, network: str) -> Tensors:
        """State dictionary of one network, in the type it is stored in.

        Raises:
            BundleRefused: ``BUNDLE_FILE_MISSING`` (also for a network the bundle does not have),
                ``BUNDLE_DIGEST_MISMATCH``, ``BUNDLE_UNREADABLE``.
        """
        files = [entry for entry in self.metadata.nodal.weights if entry.network == network]
        if not files:
            raise BundleRefused("BUNDLE_FILE_MISSING", f"the bundle has no network {network}")
        return read_weights(self.folder, files)


def export_bundle(
    folder: Path,
    said: Description,
    networks: Mapping[str, Tensors],
    config: TrainConfig,
    statistics: RangeStatistics,
    evidence: Evidence,
    *,
    half: bool = True,
    limit_bytes: int = SHIPPED_BYTES,
) -> Bundle:
    """Writes a bundle beside its place and moves it there whole.

    Args:
        networks: state dictionaries by name; a system may have one, or one per fold and endpoint.
        half: float16 weights. limit_bytes: largest weight file; a network above it is cut into several.

    Raises:
        BundleRefused: ``BUNDLE_EXISTS``, ``BUNDLE_TENSOR_TOO_LARGE``.
    """
    if folder.exists():
        raise BundleRefused("BUNDLE_EXISTS", f"{folder.name} is already there")
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    for name in ("configs", "models", "docs"):
        (part / name).mkdir(parents=True)
    weights: tuple[WeightFile, ...] = ()
    for name, tensors in networks.items():
        weights += write_weights(part, "models", name, halved(tensors) if half else tensors, limit_bytes)
    write_config(config, part / TRAIN)
    _write_json(part / STATISTICS, _STATISTICS.dump_python(statistics, mode="json"))
    _write_json(part / EVIDENCE, _EVIDENCE.dump_python(evidence, mode="json"))
    metadata = describe(said, weights, tuple(FileDigest(name, file_sha256(part / name)) for name in _FIXED))
    _write_json(part / METADATA, asdict(metadata))
    write_card(part / CARD, said, metadata, config, statistics, evidence)
    part.rename(folder)
    return Bundle(folder, metadata, config, statistics, evidence)


def load_bundle(folder: Path, systems: Collection[str], *, for_acceptance: bool = False) -> Bundle:
    """Reads a bundle after all its digests were verified.

    Args:
        systems: names of the systems that are known here.
        for_acceptance: a bundle of level E1 or E2 otherwise loads only after an acceptance run that it passed.

    Raises:
        BundleRefused: with the code of the fault, see :mod:`lymphoma.errors`.
    """
    metadata = _read_metadata(folder)
    if metadata.nodal.system not in systems:
        raise BundleRefused("BUNDLE_SYSTEM_UNKNOWN", f"{metadata.nodal.system} is none of {', '.join(sorted(systems))}")
    _check_files(folder, metadata)
    for name, sha256 in _listed(metadata):
        verify(folder, name, sha256)
    evidence = _parse(_EVIDENCE, folder, EVIDENCE)
    _check_level(metadata, evidence, for_acceptance)
    return Bundle(folder, metadata, read_config(folder / TRAIN), _parse(_STATISTICS, folder, STATISTICS), evidence)


def write_evidence(bundle: Bundle, evidence: Evidence) -> Bundle:
    """Replaces the evidence of a bundle (calibration, acceptance) and its digest; weights stay as they are."""
    _write_json(bundle.folder / EVIDENCE, _EVIDENCE.dump_python(evidence, mode="json"))
    files = tuple(
        FileDigest(entry.file, file_sha256(bundle.folder / EVIDENCE)) if entry.file == EVIDENCE else entry
        for entry in bundle.metadata.nodal.files
    )
    metadata = replace(bundle.metadata, nodal=replace(bundle.metadata.nodal, files=files))
    _write_json(bundle.folder / METADATA, asdict(metadata))
    return replace(bundle, metadata=metadata, evidence=evidence)


def _read_metadata(folder: Path) -> Metadata:
    """The layout is looked at first: a newer one may have other fields altogether."""
    content = _read_json(folder, METADATA)
    own = content.get("nodal") if isinstance(content, dict) else None
    layout = own.get("layout") if isinstance(own, dict) else None
    if not isinstance(layout, int):
        raise BundleRefused("BUNDLE_UNREADABLE", f"{METADATA} says no layout: not a bundle of this project")
    if layout > LAYOUT:
        raise BundleRefused("BUNDLE_NEWER_LAYOUT", f"the bundle has layout {layout}, this version reads {LAYOUT}")
    return _parse(_METADATA, folder, METADATA)


def _check_files(folder: Path, metadata: Metadata) -> None:
    """Nothing but what is listed, under plain names, and nothing that is executed when it is read."""
    listed = {entry.file for entry in metadata.nodal.weights}
    for name in listed:
        if not _WEIGHTS.fullmatch(name):
            raise BundleRefused("BUNDLE_PICKLE", f"{name} is not a safetensors file in models/")
    if {entry.file for entry in metadata.nodal.files} != set(_FIXED):
        raise BundleRefused("BUNDLE_UNREADABLE", f"{METADATA} does not list {', '.join(_FIXED)}")
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        if file.is_symlink():
            raise BundleRefused("BUNDLE_FILE_UNLISTED", f"{name} is a link")
        if file.suffix.lower() in _PICKLES:
            raise BundleRefused("BUNDLE_PICKLE", f"{name} could run code when it is read")
        if name.startswith("models/") and name not in listed:
            raise BundleRefused("BUNDLE_FILE_UNLISTED", f"{name} is not listed in {METADATA}")


def _check_level(metadata: Metadata, evidence: Evidence, for_acceptance: bool) -> None:
    if evidence.level == "E0":
        return
    if metadata.nodal.trained_on == "virtual":
        raise BundleRefused("BUNDLE_NOT_ACCEPTED", f"trained on virtual patients, so never {evidence.level}")
    acceptance = evidence.acceptance
    passed = acceptance is not None and acceptance.passed and acceptance.bundle_digest == _digest(metadata)
    if not passed and not for_acceptance:
        raise BundleRefused("BUNDLE_NOT_ACCEPTED", f"level {evidence.level} needs a passed acceptance of these weights")


def _digest(metadata: Metadata) -> str:
    kept = sorted((name, sha256) for name, sha256 in _listed(metadata) if name != EVIDENCE)
    return hashlib.sha256(json.dumps(kept).encode()).hexdigest()


def _listed(metadata: Metadata) -> list[tuple[str, str]]:
    """Every file that is verified, with its digest."""
    own = metadata.nodal
    return [(entry.file, entry.sha256) for entry in own.weights] + [(entry.file, entry.sha256) for entry in own.files]


def _parse(adapter: TypeAdapter[T], folder: Path, name: str) -> T:
    try:
        return adapter.validate_python(_read_json(folder, name))
    except ValidationError as error:
        keys = ", ".join(".".join(map(str, fault["loc"])) for fault in error.errors()[:5])
        raise BundleRefused("BUNDLE_UNREADABLE", f"{name} has other fields than expected: {keys}") from error


def _read_json(folder: Path, name: str) -> object:
    try:
        return json.loads((folder / name).read_bytes())
    except FileNotFoundError as error:
        raise BundleRefused("BUNDLE_FILE_MISSING", f"{name} is not there") from error
    except (OSError, ValueError) as error:
        raise BundleRefused("BUNDLE_UNREADABLE", f"{name} is no JSON file") from error


def _write_json(file: Path, content: object) -> None:
    write_whole(file, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())
