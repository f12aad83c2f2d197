"""From tissues to activity: the patient's own uptake of every tissue, as SUV before any blur."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lymphoma.simulation.plan import PatientPlan
from lymphoma.simulation.tissues import LABELS, TISSUES

__all__ = ["draw_uptake", "tissue_activity"]


def draw_uptake(plan: PatientPlan) -> npt.NDArray[np.float32]:
    """SUV of every tissue in this patient, indexed by tissue label, shape (256,).

    Organs share the plan's common factor (the square root of its effect for independence of about 0.6 of the
    variance) and vary on their own. Myocardium is log-normal with median 3 in 1.5..12, urine 5..50 in the bladder and
    5..20 in the renal pelvis [assumptions].
    """
    rng = np.random.default_rng([plan.seed, 4])
    suv = np.zeros(256, dtype=np.float32)
    for label, tissue in enumerate(TISSUES):
        own = rng.normal(0.0, tissue.suv_sd)
        drawn = max(tissue.suv + float(np.clip(own, -2 * tissue.suv_sd, 2 * tissue.suv_sd)), 0.1 * tissue.suv)
        suv[label] = drawn * (plan.physiology.uptake_scale if tissue.shared else 1.0)
    suv[LABELS["outside"]] = 0.0
    suv[LABELS["myocardium"]] = np.clip(np.exp(rng.normal(np.log(3.0), 0.6)), 1.5, 12.0)
    suv[LABELS["bladder"]] = rng.uniform(8.0, 50.0)
    for side in ("left", "right"):
        suv[LABELS[f"renal_pelvis_{side}"]] = rng.uniform(5.0, 20.0)
        suv[LABELS[f"ureter_{side}"]] = rng.uniform(2.0, 9.0)
        for twin in ("adrenal", "kidney"):
            suv[LABELS[f"{twin}_{side}"]] = 0.5 * (suv[LABELS[f"{twin}_left"]] + suv[LABELS[f"{twin}_right"]])
    return suv


def tissue_activity(
    tissues: npt.NDArray[np.uint8], suv: npt.NDArray[np.float32], plan: PatientPlan
) -> npt.NDArray[np.float32]:
    """SUV before blur, float32, of the grid's shape; bowel uptake waxes and wanes along its loops.

    Args:
        tissues: tissue labels (k, j, i). suv: of :func:`draw_uptake`.
    """
    activity = suv[tissues]
    rng = np.random.default_rng([plan.seed, 5])
    bowel = [LABELS["jejunum"], LABELS["ileum"]]
    where = np.isin(tissues, bowel)
    k, j, i = np.nonzero(where)
    shape = np.asarray(tissues.shape, dtype=float)
    waves = rng.normal(0, 9.0, (3, 3))
    phases = rng.uniform(0, 2 * np.pi, 3)
    place = np.stack([k / shape[0] * 3, j / shape[1], i / shape[2]])
    swing = sum(np.sin(place.T @ wave + phase) for wave, phase in zip(waves, phases, strict=True))
    activity[where] *= np.exp(0.35 * np.asarray(swing)).astype(np.float32)
    return activity
