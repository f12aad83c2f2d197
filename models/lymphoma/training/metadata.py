"""``configs/metadata.json``: the fields of MONAI's bundle schema, and the node's own under ``nodal``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Literal

from lymphoma.training.case import Subject
from lymphoma.training.weights import WeightFile

__all__ = [
    "LAYOUT",
    "Description",
    "FileDigest",
    "Metadata",
    "NodalMetadata",
    "TensorFormat",
    "cohort_digest",
    "contents_digest",
    "describe",
]

LAYOUT = 1
"""Raised whenever an older node could misread a bundle."""

SCHEMA = "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json"
_REQUIRED = ("safetensors", "scikit-learn", "scipy")


@dataclass(frozen=True)
class TensorFormat:
    """One input or output of the network, in the words of MONAI's ``network_data_format``."""

    type: Literal["image", "series", "tuples", "probabilities", "features"]
    format: str
    num_channels: int
    spatial_shape: tuple[str | int, ...]
    dtype: str
    value_range: tuple[float, ...]
    is_patch_data: bool
    channel_def: Mapping[str, str]


@dataclass(frozen=True)
class Description:
    """What a person says of a bundle at its export.

    Attributes:
        name, system: of the bundle, and of the system its weights belong to. version: of the bundle, ``1.0.0``.
        changelog: version to sentence. trained_on: "virtual" or "patients". cohort: its name.
        cohort_digest: of :func:`cohort_digest`. folds: how many. folds_digest: SHA-256 of their file.
        generator: name and version of the generator of virtual patients; None for a cohort of patients.
        limits: sentences for the card, such as a run in legs or a smaller network.
    """

    name: str
    system: str
    version: str
    task: str
    description: str
    authors: str
    copyright: str
    changelog: Mapping[str, str]
    trained_on: Literal["virtual", "patients"]
    cohort: str
    cohort_digest: str
    folds: int
    folds_digest: str | None
    generator: str | None
    inputs: Mapping[str, TensorFormat]
    outputs: Mapping[str, TensorFormat]
    intended_use: str | None = None
    limits: tuple[str, ...] = ()


@dataclass(frozen=True)
class FileDigest:
    """A further file of the bundle that is verified before use."""

    file: str
    sha256: str


@dataclass(frozen=True)
class NodalMetadata:
    """The node's own part. ``weights`` and ``files`` list all that may be read."""

    layout: int
    system: str
    trained_on: Literal["virtual", "patients"]
    cohort: str
    cohort_digest: str
    folds: int
    folds_digest: str | None
    generator: str | None
    weights: tuple[WeightFile, ...]
    files: tuple[FileDigest, ...]


@dataclass(frozen=True)
class NetworkDataFormat:
    """Inputs and outputs by name."""

    inputs: Mapping[str, TensorFormat]
    outputs: Mapping[str, TensorFormat]


@dataclass(frozen=True)
class Metadata:
    """The whole file."""

    name: str
    version: str
    changelog: Mapping[str, str]
    monai_version: str
    pytorch_version: str
    numpy_version: str
    required_packages_version: Mapping[str, str]
    task: str
    description: str
    authors: str
    copyright: str
    network_data_format: NetworkDataFormat
    nodal: NodalMetadata
    schema: str = SCHEMA
    intended_use: str = field(default="not stated")


def cohort_digest(subjects: Iterable[Subject]) -> str:
    """SHA-256 over the contents of a cohort's patients, in whatever order they come."""
    return contents_digest(subject.content for subject in subjects)


def contents_digest(contents: Iterable[str]) -> str:
    """:func:`cohort_digest` from the contents alone."""
    return hashlib.sha256("\n".join(sorted(contents)).encode()).hexdigest()


def _packages() -> dict[str, str]:
    """Versions of what a reader of the bundle needs beside MONAI, torch and numpy."""
    return {name: version(name) for name in _REQUIRED}


def describe(said: Description, weights: tuple[WeightFile, ...], files: tuple[FileDigest, ...]) -> Metadata:
    """The metadata of a bundle that holds these files."""
    return Metadata(
        name=said.name,
        version=said.version,
        changelog=said.changelog,
        monai_version=version("monai"),
        pytorch_version=version("torch"),
        numpy_version=version("numpy"),
        required_packages_version=_packages(),
        task=said.task,
        description=said.description,
        authors=said.authors,
        copyright=said.copyright,
        network_data_format=NetworkDataFormat(said.inputs, said.outputs),
        nodal=NodalMetadata(
            layout=LAYOUT,
            system=said.system,
            trained_on=said.trained_on,
            cohort=said.cohort,
            cohort_digest=said.cohort_digest,
            folds=said.folds,
            folds_digest=said.folds_digest,
            generator=said.generator,
            weights=weights,
            files=files,
        ),
        intended_use=said.intended_use or "not stated",
    )
