"""What secondary captures share: pixels, the statement of what is burned in, and the images they come from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.sr.coding import Code

from nodal.report.codes import code_item

__all__ = ["add_pixels", "references", "source_images"]

_SOURCE_IMAGE = Code("121322", "DCM", "Source image for image processing operation")


def add_pixels(dataset: Dataset, pixels: npt.NDArray[np.uint8], *, names_patient: bool) -> None:
    """Image Pixel, SC Equipment and General Image modules of a capture (PS3.3 C.7.6.3, C.8.6.1, C.7.6.1).

    Args:
        pixels: shape (frames, rows, columns, 3), RGB.
        names_patient: whether somebody could tell from the pixels who it is (Burned In Annotation).
    """
    dataset.ConversionType = "SYN"
    dataset.ImageType = ["DERIVED", "SECONDARY"]
    # Both may be empty; a body is no paired structure, and a picture of two planes has no one orientation.
    dataset.Laterality = ""
    dataset.PatientOrientation = ""
    dataset.BurnedInAnnotation = "YES" if names_patient else "NO"
    dataset.LossyImageCompression = "00"
    _, dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = pixels.shape
    dataset.PhotometricInterpretation = "RGB"
    dataset.PlanarConfiguration = 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 8, 8, 7
    dataset.PixelRepresentation = 0
    data = pixels.tobytes()
    dataset.add_new("PixelData", "OB", data + b"\0" * (len(data) % 2))


def source_images(headers: Sequence[Dataset]) -> list[Dataset]:
    """Items of SourceImageSequence, each with its purpose (CID 7202)."""
    items = references(headers)
    purpose = code_item(_SOURCE_IMAGE)
    for item in items:
        item.PurposeOfReferenceCodeSequence = [purpose]
    return items


def references(headers: Sequence[Dataset]) -> list[Dataset]:
    """Items that name instances by class and UID (PS3.3 Table 10-11)."""
    items = []
    for header in headers:
        item = Dataset()
        item.ReferencedSOPClassUID = header.SOPClassUID
        item.ReferencedSOPInstanceUID = header.SOPInstanceUID
        items.append(item)
    return items
