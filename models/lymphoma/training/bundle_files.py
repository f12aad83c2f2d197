"""The files of a bundle: names, what may be listed and what may lie beside it, and JSON that is read or refused."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from lymphoma.errors import BundleRefused
from lymphoma.training.files import file_sha256, put_in_place, write_whole
from lymphoma.training.metadata import LAYOUT, Metadata

__all__ = [
    "CARD", "EVIDENCE", "METADATA", "NEEDED", "NEXT_EVIDENCE", "OUT_OF_FOLD", "STATISTICS", "SURVIVAL", "TRAIN",
    "bundle_digest", "check_files", "finish_evidence", "listed_files", "parse", "read_metadata", "survival_name",
    "write_json",
]  # fmt: skip

METADATA = "configs/metadata.json"
TRAIN = "configs/train.yaml"
STATISTICS = "statistics.json"
EVIDENCE = "evidence.json"
NEXT_EVIDENCE = ".evidence.json.next"
"""New evidence that is not in its place yet."""
CARD = "docs/README.md"
OUT_OF_FOLD = "survival/out_of_fold.json"
NEEDED = (STATISTICS, EVIDENCE)
SURVIVAL = re.compile(r"survival/[a-z0-9][a-z0-9_]*\.json")
_WEIGHTS = re.compile(r"models/[A-Za-z0-9][A-Za-z0-9_.-]*\.safetensors")
_PICKLES = {".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin", ".npy", ".npz", ".joblib", ".ts"}

_METADATA = TypeAdapter(Metadata)
T = TypeVar("T")


def read_metadata(folder: Path) -> Metadata:
    """The layout is looked at first: a newer one may have other fields altogether."""
    content = _read_json(folder, METADATA)
    own = content.get("nodal") if isinstance(content, dict) else None
    layout = own.get("layout") if isinstance(own, dict) else None
    if not isinstance(layout, int):
        raise BundleRefused("BUNDLE_UNREADABLE", f"{METADATA} says no layout: not a bundle of this project")
    if layout > LAYOUT:
        raise BundleRefused("BUNDLE_NEWER_LAYOUT", f"the bundle has layout {layout}, this version reads {LAYOUT}")
    return parse(_METADATA, folder, METADATA)


def check_files(folder: Path, metadata: Metadata) -> None:
    """Nothing but what is listed, under plain names, and nothing that is executed when it is read."""
    listed = {entry.file for entry in metadata.nodal.weights}
    for name in listed:
        if not _WEIGHTS.fullmatch(name):
            raise BundleRefused("BUNDLE_PICKLE", f"{name} is not a safetensors file in models/")
    _check_listed(metadata)
    kept = listed | {entry.file for entry in metadata.nodal.files}
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        if file.is_symlink():
            raise BundleRefused("BUNDLE_FILE_UNLISTED", f"{name} is a link")
        if file.suffix.lower() in _PICKLES:
            raise BundleRefused("BUNDLE_PICKLE", f"{name} could run code when it is read")
        if name.startswith(("models/", "survival/")) and name not in kept:
            raise BundleRefused("BUNDLE_FILE_UNLISTED", f"{name} is not listed in {METADATA}")


def _check_listed(metadata: Metadata) -> None:
    """What must be listed is, once, and nothing else but models of survival."""
    names = [entry.file for entry in metadata.nodal.files]
    needed = {*NEEDED, *([TRAIN] if metadata.nodal.weights else [])}
    strange = [name for name in names if name not in {*needed, TRAIN} and not SURVIVAL.fullmatch(name)]
    if needed - set(names):
        raise BundleRefused("BUNDLE_UNREADABLE", f"{METADATA} does not list {', '.join(sorted(needed - set(names)))}")
    if strange or len(set(names)) != len(names):
        raise BundleRefused("BUNDLE_UNREADABLE", f"{METADATA} lists a file twice, or one that no bundle has")


def survival_name(word: str) -> str:
    return f"survival/{word}.json"


def finish_evidence(folder: Path, metadata: Metadata) -> None:
    """Puts new evidence in its place where the metadata already names it; evidence it does not name is left alone."""
    wanted = next((entry.sha256 for entry in metadata.nodal.files if entry.file == EVIDENCE), None)
    ready = folder / NEXT_EVIDENCE
    try:
        if ready.is_file() and file_sha256(ready) == wanted:
            put_in_place(ready, folder / EVIDENCE)
    except FileNotFoundError:
        return  # another process was quicker with the same file


def bundle_digest(metadata: Metadata) -> str:
    kept = sorted((name, sha256) for name, sha256 in listed_files(metadata) if name != EVIDENCE)
    return hashlib.sha256(json.dumps(kept).encode()).hexdigest()


def listed_files(metadata: Metadata) -> list[tuple[str, str]]:
    """Every file that is verified, with its digest."""
    own = metadata.nodal
    return [(entry.file, entry.sha256) for entry in own.weights] + [(entry.file, entry.sha256) for entry in own.files]


def parse(adapter: TypeAdapter[T], folder: Path, name: str) -> T:
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


def write_json(file: Path, content: object) -> None:
    write_whole(file, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())
