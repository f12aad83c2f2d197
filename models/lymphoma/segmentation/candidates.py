"""What may be a lesion: components of SUV >= 4.0, split where they run into organs with uptake of their own.

    component   SUV >= 4.0, 26-connected, of at least the volume rule
    basin       of a component that reaches an organ with healthy uptake: the voxels that descend from one peak of the
                smoothed SUV (watershed on its logarithm); a peak counts when it stands out from the saddle to a
                higher one
    part        a basin of an organ; basins that touch and belong to none; all of the brain that touches

A basin belongs to the organ in which its peak lies, whatever the organ's border says: so the spill-out of a bladder
stays with the bladder, and a lesion beside it that has a peak of its own does not. An organ map is never right to the
voxel; what has no peak of its own is told by distances that are larger than the map's usual error: uptake far
outside of the organ is cut off, and so is the core of an organ within uptake that peaks elsewhere.

No voxel under SUV 4.0 is added, and each voxel of a component belongs to exactly one part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
import SimpleITK as sitk
from scipy import ndimage
from skimage.measure import label as connected
from skimage.morphology import local_maxima
from skimage.segmentation import watershed

from lymphoma.anatomy.organs import Anatomy
from lymphoma.anatomy.physiological import uptake_of
from lymphoma.anatomy.stations import plain_organ
from lymphoma.imaging.volume import Volume
from lymphoma.lesions import label_lesions

__all__ = ["THRESHOLD_SUV", "Candidates", "Part", "find_candidates", "splitting_organs"]

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]
Box = tuple[slice, ...]

THRESHOLD_SUV = 4.0
SMOOTHED_MM = 3.0
"""SD of the Gaussian under which peaks are looked for: a scanner's usual resolution, so that noise makes none."""
STANDS_OUT = 1.25
"""A peak over the saddle to a higher one; less is noise or texture within one uptake [A]."""
BESIDE_MM = 5.0
"""A peak so near to an organ is the organ's: one voxel of the map's error."""
FAR_MM = 12.0
"""Spill-out of a bladder of SUV 60 falls below 4 some 5 mm outside (7 mm resolution); the rest is the map's error."""
DEEP_MM = 7.0
"""So deep inside its map an organ is there, even if its border is two voxels off."""
ONE_PART = ("brain",)
"""Organs of many peaks, in which none is told from another by uptake alone."""
SMALLEST_SHARE = 0.5
"""Of the volume rule: what is smaller goes back to its neighbour. Not the whole rule, as splitting takes from rims."""

_TOUCH = np.ones((3, 3, 3), dtype=np.bool_)
_HALF = [step for step in product((-1, 0, 1), repeat=3) if step > (0, 0, 0)]
_MUSCLES = "muscle work"


@dataclass(frozen=True)
class Part:
    """One candidate.

    Attributes:
        component: number of the component it is a part of, 1 the largest.
        organ: plain name of the organ with healthy uptake that its peak lies in; None outside of all such.
        split: whether the component was divided.
    """

    label: int
    component: int
    organ: str | None
    volume_ml: float
    split: bool


@dataclass(frozen=True, eq=False)
class Candidates:
    """All parts of a scan.

    Attributes:
        labels: int32 on the PET grid, 0 background, 1..n by descending volume. parts: in the order of the labels.
    """

    labels: Volume
    parts: tuple[Part, ...]


def splitting_organs(anatomy: Anatomy) -> Mapping[int, str]:
    """Label of the organ map -> plain name, of the organs whose healthy uptake may pass SUV 4.

    Liver and spleen are among them: where a scan reads high, they join everything around them to one component.
    Muscles are not among them: nodes lie between muscles everywhere, and each would be cut at its border.
    """
    if anatomy.organs is None:
        return {}
    found = {}
    for number, name in anatomy.names.items():
        known = uptake_of(name)
        if known is not None and not known.why.startswith(_MUSCLES):
            found[number] = plain_organ(name)
    return found


