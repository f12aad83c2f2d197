"""The examination as drawn, its fields of view, and the CT: each effect measured in the image."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from lymphoma.anatomy.coverage import coverage
from lymphoma.anatomy.organs import Anatomy
from lymphoma.simulation import (
    HOSPITAL,
    PLAIN,
    TRAINING,
    PatientPlan,
    Protocol,
    VirtualPatient,
    build_patient,
    draw_patient,
)
from lymphoma.simulation.anatomy import Grid, paint_tissues
from lymphoma.simulation.ct_contrast import hu_of_tissues
from lymphoma.simulation.ct_physics import CT_NOISE_HU, ct_numbers, expose, upsample_in_plane, with_ct_noise
from lymphoma.simulation.field import pet_grid, slab_protocol
from lymphoma.simulation.frame import stretch_of
from lymphoma.simulation.metal import METAL_HU
from lymphoma.simulation.patient import build_slab
from lymphoma.simulation.person import Person, draw_person
from lymphoma.simulation.scan import CtScan, Scan, Variety, draw_scan
from lymphoma.simulation.tissues import LABELS
from lymphoma.simulation.vendors import SCANNERS
from scipy import ndimage
from skimage.registration import phase_cross_correlation

pytestmark = pytest.mark.unit

COARSE = Protocol(pet_spacing_mm=(8, 8, 8), pet_matrix=72, ct_on_pet_grid=True)
STILL = {"respiration_mm": 0.0, "breath_mm": 0.0}


def _drawn(seed: int, variety: Variety) -> tuple[Person, Scan]:
    """Person and scan of a patient, without the rest of the plan."""
    person = draw_person(np.random.default_rng([seed, 1]))
    return person, draw_scan(np.random.default_rng([seed, 12]), person, variety)


def _plan(seed: int = 3, ct: CtScan | None = None, **scan: object) -> PatientPlan:
    """A patient without lesions in a PLAIN scan, but for what is given."""
    plan = draw_patient(seed, lesions=0)
    return replace(plan, scan=replace(plan.scan, ct=ct or CtScan(), **scan))  # type: ignore[arg-type]


def _chest_to_pelvis(reference_mm: float = 260.0, extent_mm: float = 160.0) -> Protocol:
    centre = stretch_of(_plan(), breath_mm=0.0).patient_z(reference_mm)
    return replace(COARSE, pet_spacing_mm=(5, 5, 5), pet_matrix=128, axial_extent_mm=extent_mm, axial_centre_mm=centre)


def _hu_of(patient: VirtualPatient, organ: str) -> float:
    """Mean CT number deep inside an organ, on the grid of both images."""
    label = next(number for number, name in patient.names.items() if name == organ)
    inside = ndimage.binary_erosion(patient.organs.array == label)
    assert inside.sum() > 5, organ
    return float(np.median(patient.ct_hu.array[inside]))


# --- what is drawn


def test_the_plain_scan_is_one_clean_scanner() -> None:
    scans = [_drawn(seed, PLAIN)[1] for seed in range(60)]
    assert {scan.ct for scan in scans} == {CtScan()}
    assert {(s.scanner, s.suv_scale, s.overshoot, s.respiration_mm, s.noise_rise) for s in scans} == {
        ("nodal", 1.0, 0.0, 0.0, 0.0)
    }
    assert scans[0].protocol == Protocol()
    assert all(4.5 <= scan.psf_fwhm_mm <= 7.5 for scan in scans)


def test_hospitals_have_every_maker_and_nothing_broken() -> None:
    drawn = [_drawn(seed, HOSPITAL) for seed in range(300)]
    scans = [scan for _, scan in drawn]
    assert {scan.model.vendor for scan in scans} == {"siemens", "ge", "philips", "uih"}
    # five models, each as likely: 60 of 300, and 7 is one standard deviation
    assert min(Counter(scan.scanner for scan in scans).values()) > 35
    assert not any(scan.ct.fault or scan.ct.random for scan in scans)
    assert all(scan.covers_mm[0] == -210.0 and scan.covers_mm[1] > 700 for scan in scans)
    assert all(0.92 < scan.suv_scale < 1.08 for scan in scans)
    # the node's limits of plausible uptake times and activities
    assert all(45 <= scan.uptake_minutes <= 90 and 37 < scan.injected_mbq < 1110 for scan in scans)
    for share, low, high in (
        (np.mean([scan.ct.venous for scan in scans]), 0.22, 0.38),
        (np.mean([bool(scan.ct.metal) for scan in scans]), 0.28, 0.52),
        (np.mean([scan.arms_up for scan in scans]), 0.67, 0.83),
        (np.mean([scan.overshoot > 0 for scan in scans]), 0.22, 0.42),
    ):
        assert low < share < high
    assert all(SCANNERS[scan.scanner].models_psf for scan in scans if scan.overshoot)
    hips = [person.age_years for person, scan in drawn if any(site.startswith("hip") for site in scan.ct.metal)]
    assert np.median(hips) > 60


def test_training_spans_what_the_rules_of_evidence_name() -> None:
    scans = [_drawn(seed, TRAINING)[1] for seed in range(400)]
    for values, low, high in (
        ([s.psf_fwhm_mm for s in scans], 4.0, 9.0),
        ([s.liver_cov for s in scans], 0.05, 0.25),
        ([s.suv_scale for s in scans], 0.7, 1.4),
        ([s.overshoot for s in scans if s.overshoot], 0.10, 0.25),
        ([s.noise_fwhm_mm for s in scans], 3.5, 8.0),
    ):
        span = high - low
        assert low <= min(values) < low + 0.1 * span
        assert high - 0.1 * span < max(values) <= high
    lengths = [np.linalg.norm(s.ct.offset_mm) for s in scans if s.ct.fault != "displaced"]
    assert 12 < max(lengths) <= 15.1
    assert min(np.linalg.norm(s.ct.offset_mm) for s in scans if s.ct.fault == "displaced") >= 30
    # 20 % and 10 % of 400: standard deviations of 2 % and 1.5 %
    assert np.mean([s.ct.random for s in scans]) == pytest.approx(0.2, abs=0.06)
    assert np.mean([s.ct.fault is not None for s in scans]) == pytest.approx(0.1, abs=0.05)
    assert {s.ct.fault for s in scans} == {None, "air", "constant", "displaced"}
    assert 0.08 < np.mean([s.covers_mm[0] > -210 or s.covers_mm[1] < 700 for s in scans]) < 0.22


@pytest.mark.parametrize("variety", [PLAIN, HOSPITAL, TRAINING])
def test_same_seed_same_scan_and_the_rest_of_the_plan_does_not_depend_on_it(variety: Variety) -> None:
    plan = draw_patient(11, variety=variety)
    assert plan.scan == _drawn(11, variety)[1]
    assert plan == draw_patient(11, variety=variety)
    assert replace(plan, scan=draw_patient(11).scan) == draw_patient(11)


def test_same_seed_same_bytes_in_all_that_can_go_wrong() -> None:
    def digest() -> str:
        patient = build_patient(draw_patient(17, variety=TRAINING), replace(COARSE, axial_extent_mm=200.0))
        return hashlib.sha256(patient.pet_suv.array.tobytes() + patient.ct_hu.array.tobytes()).hexdigest()

    assert digest() == digest()


# --- grids


@pytest.mark.parametrize("name", ["biograph", "discovery", "ingenuity", "umi", "vision"])
def test_native_grids(name: str) -> None:
    scan = replace(draw_patient(4, variety=HOSPITAL).scan, scanner=name, ct=CtScan(field_mm=500.0))
    grid = pet_grid(replace(draw_patient(4), scan=scan), scan.protocol)
    assert grid.shape[1] == scan.protocol.pet_matrix
    # all makers' fields hold a body: 570 to 730 mm
    assert 570 < grid.shape[1] * grid.spacing_mm[0] < 730
    assert scan.protocol.ct_spacing_mm[0] * scan.protocol.ct_matrix == pytest.approx(500.0)
    assert scan.protocol != Protocol()


def test_from_the_skull_base_is_still_a_whole_body() -> None:
    whole, base = (_plan(covers_mm=(-210.0, top)) for top in (830.0, 712.0))
    lengths = [pet_grid(plan, COARSE).shape[0] * 8.0 for plan in (whole, base)]
    assert 90 < lengths[0] - lengths[1] < 160
    patient = build_patient(base, COARSE)
    ct = patient.ct_hu.with_array(patient.ct_hu.array.astype(np.float32))
    seen = coverage(patient.pet_suv, ct, Anatomy("given", patient.organs, patient.names))
    assert (seen.field_of_view, seen.brain_covered) == ("whole", False)


def test_a_slab_shows_the_largest_lesion_on_one_grid() -> None:
    shown = 0
    for seed in range(6):
        plan = draw_patient(seed, variety=TRAINING, lesions=4)
        patient = build_slab(plan)
        assert patient.pet_suv.array.shape == (25, 128, 128)
        assert patient.ct_hu.same_grid(patient.pet_suv)
        assert patient.ct_hu.array.dtype == np.int16
        assert patient.protocol == slab_protocol(plan)
        shown += bool(patient.lesions)
    # a lesion that finds no room near its anchor may lie outside
    assert shown >= 5


# --- the PET's calibration


def test_calibration_scales_the_image_and_not_the_truth() -> None:
    protocol = _chest_to_pelvis()
    true, scaled = (build_patient(_plan(suv_scale=scale), protocol) for scale in (1.0, 1.3))
    # float32
    assert np.allclose(scaled.pet_suv.array, 1.3 * true.pet_suv.array, rtol=1e-5)
    assert np.allclose(scaled.pet_noise_free.array, 1.3 * true.pet_noise_free.array, rtol=1e-5)
    assert np.array_equal(scaled.organs.array, true.organs.array)


# --- the CT


def test_ct_on_twice_the_matrix() -> None:
    ramp = np.broadcast_to(np.arange(40, dtype=np.float32) * 10, (30, 40, 40))
    noise = np.full(30, CT_NOISE_HU, dtype=np.float32)
    fine = upsample_in_plane(np.ascontiguousarray(ramp), 1, noise)
    assert fine.shape == (30, 80, 80)
    expected = (np.arange(80) - 0.5) * 5.0
    # the mean of 30 x 80 noisy pixels of SD 13, correlated over neighbours, has a standard error below 1 HU
    assert fine.mean(axis=(0, 1))[2:-2] == pytest.approx(expected[2:-2], abs=3.0)
    assert (fine - expected)[:, :, 4:-4].std() == pytest.approx(CT_NOISE_HU, rel=0.05)


def test_ct_numbers_of_tissues_and_noise() -> None:
    grid = Grid((8, 64, 64), (4.0, 4.0, 4.0), (-126.0, -126.0, 0.0))
    tissues = np.full(grid.shape, LABELS["liver"], dtype=np.uint8)
    hu = ct_numbers(tissues, grid, hu_of_tissues(_plan()))
    noisy = with_ct_noise(hu, 2, np.full(8, 30.0, dtype=np.float32))
    assert noisy.dtype == np.int16
    # 32,768 pixels, correlated over neighbours
    assert noisy.mean() == pytest.approx(hu.mean(), abs=1.0)
    assert noisy.std() == pytest.approx(30.0, rel=0.05)


def test_couch_lies_under_the_back() -> None:
    grid = Grid((2, 96, 96), (5.0, 5.0, 5.0), (-237.5, -237.5, 0.0))
    tissues = np.zeros(grid.shape, dtype=np.uint8)
    tissues[:, 30:60, 30:66] = LABELS["muscle"]
    table = hu_of_tissues(_plan())
    hu = ct_numbers(tissues, grid, table)
    assert (hu[:, 62:72, 40:56].max(axis=1) > -700).all()
    assert (hu[:, :28] < -950).all()
    assert (ct_numbers(tissues, grid, table, couch=False)[:, 63:] < -950).all()


@pytest.fixture(scope="module")
def plain() -> VirtualPatient:
    return build_patient(_plan(**STILL), _chest_to_pelvis())


def test_contrast_of_the_portal_venous_phase(plain: VirtualPatient) -> None:
    venous = build_patient(_plan(ct=CtScan(venous=True), **STILL), _chest_to_pelvis())
    assert 150 <= _hu_of(venous, "aorta") <= 200
    assert 90 < _hu_of(venous, "liver") < 130
    assert _hu_of(venous, "kidney_left") > _hu_of(venous, "spleen") > _hu_of(venous, "liver")
    assert _hu_of(plain, "aorta") < 70
    assert _hu_of(venous, "vertebrae_L") == pytest.approx(_hu_of(plain, "vertebrae_L"), abs=25)


def test_oral_contrast_is_in_the_bowel_alone(plain: VirtualPatient) -> None:
    oral = build_patient(_plan(ct=CtScan(oral=True), **STILL), _chest_to_pelvis())
    change = oral.ct_hu.array.astype(float) - plain.ct_hu.array
    gut = np.isin(
        oral.organs.array, [n for n, name in oral.names.items() if name in ("small_bowel", "colon", "stomach")]
    )
    assert np.percentile(change[gut], 90) > 60
    elsewhere = ~ndimage.binary_dilation(gut, iterations=3) & (oral.organs.array > 0)
    names = {oral.names[n] for n in np.unique(oral.organs.array[elsewhere & (change > 20)])}
    assert names <= {"duodenum"}


def test_offset_and_random_contrast(plain: VirtualPatient) -> None:
    shifted = build_patient(_plan(ct=CtScan(offset_hu=20.0), **STILL), _chest_to_pelvis())
    assert _hu_of(shifted, "liver") - _hu_of(plain, "liver") == pytest.approx(20.0, abs=1.0)
    table, random = hu_of_tissues(_plan()), hu_of_tissues(_plan(ct=CtScan(random=True)))
    soft = [LABELS[name] for name in ("liver", "spleen", "muscle", "fat", "pancreas")]
    assert np.abs(random[soft] - table[soft]).min() > 0.1
    assert np.abs(random - table).max() > 60
    assert random[LABELS["outside"]] == table[LABELS["outside"]] == -1000.0


def test_noise_is_higher_in_a_thick_body() -> None:
    thin, thick = (
        next(seed for seed in range(400) if low < _drawn(seed, PLAIN)[0].bmi < high)
        for low, high in ((17, 20), (35, 39))
    )
    spreads = []
    for seed in (thin, thick):
        ct = CtScan(noise_hu=30.0, couch=False)
        patient = build_patient(_plan(seed, ct=ct, **STILL), replace(_chest_to_pelvis(), axial_extent_mm=60.0))
        label = next(number for number, name in patient.names.items() if name == "liver")
        inside = ndimage.binary_erosion(patient.organs.array == label, iterations=3)
        spreads.append(float(patient.ct_hu.array[inside].std()))
    assert spreads[1] > 1.3 * spreads[0]
    assert 15 < spreads[0] < 35


def _found_shift(moving: npt.NDArray[np.float32], fixed: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Displacement in voxels (k, j, i) by phase correlation of the two images' bodies."""
    shift, _, _ = phase_cross_correlation(moving, fixed, upsample_factor=10, normalization=None)
    return np.asarray(shift)


