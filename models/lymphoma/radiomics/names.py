"""The names of the 1456 features: 720 of the PET, 720 of the CT, 16 of the shape.

The paper gives the three numbers alone. 720 is nine images with 80 features each: the image itself and eight wavelet
images; 19 + 24 + 16 + 16 + 5 features without the dependence matrix (GLDM). 16 is the library's 14 features of shape
and two of the three that it holds to be redundant; which two is a choice [A].
"""

from __future__ import annotations

__all__ = ["FAMILIES", "IMAGES", "MODALITIES", "NAMES", "SHAPE", "family_names", "shape_names"]

MODALITIES = ("pet", "ct")

WAVELETS = tuple(f"wavelet-{x}{y}{z}" for x in "LH" for y in "LH" for z in "LH")
"""Low or high pass along columns (x), rows (y) and slices (z), the library's own order of letters."""
IMAGES = ("original", *WAVELETS)

SHAPE = [
    "MeshVolume",
    "VoxelVolume",
    "SurfaceArea",
    "SurfaceVolumeRatio",
    "Sphericity",
    "Maximum3DDiameter",
    "Maximum2DDiameterSlice",
    "Maximum2DDiameterColumn",
    "Maximum2DDiameterRow",
    "MajorAxisLength",
    "MinorAxisLength",
    "LeastAxisLength",
    "Elongation",
    "Flatness",
    "Compactness1",
    "Compactness2",
]

FAMILIES: dict[str, tuple[str, ...]] = {
    "firstorder": (
        "Energy",
        "TotalEnergy",
        "Entropy",
        "Minimum",
        "10Percentile",
        "90Percentile",
        "Maximum",
        "Mean",
        "Median",
        "InterquartileRange",
        "Range",
        "MeanAbsoluteDeviation",
        "RobustMeanAbsoluteDeviation",
        "RootMeanSquared",
        "StandardDeviation",
        "Skewness",
        "Kurtosis",
        "Variance",
        "Uniformity",
    ),
    "glcm": (
        "Autocorrelation",
        "JointAverage",
        "ClusterProminence",
        "ClusterShade",
        "ClusterTendency",
        "Contrast",
        "Correlation",
        "DifferenceAverage",
        "DifferenceEntropy",
        "DifferenceVariance",
        "JointEnergy",
        "JointEntropy",
        "Imc1",
        "Imc2",
        "Idm",
        "MCC",
        "Idmn",
        "Id",
        "Idn",
        "InverseVariance",
        "MaximumProbability",
        "SumAverage",
        "SumEntropy",
        "SumSquares",
    ),
    "glrlm": (
        "ShortRunEmphasis",
        "LongRunEmphasis",
        "GrayLevelNonUniformity",
        "GrayLevelNonUniformityNormalized",
        "RunLengthNonUniformity",
        "RunLengthNonUniformityNormalized",
        "RunPercentage",
        "GrayLevelVariance",
        "RunVariance",
        "RunEntropy",
        "LowGrayLevelRunEmphasis",
        "HighGrayLevelRunEmphasis",
        "ShortRunLowGrayLevelEmphasis",
        "ShortRunHighGrayLevelEmphasis",
        "LongRunLowGrayLevelEmphasis",
        "LongRunHighGrayLevelEmphasis",
    ),
    "glszm": (
        "SmallAreaEmphasis",
        "LargeAreaEmphasis",
        "GrayLevelNonUniformity",
        "GrayLevelNonUniformityNormalized",
        "SizeZoneNonUniformity",
        "SizeZoneNonUniformityNormalized",
        "ZonePercentage",
        "GrayLevelVariance",
        "ZoneVariance",
        "ZoneEntropy",
        "LowGrayLevelZoneEmphasis",
        "HighGrayLevelZoneEmphasis",
        "SmallAreaLowGrayLevelEmphasis",
        "SmallAreaHighGrayLevelEmphasis",
        "LargeAreaLowGrayLevelEmphasis",
        "LargeAreaHighGrayLevelEmphasis",
    ),
    "ngtdm": ("Coarseness", "Contrast", "Busyness", "Complexity", "Strength"),
}


def family_names(modality: str, image: str) -> tuple[str, ...]:
    """The 80 names of one image, in the order of the values."""
    return tuple(f"{modality}_{image}_{family}_{name}" for family, names in FAMILIES.items() for name in names)


def shape_names() -> tuple[str, ...]:
    """The 16 names of the shape."""
    return tuple(f"shape_{name}" for name in SHAPE)


NAMES: tuple[str, ...] = (
    *(name for modality in MODALITIES for image in IMAGES for name in family_names(modality, image)),
    *shape_names(),
)
"""(1456,) in the order of the values of :class:`lymphoma.radiomics.extract.Radiomics`."""
