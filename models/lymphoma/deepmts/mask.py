"""The lesions that DeepMTS itself segments, on the grid of the PET."""

from __future__ import annotations

import numpy as np

from lymphoma.deepmts.ensemble import Setup, ensemble_of
from lymphoma.deepmts.field import place
from lymphoma.deepmts.inputs import placed_inputs
from lymphoma.deepmts.judging import CUT
from lymphoma.imaging.resample import resample_like
from lymphoma.imaging.volume import Volume
from lymphoma.prognosis.system import StudyArrays
from lymphoma.training.bundle import Bundle

__all__ = ["predicted_mask"]


def predicted_mask(bundle: Bundle, setup: Setup, study: StudyArrays) -> Volume:
    """Voxels of the PET where the networks of the bundle's first endpoint see lesion: bool, on the grid of ``suv``.

    Probabilities are brought up to the grid and cut at one half there. The networks learned from voxels of a
    centimetre that count as lesion from a fifth on: what they draw is wider than the lesion by part of a voxel.

    Raises:
        NotComputable: as :func:`lymphoma.deepmts.inputs.inputs_of`; ``NOT_TRAINED`` for an arm that does not segment.
        BundleRefused: a part of the bundle cannot be read.
    """
    placed = place(study, setup.field)
    first = next(iter(setup.networks))
    probability = ensemble_of(bundle, setup, first).lesion(placed_inputs(study, placed))
    fine = resample_like(placed.grid.with_array(probability), study.suv, fill=0.0, interpolation="linear")
    return study.suv.with_array(np.asarray(fine.array >= CUT))
