"""How features are extracted, in the terms of the Image Biomarker Standardisation Initiative (IBSI)."""

from __future__ import annotations

from dataclasses import dataclass

import pywt

from lymphoma.errors import ConfigInvalid

__all__ = ["RadiomicsSettings"]


@dataclass(frozen=True)
class RadiomicsSettings:
    """What the paper leaves open, fixed here; a model is only good for the settings it was fitted with.

    Nothing else is done to the images: no resampling (both are on the PET grid already), no re-segmentation of the
    region, no normalisation, no shift of grey levels, 3D throughout.

    Attributes:
        pet_bin_width_suv: width of a grey level of the PET, in SUV; levels begin at multiples of the width from 0.
            [A] 0.25 SUV is what most FDG studies take.
        ct_bin_width_hu: of the CT, in HU. [A] 25 HU, the library's own.
        wavelet: a name of PyWavelets; one undecimated level in three dimensions, eight images.
        distance_voxels: Chebyshev distance of the neighbours in co-occurrence and grey tone difference matrices.

    Raises:
        ConfigInvalid: a width that is not above 0, a wavelet that nobody knows, another distance than 1.
    """

    pet_bin_width_suv: float = 0.25
    ct_bin_width_hu: float = 25.0
    wavelet: str = "coif1"
    distance_voxels: int = 1

    def __post_init__(self) -> None:
        if not (self.pet_bin_width_suv > 0 and self.ct_bin_width_hu > 0):
            raise ConfigInvalid("CONFIG_INVALID", "a bin width is above 0")
        if self.wavelet not in pywt.wavelist(kind="discrete"):
            raise ConfigInvalid("CONFIG_INVALID", f"there is no discrete wavelet {self.wavelet}")
        if self.distance_voxels != 1:
            # Parts of a region are laid out with one empty voxel between them: further neighbours would meet.
            raise ConfigInvalid("CONFIG_INVALID", "only neighbours that touch are looked at")

    def bin_width(self, modality: str) -> float:
        """Of ``pet`` in SUV or of ``ct`` in HU."""
        return self.pet_bin_width_suv if modality == "pet" else self.ct_bin_width_hu

    @property
    def way(self) -> str:
        """In words, for the index of a folder: other words, other features."""
        return (
            f"PyRadiomics 3.0.1; bins {self.pet_bin_width_suv:g} SUV and {self.ct_bin_width_hu:g} HU; "
            f"wavelet {self.wavelet}; distance {self.distance_voxels}; PET grid, no resampling"
        )
