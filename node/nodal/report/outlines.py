"""Presentation states for the key images: the lesions' outlines on the PET slices of their hottest voxels.

A Grayscale Softcopy Presentation State (PS3.3 A.33.1) has one rescaling for all that it refers to, and that of a PET
differs from slice to slice: each slice has a state of its own, all in one series.
"""

from __future__ import annotations

import numpy as np
from highdicom import ModalityLUTTransformation, PresentationLUTTransformation, RescaleTypeValues
from highdicom.color import CIELabColor
from highdicom.pr import (
    GraphicAnnotation,
    GraphicLayer,
    GraphicObject,
    GrayscaleSoftcopyPresentationState,
    SoftcopyVOILUTTransformation,
    TextObject,
)
from pydicom import Dataset
from pydicom.uid import UID

from nodal.findings import Lesion
from nodal.report import identity
from nodal.report.canonical import inputs_digest
from nodal.report.colours import lesion_colour
from nodal.report.inputs import ReportInputs, ResultObject, Target
from nodal.report.lesion_words import TO_CONFIRM
from nodal.report.marks import marks
from nodal.report.mip import SUV_WINDOW
from nodal.report.provenance import contour_qualifier, fitting, lesion_name, series_title
from nodal.report.rings import plain_edges
from nodal.report.seg import nameless_sources
from nodal.report.slices import SliceSource, slice_sources
from nodal.report.sr_groups import lesion_places
from nodal.report.uids import derived_uid, object_uid, series_uid

__all__ = ["SERIES_NUMBER", "lesion_outlines", "outline_series"]

SERIES_NUMBER = 9107
_LO = 64


def outline_series(target: Target, digest: str) -> str:
    """Series Instance UID of all states of one target.

    Args:
        digest: of the inputs (:func:`nodal.report.canonical.inputs_digest`).
    """
    return series_uid(object_uid("outlines", target, digest))


def lesion_outlines(inputs: ReportInputs, target: Target) -> tuple[ResultObject, ...]:
    """A presentation state for each PET slice that holds a lesion's hottest voxel, from foot to head.

    All lesions of the slice are outlined along their pixels' edges, each in a layer of its colour. The window is that
    of the projections, in inverted greys; where SUV is no single multiple of the stored values the window is left to
    the viewer. None where the target takes none, or without a lesion.
    """
    if target.profile.key_images != "outlined":
        return ()
    digest, sources = inputs_digest(inputs), nameless_sources(inputs)
    named = {str(source.SOPInstanceUID): source for source in sources}
    slices = slice_sources(inputs)
    levels = sorted({place.k for place in lesion_places(inputs).values()})
    return tuple(
        _state(inputs, target, digest, k, number, slices[k], named[str(slices[k].header.SOPInstanceUID)])
        for number, k in enumerate(levels, start=1)
    )


def _state(
    inputs: ReportInputs, target: Target, digest: str, k: int, number: int, place: SliceSource, source: Dataset
) -> ResultObject:
    findings = inputs.findings
    source.SamplesPerPixel = 1
    on_slice = [lesion for lesion in findings.lesions if (inputs.lesion_map.array[k] == lesion.number).any()]
    layers = [_layer(lesion, order) for order, lesion in enumerate(on_slice, start=1)]
    window = _window(inputs)
    dataset = GrayscaleSoftcopyPresentationState(
        referenced_images=[source],
        series_instance_uid=outline_series(target, digest),
        series_number=SERIES_NUMBER,
        sop_instance_uid=derived_uid(object_uid("outlines", target, digest), f"slice {k}"),
        instance_number=number,
        manufacturer=identity.MANUFACTURER,
        manufacturer_model_name=identity.MODEL_NAME,
        software_versions=findings.provenance.node_version,
        device_serial_number=identity.device_serial(findings),
        content_label="LESIONS",
        content_description=contour_qualifier(findings) or fitting(marks(findings), _LO) or "FDG-avid lesions",
        graphic_layers=layers,
        graphic_annotations=[
            _annotation(inputs, lesion, layer, k, place, source) for lesion, layer in zip(on_slice, layers, strict=True)
        ],
        modality_lut_transformation=_rescaling(place),
        voi_lut_transformations=[window] if window else None,
        presentation_lut_transformation=PresentationLUTTransformation(presentation_lut_shape="INVERSE"),
    )
    uid = dataset.SOPInstanceUID
    identity.adopt(dataset, inputs, target, "outlines", digest=digest)
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID(uid)
    dataset.InstanceNumber = number
    dataset.Laterality = ""  # as on the captures: a body is no paired structure
    dataset.PresentationCreationDate, dataset.PresentationCreationTime = identity.content_instant(findings)
    dataset.SeriesDescription = series_title("Outlines", findings)
    _one_frame(dataset, place)
    return identity.finish(dataset, "outlines")


