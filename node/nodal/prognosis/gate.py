"""What an evidence level lets be shown of a system, and what it holds back."""

from __future__ import annotations

from dataclasses import replace

from nodal.outlook import SystemFinding

__all__ = ["held_back", "withheld_system"]


def held_back(system: SystemFinding, *, virtual: bool, show_simulated: bool) -> bool:
    """Whether survival, group and marks of a system must not be shown of this study.

    A bundle trained on virtual patients says nothing of a real patient's survival, unless the administrator has it
    printed with a watermark; of a virtual patient everything is shown.
    """
    return system.evidence == "E0" and not virtual and not show_simulated


def withheld_system(system: SystemFinding) -> SystemFinding:
    """The same with every endpoint marked as withheld; what shows it leaves its classes out as well."""
    endpoints = {name: replace(one, withheld=True) for name, one in system.endpoint.items()}
    return replace(system, endpoint=endpoints)
