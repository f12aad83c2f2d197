"""The features: as many as published, the library's own values, and a code where a region has none."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from lymphoma.errors import ConfigInvalid, NotComputable
from lymphoma.imaging.volume import Volume
from lymphoma.radiomics import NAMES, RadiomicsSettings, extract, extract_lesions
from lymphoma.radiomics.layout import lay_out
from lymphoma.radiomics.names import FAMILIES, IMAGES, SHAPE, family_names
from radiomics import firstorder, glcm, glrlm, glszm, ngtdm, shape
from scipy import ndimage

from tests.unit.radiomics.plain import plain_features, volume

pytestmark = pytest.mark.unit

SAME = 1e-9
"""Relative: sums are taken in another order, nothing else differs."""
SHAPE_OF_SCAN = (31, 24, 27)
SETTINGS = RadiomicsSettings()


def scan(seed: int = 0) -> tuple[Volume, Volume]:
    rng = np.random.default_rng(seed)
    suv = np.abs(ndimage.gaussian_filter(rng.normal(size=SHAPE_OF_SCAN), 1)) * 30
    ct = ndimage.gaussian_filter(rng.normal(size=SHAPE_OF_SCAN), 1) * 300
    return volume(suv.astype(np.float32)), volume(ct.astype(np.float32))


def box(*bounds: tuple[int, int]) -> npt.NDArray[np.bool_]:
    made = np.zeros(SHAPE_OF_SCAN, dtype=bool)
    made[tuple(slice(first, last) for first, last in bounds)] = True
    return made


def worst(found: dict[str, float], plain: dict[str, float]) -> float:
    assert set(found) == set(plain)
    return max(abs(found[name] - plain[name]) / max(abs(plain[name]), 1e-6) for name in plain)


@pytest.mark.paper("mtdlr-features")
def test_720_of_each_image_and_16_of_the_shape() -> None:
    assert len(NAMES) == len(set(NAMES)) == 1456
    assert [sum(name.startswith(f"{of}_") for name in NAMES) for of in ("pet", "ct", "shape")] == [720, 720, 16]
    assert len(IMAGES) == 9
    assert len(family_names("pet", "original")) == 80
    assert {family: len(names) for family, names in FAMILIES.items()} == {
        "firstorder": 19,
        "glcm": 24,
        "glrlm": 16,
        "glszm": 16,
        "ngtdm": 5,
    }


def test_every_feature_that_the_library_holds_to_be_good_and_three_more() -> None:
    classes = {
        "firstorder": firstorder.RadiomicsFirstOrder,
        "glcm": glcm.RadiomicsGLCM,
        "glrlm": glrlm.RadiomicsGLRLM,
        "glszm": glszm.RadiomicsGLSZM,
        "ngtdm": ngtdm.RadiomicsNGTDM,
        "shape": shape.RadiomicsShape,
    }
    extra = set()
    for family, names in {**FAMILIES, "shape": tuple(SHAPE)}.items():
        known = classes[family].getFeatureNames()
        assert {name for name, deprecated in known.items() if not deprecated} <= set(names) <= set(known)
        extra |= {name for name in names if known[name]}
    assert extra == {"StandardDeviation", "Compactness1", "Compactness2"}


REGIONS = {
    "one part": box((8, 15), (7, 14), (9, 16)),
    "far apart": box((9, 14), (8, 13), (8, 13)) | box((20, 24), (14, 18), (15, 20)) | box((22, 24), (3, 6), (20, 24)),
    "at the rim": box((0, 4), (18, 24), (10, 16)) | box((27, 31), (0, 3), (24, 27)),
    "one slice": box((12, 13), (5, 14), (6, 15)),
    "two slices, two parts": box((12, 13), (5, 9), (6, 10)) | box((16, 17), (12, 18), (12, 18)),
    "flat parts one above the other": box((5, 6), (5, 12), (6, 12)) | box((25, 26), (5, 12), (6, 12)),
}


@pytest.mark.parametrize("name", REGIONS)
def test_the_same_values_as_the_library_on_the_whole_scan(name: str) -> None:
    suv, ct = scan()
    region = suv.with_array(REGIONS[name])
    found = extract(suv, ct, region, SETTINGS, workers=1)
    assert found.names == NAMES
    assert found.values.dtype == np.float64
    assert np.isfinite(found.values).all()
    assert worst(dict(found.by_name), plain_features(suv, ct, region, SETTINGS)) < SAME


def test_parts_far_apart_are_laid_out_close_to_each_other() -> None:
    region = REGIONS["far apart"]
    laid = lay_out(region)
    assert np.prod(laid.shape) < 0.6 * np.prod([np.ptp(axis) + 1 for axis in np.nonzero(region)])
    assert int(laid.mask().sum()) == int(region.sum())
    touching = [ndimage.generate_binary_structure(3, 3)]
    assert ndimage.label(laid.mask(), touching[0])[1] == ndimage.label(region, touching[0])[1] == 3


def test_the_same_from_several_processes() -> None:
    suv, ct = scan()
    region = suv.with_array(REGIONS["one part"])
    alone, together = (extract(suv, ct, region, workers=count).values for count in (1, 2))
    assert np.array_equal(alone, together)


def test_a_lesion_has_the_features_of_its_region() -> None:
    suv, ct = scan()
    lesions = np.zeros(SHAPE_OF_SCAN, dtype=np.uint16)
    lesions[REGIONS["one part"]] = 1
    lesions[20:24, 14:18, 15:20] = 2
    lesions[28, 3, 3] = 3
    found = extract_lesions(suv, ct, suv.with_array(lesions), workers=1)
    assert set(found.found) == {1, 2}
    assert set(found.left_out) == {3}
    own = extract(suv, ct, suv.with_array(lesions == 2), workers=1)
    assert np.allclose(found.found[2].values, own.values, rtol=SAME, atol=0)
    chosen = extract_lesions(suv, ct, suv.with_array(lesions), [1], workers=1)
    assert set(chosen.found) == {1}
    assert np.array_equal(chosen.found[1].values, found.found[1].values)


@pytest.mark.parametrize(
    ("region", "why"),
    [
        (box((3, 3), (0, 0), (0, 0)), "empty"),
        (box((3, 4), (5, 6), (7, 8)), "single"),
        (box((3, 4), (5, 6), (7, 12)), "line"),
        (box((3, 4), (5, 6), (7, 8)) | box((9, 10), (11, 12), (13, 14)), "no value|not defined"),
    ],
)
def test_a_region_that_is_too_small_has_a_code(region: npt.NDArray[np.bool_], why: str) -> None:
    suv, ct = scan()
    with pytest.raises(NotComputable, match=why) as told:
        extract(suv, ct, suv.with_array(region), workers=1)
    assert told.value.code == "REGION_TOO_SMALL"


def test_a_constant_region_has_finite_features() -> None:
    suv, ct = volume(np.full(SHAPE_OF_SCAN, 5.0)), volume(np.full(SHAPE_OF_SCAN, 40.0))
    region = suv.with_array(REGIONS["one part"])
    found = extract(suv, ct, region, workers=1).by_name
    assert found["pet_original_firstorder_Variance"] == 0.0
    assert found["pet_original_glcm_MCC"] == 1.0


def test_a_gap_in_the_values_is_said() -> None:
    suv, ct = scan()
    ct.array[10, 10, 10] = np.nan
    with pytest.raises(NotComputable) as told:
        extract(suv, ct, suv.with_array(REGIONS["one part"]), workers=1)
    assert told.value.code == "VALUES_NOT_FINITE"


def test_grids_must_agree() -> None:
    suv, ct = scan()
    with pytest.raises(ValueError, match="one grid"):
        extract(suv, ct, volume(REGIONS["one part"], (4.0, 4.0, 4.0)), workers=1)


@pytest.mark.parametrize("wrong", [{"pet_bin_width_suv": 0.0}, {"wavelet": "none"}, {"distance_voxels": 2}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float | str]) -> None:
    with pytest.raises(ConfigInvalid):
        RadiomicsSettings(**wrong)  # type: ignore[arg-type]


@pytest.mark.paper("mtdlr-shape")
def test_the_shape_does_not_depend_on_the_images() -> None:
    suv, ct = scan()
    region = suv.with_array(REGIONS["one part"])
    first, second = (extract(one, other, region, workers=1).by_name for one, other in ((suv, ct), (ct, suv)))
    names = [name for name in NAMES if name.startswith("shape_")]
    assert [first[name] for name in names] == [second[name] for name in names]