@pytest.mark.parametrize("on_pet", [True, False])
def test_misregistration_in_mm(plain: VirtualPatient, on_pet: bool) -> None:
    """On the PET's grid by a warp, on its own by drawing the body elsewhere: both the same way."""
    protocol = replace(_chest_to_pelvis(), ct_on_pet_grid=on_pet, ct_spacing_mm=(5, 5, 5), ct_matrix=128)
    ct = CtScan(offset_mm=(10.0, -7.0, 9.0), couch=False, noise_hu=0.0)
    images = [
        build_patient(_plan(ct=one, **STILL), protocol).ct_hu.array.clip(-300, 300).astype(np.float32)
        for one in (ct, replace(ct, offset_mm=(0.0, 0.0, 0.0)))
    ]
    # inside the field's ends, where no new anatomy comes in; correlation is right to about a third of a voxel
    k, j, i = _found_shift(images[0], images[1])
    assert (5 * i, 5 * j) == pytest.approx((10.0, -7.0), abs=1.5)
    assert 5 * k == pytest.approx(9.0, abs=2.5)


def test_a_deeper_breath_shows_more_lung() -> None:
    centre = {}
    for breath in (0.0, 12.0):
        plan = _plan(breath_mm=breath, respiration_mm=0.0, ct=CtScan(couch=False, noise_hu=0.0))
        hu = build_patient(plan, _chest_to_pelvis(300.0, 240.0)).ct_hu.array
        # lung above, liver below: the height at which the right chest turns from air to tissue
        lung = ((hu > -950) & (hu < -500)).sum(axis=(1, 2))
        centre[breath] = float((lung * np.arange(len(lung))).sum() / lung.sum()), float(lung.sum())
    # inspiration: the diaphragm is lower, so that there is more lung, reaching further down
    assert centre[12.0][1] > 1.03 * centre[0.0][1]
    assert centre[12.0][0] < centre[0.0][0]


