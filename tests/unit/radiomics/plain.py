"""PyRadiomics as anybody would call it: whole scan, one modality after the other, its own extractor."""

from __future__ import annotations

import logging

import numpy as np
import numpy.typing as npt
from lymphoma.imaging.volume import Volume
from lymphoma.radiomics import RadiomicsSettings
from lymphoma.radiomics.names import FAMILIES, SHAPE
from radiomics.featureextractor import RadiomicsFeatureExtractor

__all__ = ["plain_features"]


def plain_features(suv: Volume, ct_hu: Volume, region: Volume, settings: RadiomicsSettings) -> dict[str, float]:
    """Name as in lymphoma.radiomics -> value."""
    logging.getLogger("radiomics").setLevel(logging.CRITICAL)
    found: dict[str, float] = {}
    mask = region.with_array((region.array > 0).astype(np.uint8)).to_sitk()
    for modality, volume in (("pet", suv), ("ct", ct_hu)):
        extractor = RadiomicsFeatureExtractor(binWidth=settings.bin_width(modality), additionalInfo=False)
        extractor.disableAllFeatures()
        extractor.enableImageTypeByName("Wavelet", customArgs={"wavelet": settings.wavelet})
        extractor.enableFeaturesByName(**{family: list(names) for family, names in FAMILIES.items()})
        if modality == "pet":
            extractor.enableFeaturesByName(shape=list(SHAPE))
        values = extractor.execute(volume.with_array(volume.array.astype(np.float64)).to_sitk(), mask)
        for name, value in values.items():
            own = name.removeprefix("original_") if "_shape_" in name else f"{modality}_{name}"
            found[own] = float(np.squeeze(np.asarray(value, dtype=np.float64)))
    return found


def volume(array: npt.NDArray[np.generic], spacing_mm: tuple[float, float, float] = (4.0, 4.0, 5.0)) -> Volume:
    """On a grid with edges (x, y, z) in mm."""
    return Volume(array, np.diag([*spacing_mm, 1.0]))
