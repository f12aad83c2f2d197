"""A bundle: a system's trained weights, prognostic models and card in MONAI's bundle layout, verified before use.

configs/metadata.json       what it is, and the digest of every other file that is read
configs/train.yaml          the training of its networks; absent where there is none
models/*.safetensors        weights; absent where it reads covariates alone
survival/pfs.json, os.json  prognostic models; absent where it has none for that endpoint
survival/out_of_fold.json   predictions of the training patients by models that never saw them; optional
survival/<word>.json        what a system keeps besides
statistics.json, evidence.json, docs/README.md
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from pydantic import TypeAdapter

from lymphoma.errors import BundleRefused
from lymphoma.prognosis.model import ENDPOINTS, Endpoint, PrognosticModel
from lymphoma.prognosis.store import (
    OutOfFold,
    model_from_json,
    model_to_json,
    out_of_fold_from_json,
    out_of_fold_to_json,
)
from lymphoma.training.bundle_files import (
    CARD,
    EVIDENCE,
    METADATA,
    NEEDED,
    NEXT_EVIDENCE,
    OUT_OF_FOLD,
    STATISTICS,
    SURVIVAL,
    TRAIN,
    bundle_digest,
    check_files,
    finish_evidence,
    listed_files,
    parse,
    read_metadata,
    survival_name,
    write_json,
)
from lymphoma.training.card import write_card
from lymphoma.training.config import TrainConfig, read_config, write_config
from lymphoma.training.evidence import Evidence, calibration_digest
from lymphoma.training.files import file_sha256, write_whole
from lymphoma.training.metadata import Description, FileDigest, Metadata, describe
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

__all__ = ["Bundle", "Survival", "export_bundle", "load_bundle", "write_evidence"]

_STATISTICS = TypeAdapter(RangeStatistics)
_EVIDENCE = TypeAdapter(Evidence)


@dataclass(frozen=True, eq=False)
class Survival:
    """What a bundle holds of survival.

    Attributes:
        models: at most one for each endpoint. further: word -> JSON, kept as ``survival/<word>.json``.
    """

    models: tuple[PrognosticModel, ...] = ()
    out_of_fold: OutOfFold | None = None
    further: Mapping[str, str] = field(default_factory=dict)

    def files(self) -> dict[str, str]:
        """Name in the bundle -> content.

        Raises:
            ValueError: two models of one endpoint, or a word that is taken or is no plain word.
        """
        texts = [(survival_name(model.endpoint), model_to_json(model)) for model in self.models]
        if self.out_of_fold is not None:
            texts.append((OUT_OF_FOLD, out_of_fold_to_json(self.out_of_fold)))
        texts += [(survival_name(word), text) for word, text in self.further.items()]
        if len(dict(texts)) != len(texts) or not all(SURVIVAL.fullmatch(name) for name, _ in texts):
            raise ValueError("each file of a bundle has a plain name of its own")
        return dict(texts)


@dataclass(frozen=True, eq=False)
class Bundle:
    """A verified bundle. Weights and models are read when they are asked for, and verified again then.

    Attributes:
        config: of the training of its networks; None without one.
    """

    folder: Path
    metadata: Metadata
    config: TrainConfig | None
    statistics: RangeStatistics
    evidence: Evidence

    @property
    def digest(self) -> str:
        """SHA-256 over the digests of all files but the evidence, which may grow without it."""
        return bundle_digest(self.metadata)

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

    def survival(self, endpoint: Endpoint) -> PrognosticModel | None:
        """The prognostic model of an endpoint with the site's last recalibration; None where there is none.

        Raises:
            BundleRefused: as :meth:`weights`; ``BUNDLE_UNREADABLE`` also for a model of another endpoint.
        """
        if (text := self.further(endpoint)) is None:
            return None
        model = model_from_json(text)
        if model.endpoint != endpoint or model.recalibration is not None:
            raise BundleRefused("BUNDLE_UNREADABLE", f"{survival_name(endpoint)} holds another model than it says")
        corrections = [one.correction for one in self.evidence.recalibrations if one.endpoint == endpoint]
        return model.recalibrated(corrections[-1]) if corrections else model

    def out_of_fold(self) -> OutOfFold | None:
        """Predictions of the training patients by models that never saw them; None where none are kept.

        Raises:
            BundleRefused: as :meth:`survival`.
        """
        text = self.further("out_of_fold")
        return None if text is None else out_of_fold_from_json(text)

    def further(self, word: str) -> str | None:
        """The text of ``survival/<word>.json``; None where the bundle lists no such file.

        Raises:
            BundleRefused: as :meth:`weights`.
        """
        name = survival_name(word)
        listed = {entry.file: entry.sha256 for entry in self.metadata.nodal.files}
        if name not in listed:
            return None
        verify(self.folder, name, listed[name])
        try:
            return (self.folder / name).read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BundleRefused("BUNDLE_UNREADABLE", f"{name} is no JSON file") from error


def export_bundle(
    folder: Path,
    said: Description,
    networks: Mapping[str, Tensors],
    config: TrainConfig | None,
    statistics: RangeStatistics,
    evidence: Evidence,
    *,
    survival: Survival | None = None,
    half: bool = True,
    limit_bytes: int = SHIPPED_BYTES,
) -> Bundle:
    """Writes a bundle beside its place and moves it there whole.

    Args:
        networks: state dictionaries by name; a system may have none, one, or one per fold and endpoint.
        config: None without networks. survival: models without a recalibration, which belongs to the evidence.
        half: float16 weights. limit_bytes: largest weight file; a network above it is cut into several.

    Raises:
        BundleRefused: ``BUNDLE_EXISTS``, ``BUNDLE_TENSOR_TOO_LARGE``.
        ValueError: networks without a configuration; a recalibrated model.
    """
    holds = survival or Survival()
    if (networks and config is None) or any(model.recalibration is not None for model in holds.models):
        raise ValueError("networks need their configuration, and models are kept as they were fitted")
    if folder.exists():
        raise BundleRefused("BUNDLE_EXISTS", f"{folder.name} is already there")
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    for name in ("configs", "docs", *(["models"] if networks else [])):
        (part / name).mkdir(parents=True)
    weights: tuple[WeightFile, ...] = ()
    for name, tensors in networks.items():
        weights += write_weights(part, "models", name, halved(tensors) if half else tensors, limit_bytes)
    names = _write_files(part, config, statistics, evidence, holds)
    metadata = describe(said, weights, tuple(FileDigest(name, file_sha256(part / name)) for name in names))
    write_json(part / METADATA, asdict(metadata))
    write_card(part / CARD, said, metadata, config, statistics, evidence, holds.models)
    part.rename(folder)
    return Bundle(folder, metadata, config, statistics, evidence)


def _write_files(
    part: Path, config: TrainConfig | None, statistics: RangeStatistics, evidence: Evidence, holds: Survival
) -> tuple[str, ...]:
    """Writes all that is verified beside the weights; the names."""
    if config is not None:
        write_config(config, part / TRAIN)
    write_json(part / STATISTICS, _STATISTICS.dump_python(statistics, mode="json"))
    write_json(part / EVIDENCE, _EVIDENCE.dump_python(evidence, mode="json"))
    files = holds.files()
    if files:
        (part / "survival").mkdir()
    for name, text in files.items():
        write_whole(part / name, text.encode())
    return (*([TRAIN] if config is not None else []), *NEEDED, *files)


def load_bundle(folder: Path, systems: Collection[str], *, for_acceptance: bool = False) -> Bundle:
    """Reads a bundle after all its digests were verified.

    Args:
        systems: names of the systems that are known here.
        for_acceptance: a bundle of level E1 or E2 otherwise loads only after an acceptance run that it passed.

    Raises:
        BundleRefused: with the code of the fault, see :mod:`lymphoma.errors`.
    """
    metadata = read_metadata(folder)
    if metadata.nodal.system not in systems:
        raise BundleRefused("BUNDLE_SYSTEM_UNKNOWN", f"{metadata.nodal.system} is none of {', '.join(sorted(systems))}")
    check_files(folder, metadata)
    finish_evidence(folder, metadata)
    for name, sha256 in listed_files(metadata):
        verify(folder, name, sha256)
    evidence = parse(_EVIDENCE, folder, EVIDENCE)
    _check_level(metadata, evidence, for_acceptance)
    has_config = any(entry.file == TRAIN for entry in metadata.nodal.files)
    config = read_config(folder / TRAIN) if has_config else None
    bundle = Bundle(folder, metadata, config, parse(_STATISTICS, folder, STATISTICS), evidence)
    for endpoint in ENDPOINTS:
        bundle.survival(endpoint)  # refused now, not when the first patient comes
    bundle.out_of_fold()
    return bundle


def write_evidence(bundle: Bundle, evidence: Evidence) -> Bundle:
    """Replaces the evidence of a bundle (calibration, acceptance) and its digest; weights stay as they are.

    A kill in between leaves the old evidence or the new: the new one lies ready before the metadata names its digest,
    and is put in its place now or when the bundle is next loaded.
    """
    write_json(bundle.folder / NEXT_EVIDENCE, _EVIDENCE.dump_python(evidence, mode="json"))
    sha256 = file_sha256(bundle.folder / NEXT_EVIDENCE)
    files = tuple(
        FileDigest(entry.file, sha256) if entry.file == EVIDENCE else entry for entry in bundle.metadata.nodal.files
    )
    metadata = replace(bundle.metadata, nodal=replace(bundle.metadata.nodal, files=files))
    write_json(bundle.folder / METADATA, asdict(metadata))
    finish_evidence(bundle.folder, metadata)
    return replace(bundle, metadata=metadata, evidence=evidence)


def _check_level(metadata: Metadata, evidence: Evidence, for_acceptance: bool) -> None:
    if evidence.level == "E0":
        return
    if metadata.nodal.trained_on == "virtual":
        raise BundleRefused("BUNDLE_NOT_ACCEPTED", f"trained on virtual patients, so never {evidence.level}")
    acceptance = evidence.acceptance
    if acceptance is None or not acceptance.passed:
        passed = False
    else:
        accepted = (acceptance.bundle_digest, acceptance.calibration_digest)
        passed = accepted == (bundle_digest(metadata), calibration_digest(evidence.recalibrations))
    if not passed and not for_acceptance:
        raise BundleRefused("BUNDLE_NOT_ACCEPTED", f"level {evidence.level} needs a passed acceptance of these weights")