def test_a_narrow_field_cuts_the_body_off() -> None:
    wide = max(range(60), key=lambda seed: _drawn(seed, PLAIN)[0].bmi)
    plan = _plan(wide, ct=CtScan(field_mm=500.0, couch=False), arms_up=False)
    patient = build_patient(plan, replace(_chest_to_pelvis(), axial_extent_mm=60.0))
    hu, x = patient.ct_hu.array, patient.ct_hu.points_mm(np.argwhere(np.ones(patient.ct_hu.array.shape, bool)))
    radius = np.hypot(x[:, 0], x[:, 1]).reshape(hu.shape)
    assert (hu[radius > 251] == -1024).all()
    body = patient.pet_noise_free.array > 0.3
    assert (body & (radius > 255)).sum() > 50
    # the cut edge of an arm is bright
    rim = body & (radius < 249) & (radius > 240)
    assert np.percentile(hu[rim], 80) > 150


@pytest.mark.parametrize("site", ["hip_left", "hip_right", "teeth"])
def test_metal_and_its_streaks(site: str) -> None:
    z = {"hip_left": 0.0, "hip_right": 0.0, "teeth": 618.0}[site]
    protocol = _chest_to_pelvis(z, 60.0)
    with_metal, without = (
        build_patient(_plan(ct=CtScan(metal=sites, couch=False, noise_hu=0.0), **STILL), protocol)
        for sites in ((site,), ())
    )
    metal = with_metal.ct_hu.array == METAL_HU
    x = with_metal.ct_hu.points_mm(np.argwhere(metal))[:, 0]
    assert len(x) >= 2
    # in the body, on its own side
    assert (without.ct_hu.array[metal] > -300).mean() > 0.9
    if site != "teeth":
        assert (x > 0).all() if site == "hip_left" else (x < 0).all()
    change = (with_metal.ct_hu.array.astype(float) - without.ct_hu.array)[~metal]
    assert change.max() > 100
    assert change.min() < -100