def _one_frame(dataset: Dataset, place: SliceSource) -> None:
    """Limits the state to the frame that its rescaling is of, and keeps pixels that are not square as they are."""
    if place.frame is not None:
        dataset.ReferencedSeriesSequence[0].ReferencedImageSequence[0].ReferencedFrameNumber = place.frame
    shared = place.header.get("SharedFunctionalGroupsSequence")
    spacing = (shared[0].PixelMeasuresSequence[0] if shared else place.header).get("PixelSpacing")
    if spacing:
        (area,) = dataset.DisplayedAreaSelectionSequence
        del area.PresentationPixelAspectRatio
        area.PresentationPixelSpacing = spacing


def _layer(lesion: Lesion, order: int) -> GraphicLayer:
    return GraphicLayer(
        f"LESION_{lesion.number}",
        order,
        description=lesion_name(lesion),
        display_color=CIELabColor.from_rgb(*lesion_colour(lesion.number)),
    )


def _annotation(
    inputs: ReportInputs, lesion: Lesion, layer: GraphicLayer, k: int, place: SliceSource, source: Dataset
) -> GraphicAnnotation:
    """Outlines as closed polylines: (column, row) from the outer corner of the first pixel (C.10.5.1.2)."""
    tracking = {"tracking_id": lesion_name(lesion), "tracking_uid": lesion.tracking_uid}
    mask = inputs.lesion_map.array[k] == lesion.number
    lines = [line[:, ::-1] + 0.5 for line in plain_edges(mask)]
    graphics = [GraphicObject("POLYLINE", np.vstack([line, line[:1]]), units="PIXEL", **tracking) for line in lines]
    corners = np.concatenate(lines)
    anchor = corners[np.lexsort((corners[:, 1], -corners[:, 0]))[0]]
    doubt = "" if lesion.status == "accepted" else f", {TO_CONFIRM}"
    text = TextObject(
        f"L{lesion.number:02d} SUVmax {lesion.suv_max:.1f}{doubt}",
        units="PIXEL",
        anchor_point=(float(anchor[0]), float(anchor[1])),
        **tracking,
    )
    return GraphicAnnotation(
        [source], layer, referenced_frame_number=place.frame, graphic_objects=graphics, text_objects=[text]
    )


def _rescaling(place: SliceSource) -> ModalityLUTTransformation | None:
    """The slice's own rescaling; without one in the state, a viewer must take stored values as they are (C.11.1)."""
    groups: list[Dataset] = [place.header]
    if place.frame is not None:
        header = place.header
        frames = (header.PerFrameFunctionalGroupsSequence[place.frame - 1], header.SharedFunctionalGroupsSequence[0])
        groups = [one for group in frames for one in group.get("PixelValueTransformationSequence", ())]
    for group in groups:
        if group.get("RescaleSlope") is not None:
            return ModalityLUTTransformation(
                rescale_intercept=float(group.get("RescaleIntercept") or 0.0),
                rescale_slope=float(group.RescaleSlope),
                rescale_type=RescaleTypeValues.US,
            )
    return None


def _window(inputs: ReportInputs) -> SoftcopyVOILUTTransformation | None:
    factor = inputs.findings.suv.factor
    if not factor:
        return None
    low, high = (end / factor for end in SUV_WINDOW)
    centre, width = (float(f"{value:.6g}") for value in ((low + high) / 2, high - low))
    words = f"SUV {SUV_WINDOW[0]:.0f} to {SUV_WINDOW[1]:.0f}"
    return SoftcopyVOILUTTransformation(window_center=centre, window_width=width, window_explanation=words)
