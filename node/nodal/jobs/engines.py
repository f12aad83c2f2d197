"""The anatomy engine that the settings ask for, opened once for all studies."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from lymphoma.anatomy import AnatomyEngine, NoAnatomy
from lymphoma.anatomy.shipped import SYSTEM, open_bundle
from lymphoma.anatomy.totalsegmentator import TotalSegmentator
from lymphoma.errors import BundleRefused
from lymphoma.inference.device import Processor

from nodal.errors import Code
from nodal.findings import Flag
from nodal.prognosis.shelf import Shelf
from nodal.settings import Settings, TotalSegmentatorSettings

__all__ = ["OpenedAnatomy", "open_anatomy_engine"]

WITHOUT = "physiological uptake cannot be told from lesions"
"""What is missing where organs are not known."""


@dataclass(frozen=True, eq=False)
class OpenedAnatomy:
    """An engine, and what a report and a digest have to know of it.

    Attributes:
        flag: why there is no engine though the settings ask for one; for every study.
        content: hex SHA-256 of all that decides what the engine finds, part of the digest of settings that alter
            output: the engine and its weights, or its command.
    """

    engine: AnatomyEngine
    flag: Flag | None
    content: str


def open_anatomy_engine(settings: Settings, shelf: Shelf, processor: Processor | None = None) -> OpenedAnatomy:
    """The engine of ``anatomy.engine``.

    "network" without a bundle that may be used is no engine, with a flag: studies are measured all the same. The
    program of TotalSegmentator is looked for when the first study comes.

    Args:
        shelf: whose bundle "anatomy" is taken, that of the settings before the shipped one.
        processor: where the network runs; the CPU in float32 by default.
    """
    match settings.anatomy.engine:
        case "none":
            return OpenedAnatomy(NoAnatomy(), None, _content("none"))
        case "totalsegmentator":
            return _totalsegmentator(settings.engines.totalsegmentator)
        case "network":
            return _network(shelf, processor)


def _totalsegmentator(asked: TotalSegmentatorSettings) -> OpenedAnatomy:
    engine = TotalSegmentator(asked.command, asked.time_limit_s, asked.memory_gb, asked.fast)
    return OpenedAnatomy(engine, None, _content("totalsegmentator", *asked.command, str(asked.fast)))


def _network(shelf: Shelf, processor: Processor | None) -> OpenedAnatomy:
    bundle = shelf.bundles.get(SYSTEM)
    if bundle is not None:
        try:
            return OpenedAnatomy(open_bundle(bundle, processor), None, _content("network", bundle.digest))
        except BundleRefused as error:
            return _without(Code(error.code), error.reason)
    refused = shelf.refused.get(SYSTEM)
    if refused is not None:
        return _without(refused.code, refused.reason)
    return _without(Code.NO_BUNDLE, "no anatomy network is installed")


def _without(code: Code, reason: str) -> OpenedAnatomy:
    return OpenedAnatomy(NoAnatomy(), Flag(code, f"{reason}; {WITHOUT}"), _content("none"))


def _content(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
