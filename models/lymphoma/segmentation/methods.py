"""The methods that are judged beside each other, each opened from a bundle or from the folder of a training."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lymphoma.anatomy import Anatomy
from lymphoma.errors import BundleRefused
from lymphoma.imaging import Volume
from lymphoma.inference.device import Processor, choose
from lymphoma.lesions import label_lesions
from lymphoma.lesions.components import Connectivity
from lymphoma.segmentation import candidates, describe, reviewed, reviewer
from lymphoma.segmentation.delineation import Delineation
from lymphoma.segmentation.network import LampShape, image_of
from lymphoma.segmentation.open import SYSTEM, open_lesion_network
from lymphoma.segmentation.plain import plain_network, plain_probability
from lymphoma.segmentation.reviewed import ReviewedSegmenter
from lymphoma.segmentation.reviewer import REVIEW_WORD, Reviewer
from lymphoma.segmentation.segmenter import Segmenter
from lymphoma.segmentation.task import lesion_probability
from lymphoma.segmentation.thresholds import threshold_segmenter
from lymphoma.segmentation.working_crop import crop_to_body
from lymphoma.training.bundle import load_bundle
from lymphoma.training.cache import code_digest
from lymphoma.training.filling import fill
from lymphoma.training.trained import trained_weights

__all__ = [
    "Method",
    "PeerSegmenter",
    "anatomy_digest",
    "hybrid_method",
    "lamp_method",
    "plain_method",
    "threshold_methods",
]

PROCESSOR = choose("cpu")
"""Of all networks here: the numbers in which a node on this machine's CPU would run them."""

UNCONFIRMED = "_unconfirmed"
"""Ends the name of the map that holds lesions to be confirmed too."""

Probability = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Method:
    """A segmenter under the name it has in a table.

    Attributes:
        identity: hex digest of all that decides what it draws; results under another one are computed anew.
        judges: it tells accepted lesions from those to be confirmed.
    """

    name: str
    segmenter: Segmenter
    identity: str
    judges: bool = False

    @property
    def needs_organs(self) -> bool:
        """Whether an organ map has to be found for it first."""
        return self.segmenter.needs_organs

    @property
    def names(self) -> tuple[str, ...]:
        """Of its maps: one, or two where it leaves lesions to be confirmed."""
        return (self.name, f"{self.name}{UNCONFIRMED}") if self.judges else (self.name,)

    def masks(self, drawn: Delineation) -> tuple[npt.NDArray[np.bool_], ...]:
        """Its maps in the order of ``names``: the accepted lesions, then those with the ones to be confirmed."""
        lesions = drawn.lesion_map.array
        if not self.judges:
            return (lesions > 0,)
        accepted = [one.lesion or 0 for one in drawn.judged if one.status == "accepted"]
        return np.isin(lesions, accepted), lesions > 0


@dataclass(frozen=True, eq=False)
class PeerSegmenter:
    """A lesion network by itself: all voxels above probability 0.5, with the volume rule; a peer for figures.

    LAMP's network and the plain U-Net go the same way here, window by window.

    Attributes:
        probability: of a lesion, from an image of :func:`lymphoma.segmentation.network.image_of`.
        edge_mm: of the cubes that it sees. processor: in whose numbers it is called.
    """

    name: str
    description: str
    probability: Probability
    edge_mm: float
    min_volume_ml: float
    processor: Processor
    connectivity: Connectivity = 26
    needs_organs: bool = False

    def segment(self, suv: Volume, ct_hu: Volume, anatomy: Anatomy) -> Delineation:
        """The lesions; see :class:`lymphoma.segmentation.Segmenter`. Organs are not looked at."""
        crop = crop_to_body(suv, ct_hu, self.edge_mm)
        with self.processor.numbers():
            found = crop.on_pet(self.probability(image_of(crop.suv.array, crop.ct_hu.array)))
        lesions = label_lesions(found > 0.5, suv.voxel_volume_ml, self.min_volume_ml, self.connectivity)
        return Delineation(suv.with_array(lesions), probability=suv.with_array(found))


def threshold_methods(min_volume_ml: float, names: tuple[str, ...] = ("suv4", "percent41")) -> tuple[Method, ...]:
    """Rules that need no training."""
    segmenters = [threshold_segmenter(name, min_volume_ml) for name in names]
    return tuple(Method(one.name, one, _digest(one.description)) for one in segmenters)


def lamp_method(folder: Path, min_volume_ml: float) -> Method:
    """LAMP's lesion network of a bundle, a run or a hand-over.

    Raises:
        BundleRefused, TrainingFailed: with the code of the fault.
    """
    opened = open_lesion_network(folder, PROCESSOR)
    probability = partial(lesion_probability, opened.network, window=opened.shape.window, device=PROCESSOR.device)
    return _network("lamp", probability, opened.digest, opened.shape.edge_mm, min_volume_ml)


def hybrid_method(folder: Path, review: Path | None, organs_by: str, min_volume_ml: float) -> Method:
    """Candidates of SUV >= 4, LAMP's lesion network and the reviewer: the node's default.

    Args:
        folder: as of :func:`lamp_method`. review: the reviewer's text; None takes that of the bundle.
        organs_by: digest of the anatomy network, on whose organs the candidates depend.

    Raises:
        BundleRefused, TrainingFailed: with the code of the fault; BUNDLE_FILE_MISSING, there is no reviewer.
    """
    opened = open_lesion_network(folder, PROCESSOR)
    text = review.read_text(encoding="utf-8") if review else _review(folder)
    segmenter = ReviewedSegmenter(Reviewer.from_json(text), opened, min_volume_ml)
    # candidates and their description are rules, not weights: a changed line there is another method
    rules = code_digest(candidates, describe, reviewer, reviewed)
    identity = _digest(opened.digest, text, organs_by, rules, f"{min_volume_ml:g}", PROCESSOR.words)
    return Method("hybrid", segmenter, identity, judges=True)


def anatomy_digest(folder: Path) -> str:
    """Of the anatomy network in a bundle, a run or a hand-over.

    Raises:
        BundleRefused, TrainingFailed: with the code of the fault.
    """
    if _is_bundle(folder):
        return load_bundle(folder, ("anatomy",)).digest
    return trained_weights(folder).digest


def plain_method(folder: Path, min_volume_ml: float) -> Method:
    """The plain U-Net of a run or a hand-over.

    Raises:
        TrainingFailed: with the code of the fault.
    """
    trained, shape = trained_weights(folder), LampShape()
    network = plain_network(supervised=shape.supervised)
    fill(network, trained.tensors)
    probability = partial(plain_probability, network.eval(), window=shape.window, device=PROCESSOR.device)
    return _network("plain", probability, trained.digest, shape.edge_mm, min_volume_ml)


def _is_bundle(folder: Path) -> bool:
    return (folder / "configs" / "metadata.json").is_file()


def _review(folder: Path) -> str:
    text = load_bundle(folder, (SYSTEM,)).further(REVIEW_WORD) if _is_bundle(folder) else None
    if text is None:
        raise BundleRefused("BUNDLE_FILE_MISSING", f"{folder.name} has no reviewer")
    return text


def _network(name: str, probability: Probability, digest: str, edge_mm: float, min_volume_ml: float) -> Method:
    words = f"{name} network {digest[:12]}, probability above 0.5, components of at least {min_volume_ml:g} mL"
    segmenter = PeerSegmenter(name, words, probability, edge_mm, min_volume_ml, PROCESSOR)
    return Method(name, segmenter, _digest(name, digest, f"{min_volume_ml:g}", PROCESSOR.words))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
