"""Every error of the science, each with a stable code and a sentence.

    CannotDo                    code, reason; a ValueError
    ├── NotComputable           a quantity cannot be computed from what was given
    └── CannotLearn             training and what it makes
        ├── ConfigInvalid       a training configuration does not make sense
        ├── TrainingFailed      a run cannot start or cannot go on; only ``TRAINING_LOCKED`` may pass by itself
        └── BundleRefused       a bundle cannot be made, or must not be used

A reason never holds a patient's name or id.
"""

from __future__ import annotations

__all__ = ["BundleRefused", "CannotDo", "CannotLearn", "ConfigInvalid", "NotComputable", "TrainingFailed"]


class CannotDo(ValueError):
    """``code`` is stable and never renamed; ``reason`` a sentence."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.code}: {self.reason}"


class NotComputable(CannotDo):
    """``code`` is one of the node's stable codes (``NO_ANATOMY``, ``FOV_PARTIAL``, ...)."""


class CannotLearn(CannotDo):
    """What the training, or the reading of its outcome, refuses."""


class ConfigInvalid(CannotLearn):
    """``CONFIG_INVALID``: an unknown key, a value out of range, values that contradict each other."""


class TrainingFailed(CannotLearn):
    """``TRAINING_LOCKED``, ``TRAINING_CONFIG_CHANGED``, ``LOSS_NOT_FINITE``, ``METRIC_MISSING``, ``DEVICE_UNFIT``,
    ``HANDOVER_UNUSABLE``."""


class BundleRefused(CannotLearn):
    """``BUNDLE_EXISTS``, ``BUNDLE_FILE_MISSING``, ``BUNDLE_DIGEST_MISMATCH``, ``BUNDLE_FILE_UNLISTED``,
    ``BUNDLE_PICKLE``, ``BUNDLE_UNREADABLE``, ``BUNDLE_NEWER_LAYOUT``, ``BUNDLE_SYSTEM_UNKNOWN``,
    ``BUNDLE_NOT_ACCEPTED``, ``BUNDLE_TENSOR_TOO_LARGE``, ``STATISTICS_UNFIT``."""
