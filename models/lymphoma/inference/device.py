"""Where a network runs, and in which numbers."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Literal

import torch

from lymphoma.errors import NotComputable

__all__ = ["Device", "Precision", "Processor", "choose"]

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["auto", "float32", "bfloat16"]


@dataclass(frozen=True)
class Processor:
    """A device with the type of its convolutions; weights, sums and probabilities are float32 everywhere.

    Attributes:
        mixed: bfloat16 in convolutions.
    """

    device: torch.device
    mixed: bool = False

    def numbers(self) -> contextlib.AbstractContextManager[object]:
        """The context in which a network is called."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.mixed)

    @property
    def words(self) -> str:
        """For reports and cards: "cpu, bfloat16"."""
        return f"{self.device.type}, {'bfloat16' if self.mixed else 'float32'}"


def choose(asked: Device = "auto", precision: Precision = "auto") -> Processor:
    """The processor of the settings.

    Args:
        asked: "auto" takes a GPU where there is one. precision: "auto" is bfloat16 on a GPU, and on a CPU that
            multiplies it in hardware; a CPU that only emulates it is slower so than in float32.

    Raises:
        NotComputable: DEVICE_UNFIT, a GPU is asked for and there is none.
    """
    gpu = torch.cuda.is_available()
    if asked == "cuda" and not gpu:
        raise NotComputable("DEVICE_UNFIT", "a GPU is asked for and there is none")
    device = torch.device("cuda" if gpu and asked != "cpu" else "cpu")
    mixed = precision == "bfloat16" or (precision == "auto" and (device.type == "cuda" or _cpu_multiplies_bfloat16()))
    return Processor(device, mixed)


def _cpu_multiplies_bfloat16() -> bool:
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))
