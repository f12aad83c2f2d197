"""What a study is delineated with: engines and bundles as the settings ask for them."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from lymphoma.anatomy import AnatomyEngine
from lymphoma.errors import BundleRefused, NotComputable
from lymphoma.inference.device import Device, Processor, choose
from lymphoma.segmentation import Segmenter, threshold_segmenter
from lymphoma.segmentation.network_segmenter import NetworkSegmenter
from lymphoma.segmentation.nnunet import NnunetModel, open_nnunet
from lymphoma.segmentation.open import SYSTEM, open_lesion_network
from lymphoma.segmentation.reviewed import ReviewedSegmenter, Word
from lymphoma.segmentation.reviewer import REVIEW_WORD, Reviewer
from lymphoma.segmentation.thresholds import ThresholdSegmenter
from lymphoma.segmentation.way import Tools
from lymphoma.segmentation.whole_body import LesionNetwork
from lymphoma.training.bundle import Bundle

from nodal.errors import Code
from nodal.findings import BundleUsed, Flag
from nodal.jobs.engines import OpenedAnatomy, open_anatomy_engine
from nodal.prognosis.shelf import Shelf
from nodal.settings import Settings

__all__ = ["NodeTools", "open_tools"]

REVIEWED = "suv4_reviewed"
NEEDS_NETWORK = (REVIEWED, "network")


@dataclass(frozen=True, eq=False)
class NodeTools:
    """What is used, and what a report and a digest have to know of it.

    Attributes:
        network: of lesions; None where no bundle of it may be used.
        flags: what the settings ask for and is not there, for every study.
        bundles: that take part in the delineation. content: hex SHA-256 of all that decides what comes of it beyond
            the settings themselves; part of the digest of settings that alter output.
    """

    tools: Tools
    network: LesionNetwork | None
    flags: tuple[Flag, ...]
    bundles: tuple[Bundle, ...]
    content: str
    processor: Processor

    @property
    def words(self) -> str:
        """The processor, for the provenance."""
        return f"{self.processor.words} ({platform.machine()})"

    @property
    def used(self) -> tuple[BundleUsed, ...]:
        """For the provenance."""
        return tuple(BundleUsed(one.metadata.name, one.metadata.version, one.digest) for one in self.bundles)

    @property
    def evidence(self) -> Literal["E0", "E1", "E2"] | None:
        """The lowest level of the bundles that take part; None without any."""
        return min((one.evidence.level for one in self.bundles), default=None)


def open_tools(
    settings: Settings,
    shelf: Shelf,
    *,
    anatomy: AnatomyEngine | None = None,
    device: Device = "auto",
    given: Segmenter | None = None,
    words: Sequence[Word] = (),
) -> NodeTools:
    """Engines and networks for one study.

    Args:
        anatomy: an organ map made elsewhere, in place of the engine of the settings. given: a person's contour, in
            place of the method of the settings. words: of people on candidates.

    Raises:
        NotComputable: NOT_INSTALLED, ENGINE_MODEL, DEVICE_UNFIT.
    """
    processor = choose(device)
    opened = open_anatomy_engine(settings, shelf, processor) if anatomy is None else OpenedAnatomy(anatomy, None, "")
    network, flags = _network(settings, shelf, processor)
    bundles = [shelf.bundles["anatomy"]] if opened.engine.name == "network" else []
    if network is not None:
        bundles.append(shelf.bundles[SYSTEM])
    plain = threshold_segmenter("suv4", settings.segmentation.min_volume_ml)
    drawn_by = given or _segmenter(settings, shelf, network, words) or plain
    # a threshold asks no network whether it knows the scan
    unlike = drawn_by if given or isinstance(drawn_by, ThresholdSegmenter) else plain
    statistics = shelf.bundles[SYSTEM].statistics if network is not None else None
    content = [opened.content, *(one.digest for one in bundles), drawn_by.description]
    return NodeTools(
        Tools(opened.engine, drawn_by, unlike, statistics),
        network,
        (*([opened.flag] if opened.flag else []), *flags),
        tuple(bundles),
        hashlib.sha256(json.dumps(content).encode()).hexdigest(),
        processor,
    )


def _network(settings: Settings, shelf: Shelf, processor: Processor) -> tuple[LesionNetwork | None, tuple[Flag, ...]]:
    """The lesion network, or why there is none though the method of the settings needs it."""
    bundle, refused = shelf.bundles.get(SYSTEM), shelf.refused.get(SYSTEM)
    code, reason = Code.NO_BUNDLE, "no lesion network is installed"
    if bundle is not None:
        try:
            return open_lesion_network(bundle, processor), ()
        except BundleRefused as error:
            code, reason = Code(error.code), error.reason
    elif refused is not None:
        code, reason = refused.code, refused.reason
    if settings.segmentation.method not in NEEDS_NETWORK:
        return None, ()
    return None, (Flag(code, f"{reason}; lesions are drawn at SUV 4.0"),)


def _segmenter(
    settings: Settings, shelf: Shelf, network: LesionNetwork | None, words: Sequence[Word]
) -> Segmenter | None:
    """The method of the settings; None where it needs a lesion network and there is none."""
    rules = settings.segmentation
    if rules.method == "nnunet":
        return open_nnunet(_nnunet(settings), rules.min_volume_ml)
    if rules.method not in NEEDS_NETWORK:
        return threshold_segmenter(rules.method, rules.min_volume_ml)
    if network is None:
        return None
    if rules.method == "network":
        return NetworkSegmenter(network, rules.min_volume_ml)
    text = shelf.bundles[SYSTEM].further(REVIEW_WORD)
    if text is None:
        return None
    return ReviewedSegmenter(Reviewer.from_json(text), network, rules.min_volume_ml, tuple(words))


def _nnunet(settings: Settings) -> NnunetModel:
    asked = settings.engines.nnunet
    if asked.folder is None:
        raise NotComputable("NOT_INSTALLED", "segmentation.method is nnunet and engines.nnunet.folder names no model")
    return NnunetModel(
        asked.folder,
        asked.sha256,
        asked.command,
        asked.channels,
        asked.lesion_labels,
        asked.time_limit_s,
        asked.memory_gb,
    )