def find_candidates(suv: Volume, anatomy: Anatomy, min_volume_ml: float = 3.0) -> Candidates:
    """The parts to be judged; without an organ map, whole components.

    Args:
        suv: float32. anatomy: on the same grid.

    Raises:
        NotComputable: TOO_MANY_LESIONS.
    """
    components = label_lesions(suv.array >= THRESHOLD_SUV, suv.voxel_volume_ml, min_volume_ml).astype(np.int32)
    names = splitting_organs(anatomy)
    organs, words = _numbered(anatomy, names)
    one_part = [number for number, word in enumerate(words) if word in ONE_PART]
    smallest = SMALLEST_SHARE * min_volume_ml / suv.voxel_volume_ml
    labels = np.zeros_like(components)
    about: list[tuple[int, int, bool]] = []  # component, organ, split
    spacing_mm = suv.spacing_mm[::-1]
    for number, box in enumerate(ndimage.find_objects(components), start=1):
        wide = _grown(box, FAR_MM + BESIDE_MM, spacing_mm, suv.array.shape)
        inside = components[wide] == number
        near = None if organs is None else organs[wide]
        if near is None or not near[ndimage.binary_dilation(inside, _TOUCH)].any():
            labels[wide][inside] = len(about) + 1
            about.append((number, 0, False))
            continue
        parts, owners = _split(suv.array[wide], inside, near, spacing_mm, smallest, one_part)
        labels[wide][inside] = parts[inside] + len(about)
        about += [(number, owner, len(owners) > 1) for owner in owners]
    return _by_volume(suv, labels, about, words)


def _numbered(anatomy: Anatomy, names: Mapping[int, str]) -> tuple[Ints | None, tuple[str | None, ...]]:
    """The organ map with one number for all labels of one plain organ; names by number, 0 is none."""
    if anatomy.organs is None or not names:
        return None, (None,)
    words = sorted(set(names.values()))
    table = np.zeros(int(max(int(anatomy.organs.array.max(initial=0)), *names)) + 1, dtype=np.int32)
    for number, name in names.items():
        table[number] = words.index(name) + 1
    return table[anatomy.organs.array], (None, *words)


def _split(
    suv: Floats,
    inside: npt.NDArray[np.bool_],
    organs: Ints,
    spacing_mm: npt.NDArray[np.float64],
    smallest: float,
    one_part: list[int],
) -> tuple[Ints, list[int]]:
    """Parts of one component in its box.

    Returns:
        labels 1..n within ``inside``; the organ's number of each part, 0 for none.
    """
    distance_mm, nearest = ndimage.distance_transform_edt(organs == 0, sampling=spacing_mm, return_indices=True)
    owner_near = organs[tuple(nearest)]
    basins, tops = _basins(suv, inside, spacing_mm)
    beside = distance_mm <= BESIDE_MM
    owner = np.array([0, *(owner_near[top] if beside[top] else 0 for top in tops)], dtype=np.int32)
    owners = owner[basins]
    owners[inside & (owners > 0) & (distance_mm > FAR_MM)] = 0
    depth_mm = ndimage.distance_transform_edt(organs > 0, sampling=spacing_mm)
    deep = inside & (owners == 0) & (depth_mm >= DEEP_MM)
    owners[deep] = organs[deep]
    # a peak within an organ is a part of its own; outside, and in the brain, what touches is one
    apart = (owners > 0) & (owner[basins] == owners) & ~np.isin(owners, one_part)
    key = np.where(apart, basins + int(owner_near.max()) + 2, owners + 1)
    pieces = connected(np.where(inside, key, 0), background=0, connectivity=3).astype(np.int32)
    pieces = _without_small(pieces, smallest)
    kept = np.unique(pieces[inside])
    of_piece = ndimage.labeled_comprehension(owners, pieces, kept, _most, np.int32, 0)
    number = np.zeros(int(kept.max()) + 1, dtype=np.int32)
    number[kept] = np.arange(1, len(kept) + 1)
    return number[pieces], [int(one) for one in of_piece]


