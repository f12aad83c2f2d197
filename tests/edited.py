"""Our SEG as a viewer gives it back after a person has edited it: an object of its own, written by highdicom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import highdicom
import numpy as np
import numpy.typing as npt
from pydicom import Dataset, dcmread
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, RLELossless, generate_uid

__all__ = ["Edited", "bytes_of", "labels_of", "tracking_of", "write_like_a_viewer"]

Labels = npt.NDArray[np.uint16]


@dataclass(frozen=True)
class Edited:
    """One segment of the viewer's own: where it is, and what of our names it kept."""

    mask: npt.NDArray[np.bool_]
    tracking_uid: str | None = None


def labels_of(seg: Dataset, pet: Sequence[Path]) -> Labels:
    """Segment numbers of a SEG, shape (PET instances, rows, columns), in the order of ``pet``."""
    uids = [str(dcmread(path, specific_tags=["SOPInstanceUID"]).SOPInstanceUID) for path in pet]
    read = highdicom.seg.Segmentation.from_dataset(seg)
    found = read.get_pixels_by_source_instance(
        uids, combine_segments=True, assert_missing_frames_are_empty=True, skip_overlap_checks=True
    )
    return np.asarray(found, dtype=np.uint16)


def tracking_of(seg: Dataset) -> dict[int, str]:
    """Segment number -> Tracking UID."""
    return {int(one.SegmentNumber): str(one.TrackingUID) for one in seg.SegmentSequence}


def write_like_a_viewer(pet: Sequence[Path], segments: Sequence[Edited], kind: str = "BINARY") -> Dataset:
    """A SEG with new UIDs, segments numbered from 1 in their order, under the viewer's own name.

    Args:
        kind: "BINARY" or "LABELMAP".
    """
    sources = [dcmread(path, stop_before_pixels=True) for path in pet]
    labels = np.zeros(segments[0].mask.shape, dtype=np.uint8)
    for number, segment in enumerate(segments, start=1):
        labels[segment.mask] = number
    described = [
        highdicom.seg.SegmentDescription(
            segment_number=number,
            segment_label=f"Segment {number}",
            segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
            segmented_property_type=codes.SCT.Neoplasm,
            algorithm_type="MANUAL",
            tracking_uid=segment.tracking_uid,
            tracking_id=None if segment.tracking_uid is None else f"Segment {number}",
        )
        for number, segment in enumerate(segments, start=1)
    ]
    return highdicom.seg.Segmentation(
        source_images=sources,
        pixel_array=labels,
        segmentation_type=kind,
        segment_descriptions=described,
        series_instance_uid=generate_uid(),
        series_number=77,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="A viewer",
        manufacturer_model_name="Editor",
        software_versions="1",
        device_serial_number="1",
        transfer_syntax_uid=RLELossless if kind == "LABELMAP" else ExplicitVRLittleEndian,
        omit_empty_frames=True,
    )


def bytes_of(dataset: Dataset) -> bytes:
    """The Part 10 file."""
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()