@pytest.mark.parametrize(("fault", "hu"), [("air", -1024), ("constant", 40)])
def test_a_ct_that_holds_nothing(fault: str, hu: int) -> None:
    plan = _plan(ct=CtScan(fault=fault))  # type: ignore[arg-type]
    assert (build_patient(plan, replace(COARSE, axial_extent_mm=80.0)).ct_hu.array == hu).all()


def test_both_ways_to_draw_the_ct_agree() -> None:
    """On the PET's grid from its tissues, and drawn anew: the same body."""
    plan = _plan(breath_mm=6.0, respiration_mm=0.0, ct=CtScan(couch=False, noise_hu=0.0))
    own = replace(_chest_to_pelvis(), ct_on_pet_grid=False, ct_spacing_mm=(5, 5, 5), ct_matrix=128)
    one, other = (build_patient(plan, protocol).ct_hu.array.astype(float) for protocol in (own, _chest_to_pelvis()))
    count = min(len(one), len(other))
    apart = np.abs(one[:count] - other[:count])
    # a voxel at a boundary belongs to one tissue or the other by half a slice
    assert np.median(apart) < 1.0
    assert (apart > 200).mean() < 0.03


def test_expose_changes_nothing_in_a_plain_scan() -> None:
    plan = _plan()
    grid = Grid((2, 32, 32), (10.0, 10.0, 10.0), (-155.0, -155.0, 200.0))
    hu = hu_of_tissues(plan)[paint_tissues(plan, grid)]
    assert np.array_equal(expose(hu.copy(), plan, grid, offset_mm=(0.0, 0.0, 0.0)), hu)
