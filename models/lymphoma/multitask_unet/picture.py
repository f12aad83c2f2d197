"""The multi-scale feature picture (Fig. 4): what each branch looks at, beside the PET."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from lymphoma.multitask_unet.field import FIELD_MM
from lymphoma.multitask_unet.inputs import LESIONS, PET, image_of
from lymphoma.multitask_unet.loss import event_probability
from lymphoma.multitask_unet.network import Answers
from lymphoma.prognosis.patient_folder import Arrays

__all__ = ["CORONAL", "feature_picture"]

CORONAL = 1
"""Array axis, front to back, that is projected along."""
SUV_WHITE = 10.0
"""SUV that is drawn black; SUV 10 leaves lesions and organs apart."""
TAIL = (1.0, 99.5)
"""Percentiles of a feature map that its colours span; one hot voxel would else leave the rest dark."""
BACK, FRONT, LINE = "white", "#222222", "#c8102e"


@torch.no_grad()
def feature_picture(network: torch.nn.Module, inputs: Arrays, *, dots_per_inch: int = 110) -> bytes:
    """A PNG: PET, the mean over the channels of each branch's map from coarse to fine, and the lesions found.

    All are maximum intensity projections from the front, the patient's right on the left. Each map has colours of its
    own; the final lesions are outlined on the PET. The chances under the maps are those of the published class weights.

    Args:
        network: with branches and lesion heads, in evaluation mode. inputs: of one patient.

    Raises:
        ValueError: the network has no map that a branch reads.
    """
    answers: Answers = network(image_of(inputs[PET])[None, None])
    if not answers.maps:
        raise ValueError("the network keeps no maps of its branches")
    panels = [_projected(one[0].float().mean(dim=0).numpy()) for one in answers.maps]
    chances = [float(torch.softmax(one.float(), dim=1)[0, 1]) for one in answers.event]
    found = [torch.softmax(one.float(), dim=1)[0, 1].numpy() for one in answers.lesions[:1]]
    count = 1 + len(panels) + len(found)
    figure = Figure(figsize=(1.75 * count, 3.9), dpi=dots_per_inch, facecolor=BACK)
    axes = figure.subplots(1, count, gridspec_kw={"wspace": 0.06})
    figure.subplots_adjust(left=0.01, right=0.99, top=0.86, bottom=0.1)
    _pet(axes[0], inputs)
    for axis, panel, chance, one in zip(axes[1:], panels, chances, answers.maps, strict=False):
        low, high = np.percentile(panel, TAIL)
        _show(axis, panel, "inferno", float(low), float(max(high, low + 1e-6)))
        _say(axis, f"features\n{'x'.join(map(str, one.shape[2:]))}", f"chance {chance:.2f}")
    for probability in found:
        _show(axes[-1], _projected(probability), "gray_r", 0.0, 1.0)
        _say(axes[-1], "lesions found\nby this network", "white 0, black 1")
    fused = float(event_probability(answers)[0])
    figure.suptitle(
        f"Event within 24 months: fused chance {fused:.2f} under the class weights", fontsize=9, color=FRONT, y=0.985
    )
    canvas, stream = FigureCanvasAgg(figure), BytesIO()
    canvas.print_png(stream, metadata={"Software": None})
    return stream.getvalue()


def _pet(axis: Axes, inputs: Arrays) -> None:
    _show(axis, _projected(inputs[PET].astype(np.float32)), "gray_r", 0.0, SUV_WHITE)
    lesions = _projected(inputs[LESIONS].astype(np.float32))
    if lesions.any():
        axis.contour(lesions, levels=[0.5], colors=LINE, linewidths=0.6, origin="lower", extent=_extent())
    _say(axis, "PET\nlesions outlined", f"SUV 0 to {SUV_WHITE:g}")


def _projected(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Rows from feet to head."""
    return np.asarray(values.max(axis=CORONAL))


def _extent() -> tuple[float, float, float, float]:
    return (0.0, FIELD_MM[2], 0.0, FIELD_MM[0])


def _show(axis: Axes, panel: npt.NDArray[Any], colours: str, low: float, high: float) -> None:
    axis.imshow(panel, cmap=colours, vmin=low, vmax=high, origin="lower", extent=_extent(), interpolation="bilinear")


def _say(axis: Axes, above: str, below: str) -> None:
    axis.set_title(above, fontsize=7.5, color=FRONT, pad=3)
    axis.set_xlabel(below, fontsize=7.5, color=FRONT, labelpad=2)
    axis.set_xticks([])
    axis.set_yticks([])
    for side in axis.spines.values():
        side.set_visible(False)
