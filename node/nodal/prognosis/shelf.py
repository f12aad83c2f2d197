"""The bundles a node may use: those that it ships, and those of the settings, which go before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from lymphoma.combined import COMBINED
from lymphoma.errors import BundleRefused
from lymphoma.prognosis.system import SYSTEMS, PrognosisSystem, installed_systems
from lymphoma.training.bundle import Bundle, load_bundle

from nodal.errors import Code, SettingsInvalid
from nodal.prognosis.site_key import read_site_key, refuse_unsigned
from nodal.settings import Settings

__all__ = ["KNOWN_SYSTEMS", "RefusedBundle", "Shelf", "open_shelf"]

NETWORKS = ("anatomy", "segmentation")
"""The networks that all systems share; each has a room and a bundle as a system has."""

KNOWN_SYSTEMS = (*SYSTEMS, COMBINED, *NETWORKS)
"""Whose a bundle may be, installed here or not."""


@dataclass(frozen=True)
class RefusedBundle:
    """A bundle that must not be used, and why."""

    name: str
    code: Code
    reason: str


@dataclass(frozen=True, eq=False)
class Shelf:
    """What there is to judge a patient with.

    Attributes:
        systems: whose room is installed. bundles: at most one for each system and for each of :data:`NETWORKS`,
            verified, and at most one that combines the systems.
        refused: bundles of the settings or of this version that cannot be used, by system where it could be told,
            else by name. A refused bundle of the settings never gives way to the shipped one.
    """

    systems: Mapping[str, PrognosisSystem]
    bundles: Mapping[str, Bundle]
    refused: Mapping[str, RefusedBundle]


def open_shelf(settings: Settings) -> Shelf:
    """Reads and verifies every bundle; one that a site trained must have been accepted there, by the site's own key.

    Raises:
        SettingsInvalid: two bundles of the settings belong to one system.
    """
    systems, key = installed_systems(), read_site_key(settings.state_dir)
    rooms = (*systems, *NETWORKS)
    bundles: dict[str, Bundle] = {}
    refused: dict[str, RefusedBundle] = {}
    chosen: dict[str, str] = {}
    for name, folder in settings.bundles.items():
        try:
            bundle = load_bundle(folder, (*rooms, COMBINED))
            refuse_unsigned(bundle, key)
        except BundleRefused as error:
            refused[_system_named_in(folder) or name] = RefusedBundle(name, Code(error.code), error.reason)
            continue
        system = bundle.metadata.nodal.system
        if system in chosen:
            raise SettingsInvalid(f"bundles: {chosen[system]} and {name} both belong to {system}")
        chosen[system], bundles[system] = name, bundle
    for system in rooms:
        if system in bundles or system in refused:
            continue
        if (shipped := _shipped(system)) is None:
            continue
        try:
            bundles[system] = load_bundle(shipped, rooms)
        except BundleRefused as error:
            refused[system] = RefusedBundle(system, Code(error.code), error.reason)
    return Shelf(systems, bundles, refused)


def _system_named_in(folder: Path) -> str | None:
    """The system that a refused bundle says it belongs to, where so much of it can be read."""
    try:
        system = json.loads((folder / "configs" / "metadata.json").read_bytes())["nodal"]["system"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return system if system in KNOWN_SYSTEMS else None


def _shipped(system: str) -> Path | None:
    """The bundle in a system's room, where this version brings one. Packages are installed as plain folders."""
    with as_file(files(f"lymphoma.{system}") / "bundle") as folder:
        return folder if (folder / "configs" / "metadata.json").is_file() else None
