"""The IBSI digital phantom: the published consensus values, and each known deviation of PyRadiomics from them.

Values: Image Biomarker Standardisation Initiative, reference manual (arXiv 1612.07003), digital phantom, in
3D; co-occurrence and run lengths per direction and averaged, without merging. They are published to three digits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from lymphoma.imaging.volume import Volume
from lymphoma.radiomics import RadiomicsSettings, extract
from lymphoma.radiomics.families import image_features
from lymphoma.radiomics.layout import lay_out

pytestmark = pytest.mark.unit

CONSENSUS = {
    "firstorder": {
        "Mean": 2.15, "Variance": 3.05, "Skewness": 1.08, "Median": 1, "Minimum": 1, "10Percentile": 1,
        "90Percentile": 4, "Maximum": 6, "InterquartileRange": 3, "Range": 5, "MeanAbsoluteDeviation": 1.55,
        "RobustMeanAbsoluteDeviation": 1.11, "Energy": 567, "RootMeanSquared": 2.77, "Entropy": 1.27,
        "Uniformity": 0.512,
    },
    "glcm": {
        "MaximumProbability": 0.503, "JointAverage": 2.14, "SumSquares": 3.1, "JointEntropy": 2.4,
        "DifferenceAverage": 1.43, "DifferenceVariance": 3.06, "DifferenceEntropy": 1.56, "SumAverage": 4.29,
        "SumEntropy": 1.92, "JointEnergy": 0.303, "Contrast": 5.32, "Id": 0.677, "Idn": 0.851, "Idm": 0.618,
        "Idmn": 0.898, "InverseVariance": 0.0604, "Correlation": 0.157, "Autocorrelation": 5.06,
        "ClusterTendency": 7.07, "ClusterShade": 16.6, "ClusterProminence": 145, "Imc1": -0.157, "Imc2": 0.52,
    },
    "glrlm": {
        "ShortRunEmphasis": 0.705, "LongRunEmphasis": 3.06, "LowGrayLevelRunEmphasis": 0.603,
        "HighGrayLevelRunEmphasis": 9.7, "ShortRunLowGrayLevelEmphasis": 0.352,
        "ShortRunHighGrayLevelEmphasis": 8.54, "LongRunLowGrayLevelEmphasis": 2.39,
        "LongRunHighGrayLevelEmphasis": 17.6, "GrayLevelNonUniformity": 21.8,
        "GrayLevelNonUniformityNormalized": 0.43, "RunLengthNonUniformity": 26.9,
        "RunLengthNonUniformityNormalized": 0.513, "RunPercentage": 0.68, "GrayLevelVariance": 3.46,
        "RunVariance": 0.574, "RunEntropy": 2.43,
    },
    "glszm": {
        "SmallAreaEmphasis": 0.255, "LargeAreaEmphasis": 550, "LowGrayLevelZoneEmphasis": 0.253,
        "HighGrayLevelZoneEmphasis": 15.6, "SmallAreaLowGrayLevelEmphasis": 0.0256,
        "SmallAreaHighGrayLevelEmphasis": 2.76, "LargeAreaLowGrayLevelEmphasis": 503,
        "LargeAreaHighGrayLevelEmphasis": 1490, "GrayLevelNonUniformity": 1.4,
        "GrayLevelNonUniformityNormalized": 0.28, "SizeZoneNonUniformity": 1, "SizeZoneNonUniformityNormalized": 0.2,
        "ZonePercentage": 0.0676, "GrayLevelVariance": 2.64, "ZoneVariance": 331, "ZoneEntropy": 2.32,
    },
    "ngtdm": {"Coarseness": 0.0296, "Contrast": 0.584, "Busyness": 6.54, "Complexity": 13.5, "Strength": 0.763},
    "shape": {
        "MeshVolume": 556, "VoxelVolume": 592, "SurfaceArea": 388, "SurfaceVolumeRatio": 0.698, "Sphericity": 0.843,
        "Maximum3DDiameter": 13.1, "Elongation": 0.816, "Flatness": 0.749, "Compactness1": 0.0411,
        "Compactness2": 0.599,
    },
}  # fmt: skip
AXES = {"MajorAxisLength": 11.4, "MinorAxisLength": 9.31, "LeastAxisLength": 8.54}
EXCESS_KURTOSIS = -0.355
VOXELS = 74
VOXEL_MM3 = 8.0


@lru_cache
def features(folder: Path) -> Mapping[str, float]:
    image = Volume.load(folder / "ibsi_phantom/nifti/image/phantom.nii.gz")
    mask = Volume.load(folder / "ibsi_phantom/nifti/mask/mask.nii.gz")
    # The phantom's grey levels are 1..6: bins of 1 leave it as it is, as the manual allows.
    found = extract(image, image, mask, RadiomicsSettings(pet_bin_width_suv=1.0), workers=1).by_name
    return {name.removeprefix("pet_original_"): value for name, value in found.items()}


def three_digits(value: float) -> float:
    return float(f"{value:.3g}")


@pytest.mark.parametrize(("family", "name"), [(family, name) for family, one in CONSENSUS.items() for name in one])
def test_the_consensus_value(real_data: Path, family: str, name: str) -> None:
    assert three_digits(features(real_data)[f"{family}_{name}"]) == CONSENSUS[family][name]


def test_kurtosis_is_not_the_excess(real_data: Path) -> None:
    assert three_digits(features(real_data)["firstorder_Kurtosis"] - 3) == EXCESS_KURTOSIS


@pytest.mark.parametrize("name", AXES)
def test_axes_divide_by_n_where_ibsi_divides_by_n_less_1(real_data: Path, name: str) -> None:
    found = features(real_data)[f"shape_{name}"]
    assert three_digits(found) != AXES[name]
    assert three_digits(found * math.sqrt(VOXELS / (VOXELS - 1))) == AXES[name]


def test_total_energy_is_energy_times_a_voxel_s_volume(real_data: Path) -> None:
    found = features(real_data)
    assert found["firstorder_TotalEnergy"] == pytest.approx(VOXEL_MM3 * 567)
    assert found["firstorder_StandardDeviation"] ** 2 == pytest.approx(found["firstorder_Variance"])


def test_bins_begin_at_multiples_of_their_width_and_not_at_the_least_value() -> None:
    """IBSI's fixed bin size begins at the region's least value: 0.2 and 0.3 would then share a bin of 0.25."""
    region = np.ones((2, 2, 2), dtype=bool)
    values = np.array([0.2, 0.3] * 4)
    found = image_features(lay_out(region), values, (1.0, 1.0, 1.0), 0.25, 1)
    entropy = found[2]
    assert entropy == pytest.approx(1.0)  # two bins, as many voxels in each: one bit
