"""The models of scanner in the virtual hospitals, by the habits of their makers.

Matrices, voxels and bed positions are of the kind these makers' clinical protocols use; they are assumptions of the
generator [A], not a specification of any product.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lymphoma.simulation.protocol import Protocol

__all__ = ["SCANNERS", "ScannerModel", "Vendor"]

Vendor = Literal["nodal", "siemens", "ge", "philips", "uih"]


@dataclass(frozen=True)
class ScannerModel:
    """One model of scanner.

    Attributes:
        name: its key in :data:`SCANNERS`. vendor: whose habits its headers follow. model: whose habits, in words.
        protocol: native grids; the CT's in-plane voxels are for its full field of view.
        models_psf: offers reconstructions that model the point spread, which overshoot at edges.
        bed_mm, bed_s: length from one bed position to the next, and time at each.
        feet_first: begins at the thighs and ends at the head.
    """

    name: str
    vendor: Vendor
    model: str
    protocol: Protocol
    models_psf: bool
    bed_mm: float
    bed_s: float
    feet_first: bool

    def ct_spacing_mm(self, field_mm: float | None) -> tuple[float, float, float]:
        """Voxel edges of a CT reconstructed over ``field_mm`` in the model's matrix; None is its full field."""
        x, y, z = self.protocol.ct_spacing_mm
        return (x, y, z) if field_mm is None else (field_mm / self.protocol.ct_matrix,) * 2 + (z,)


_MODELS = (
    ScannerModel("nodal", "nodal", "Virtual PET/CT", Protocol(), False, 120.0, 120.0, False),
    ScannerModel(
        "biograph",
        "siemens",
        "Biograph mCT",
        Protocol((4.07283, 4.07283, 3.0), 168, (1.3671875, 1.3671875, 3.0)),
        True,
        124.0,
        120.0,
        True,
    ),
    ScannerModel(
        "vision",
        "siemens",
        "Biograph Vision",
        Protocol((3.3, 3.3, 3.0), 220, (1.3671875, 1.3671875, 3.0)),
        True,
        131.0,
        90.0,
        True,
    ),
    ScannerModel(
        "discovery",
        "ge",
        "Discovery 690",
        Protocol((2.734375, 2.734375, 3.27), 256, (1.3671875, 1.3671875, 3.27)),
        True,
        120.0,
        150.0,
        False,
    ),
    ScannerModel(
        "ingenuity",
        "philips",
        "Ingenuity TF",
        Protocol((4.0, 4.0, 4.0), 144, (1.171875, 1.171875, 4.0)),
        False,
        90.0,
        90.0,
        False,
    ),
    ScannerModel(
        "umi",
        "uih",
        "uMI 780",
        Protocol((4.0, 4.0, 2.443), 150, (1.171875, 1.171875, 3.0)),
        True,
        180.0,
        150.0,
        False,
    ),
)

SCANNERS: dict[str, ScannerModel] = {model.name: model for model in _MODELS}
"""All models by name; "nodal" is the one clean scanner without a maker's habits."""
