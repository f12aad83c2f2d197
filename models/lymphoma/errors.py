"""The one error of the science: a quantity that cannot be computed from what was given."""

from __future__ import annotations

__all__ = ["NotComputable"]


class NotComputable(ValueError):
    """``code`` is one of the node's stable codes (``NO_ANATOMY``, ``FOV_PARTIAL``, ...); ``reason`` a sentence."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.code}: {self.reason}"
