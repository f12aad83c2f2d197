"""The two centres: one sort of patients, two scanners."""

from __future__ import annotations

from dataclasses import dataclass

from lymphoma.simulation.variety import Range, Variety

__all__ = ["CENTRES", "Centre"]


@dataclass(frozen=True)
class Centre:
    """Where patients are scanned.

    Attributes:
        variety: how its scans differ among each other. edge_mm: of its voxels. first_seed: of its patients, who are
            ``first_seed``, ``first_seed + 1``, ...; no set of the project has them.
    """

    name: str
    variety: Variety
    edge_mm: float
    first_seed: int


CENTRES = (
    Centre(
        "north",
        Variety(
            "north",
            scanners=("umi",),
            psf_fwhm_mm=Range(4.5, 5.5),
            overshoots=0.5,
            liver_cov=Range(0.06, 0.10),
            noise_fwhm_mm=Range(4.5, 5.5),
            suv_scale=Range(0.97, 1.03),
            respiration_mm=Range(2.0, 16.0, 9.0, 4.0),
            misregistration_mm=Range(0.0, 4.0),
            ct_venous=0.1,
            ct_noise_hu=Range(9.0, 14.0),
        ),
        4.0,
        7_000_000,
    ),
    Centre(
        "south",
        Variety(
            "south",
            scanners=("discovery",),
            psf_fwhm_mm=Range(6.0, 7.5),
            liver_cov=Range(0.10, 0.16),
            noise_fwhm_mm=Range(6.0, 7.0),
            suv_scale=Range(0.88, 0.96),
            respiration_mm=Range(2.0, 16.0, 9.0, 4.0),
            misregistration_mm=Range(0.0, 6.0),
            ct_venous=0.8,
            ct_noise_hu=Range(14.0, 25.0),
        ),
        5.0,
        7_100_000,
    ),
)
"""The one that teaches and the one that only judges: blurred by 1.5 mm more, noisier, in coarser voxels, a tenth lower
in SUV, and with contrast in most of its CTs [A]."""
