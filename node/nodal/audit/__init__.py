"""The append-only trail of everything the node did."""

from nodal.audit.trail import Event, Trail

__all__ = ["Event", "Trail"]