def _basins(
    suv: Floats, inside: npt.NDArray[np.bool_], spacing_mm: npt.NDArray[np.float64]
) -> tuple[Ints, list[tuple[int, ...]]]:
    """Watershed of the smoothed SUV; basin n descends from the n-th of the peaks."""
    smooth = ndimage.gaussian_filter(np.maximum(suv, 0.0), SMOOTHED_MM / spacing_mm)
    height = np.where(inside, np.log(np.maximum(smooth, 1.0)), 0.0).astype(np.float32)
    peaks = local_maxima(_levelled(height), connectivity=3, allow_borders=True) & inside
    markers = ndimage.label(peaks, _TOUCH)[0]
    basins = watershed(-height, markers=markers, mask=inside, connectivity=_TOUCH).astype(np.int32)
    numbers = range(1, int(markers.max()) + 1)
    return basins, [tuple(map(int, top)) for top in ndimage.maximum_position(height, basins, numbers)]


def _levelled(height: Floats) -> Floats:
    """Peaks cut off where they no longer stand out; SimpleITK does it forty times faster than scikit-image."""
    cut = np.maximum(height - np.float32(np.log(STANDS_OUT)), 0.0)
    images = (sitk.GetImageFromArray(cut), sitk.GetImageFromArray(height))
    return np.asarray(sitk.GetArrayFromImage(sitk.ReconstructionByDilation(*images, fullyConnected=True)))


def _without_small(pieces: Ints, smallest: float) -> Ints:
    """Each piece under ``smallest`` voxels joins the neighbour it shares most surface with, the smallest first."""
    joined = pieces.copy()
    while True:
        sizes = np.bincount(joined.ravel())
        small = [int(one) for one in np.flatnonzero((sizes > 0) & (sizes < smallest)) if one > 0]
        if not small or np.count_nonzero(sizes[1:]) < 2:
            return joined
        shared = _shared_surface(joined)
        # several of one pass may go at once, as long as none joins another that goes
        gone: set[int] = set()
        for one in sorted(small, key=lambda number: (sizes[number], number)):
            beside = {other: count for (a, other), count in shared.items() if a == one and other not in gone}
            if one in gone or not beside:
                continue
            to = max(beside, key=lambda other: (beside[other], other))
            joined[joined == one] = to
            gone |= {one, to}
        if not gone:
            return joined


def _shared_surface(pieces: Ints) -> dict[tuple[int, int], int]:
    """Pairs of neighbouring voxels (by faces, edges or corners) of each two pieces, in both orders."""
    found: dict[tuple[int, int], int] = {}
    for step in _HALF:
        here = tuple(slice(max(0, -s), min(n, n - s)) for s, n in zip(step, pieces.shape, strict=True))
        there = tuple(slice(max(0, s), min(n, n + s)) for s, n in zip(step, pieces.shape, strict=True))
        a, b = pieces[here], pieces[there]
        meet = (a != b) & (a > 0) & (b > 0)
        pairs, counts = np.unique(np.stack([a[meet], b[meet]]), axis=1, return_counts=True)
        for (one, other), count in zip(pairs.T.tolist(), counts.tolist(), strict=True):
            for pair in ((one, other), (other, one)):
                found[pair] = found.get(pair, 0) + count
    return found


def _most(values: Ints) -> int:
    """The commonest value."""
    return int(np.bincount(values).argmax())


def _by_volume(
    suv: Volume, labels: Ints, about: list[tuple[int, int, bool]], words: tuple[str | None, ...]
) -> Candidates:
    voxels = np.bincount(labels.ravel(), minlength=len(about) + 1)[1:]
    order = np.argsort(-voxels, kind="stable")
    number = np.zeros(len(about) + 1, dtype=np.int32)
    number[order + 1] = np.arange(1, len(about) + 1)
    parts = tuple(
        Part(new, about[old][0], words[about[old][1]], float(voxels[old] * suv.voxel_volume_ml), about[old][2])
        for new, old in enumerate(order.tolist(), start=1)
    )
    return Candidates(suv.with_array(number[labels]), parts)


def _grown(box: Box, margin_mm: float, spacing_mm: npt.NDArray[np.float64], shape: tuple[int, ...]) -> Box:
    margin = np.ceil(margin_mm / spacing_mm).astype(int)
    return tuple(
        slice(max(0, side.start - m), min(n, side.stop + m)) for side, m, n in zip(box, margin, shape, strict=True)
    )
