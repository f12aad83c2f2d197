"""Virtual patients at feature level, as the evaluation reads them, with scores whose worth is known."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from lymphoma.evaluation.patients import Patients, Scores
from lymphoma.prognosis.measures import PetMeasures
from lymphoma.prognosis.model import Endpoint
from lymphoma.simulation.feature_table import FeatureTable
from lymphoma.simulation.outcomes import OutcomeModel, draw_outcomes, outcome_model
from lymphoma.simulation.risk import true_eta
from lymphoma.simulation.sampler import SampledPatients, sample_patients
from lymphoma.simulation.scan import HOSPITAL

FIRST_SEED = 7_500_000
HORIZONS = (12.0, 24.0, 36.0, 60.0)

Floats = npt.NDArray[np.float64]


@cache
def sampled(count: int) -> SampledPatients:
    """Patients that no constant was fitted on."""
    return sample_patients(range(FIRST_SEED, FIRST_SEED + count), variety=HOSPITAL)


def virtual_patients(
    count: int, *, mode: str = "mixed", sigma: float = 1.0, draw: int = 0, centres: int = 3
) -> Patients:
    """A cohort with two bundles: "oracle" knows the true risk and progression-free survival, "noise" nothing."""
    drawn = sampled(count)
    eta = true_eta(drawn.true, mode, sigma)
    model = outcome_model(0.0 if mode == "null" else sigma)
    outcomes = draw_outcomes(model, eta, drawn.seeds, draw=draw)
    pairs = [outcomes.patient(i) for i in range(count)]
    rng = np.random.default_rng(count + draw)
    noise = rng.normal(size=count)
    return Patients(
        cohort="virtual",
        virtual=True,
        ids=drawn.measured.patient_ids,
        contents=drawn.measured.patient_ids,
        centres=tuple(f"centre {number}" for number in rng.integers(centres, size=count)),
        clinical=drawn.measured.clinical,
        pet=measures(drawn.measured),
        outcomes={"pfs": tuple(pfs for pfs, _ in pairs), "os": tuple(os for _, os in pairs)},
        scores={
            (name, endpoint): scores
            for endpoint in _ENDPOINTS
            for name, scores in (
                ("oracle", Scores("oracle", eta, survival(model, eta) if endpoint == "pfs" else None, HORIZONS, True)),
                ("noise", Scores("noise", noise, None, (), True)),
            )
        },
    )


_ENDPOINTS: tuple[Endpoint, ...] = ("pfs", "os")


def survival(model: OutcomeModel, eta: Floats) -> Floats:
    """True progression-free survival at :data:`HORIZONS`."""
    return np.exp(-np.exp(eta)[:, None] * model.baseline.cumulative(np.array(HORIZONS) / 12))


def measures(table: FeatureTable) -> tuple[PetMeasures, ...]:
    """Whole-patient measures as the node would have them."""
    lesions = table.lesions
    found = []
    for patient in range(len(table)):
        low, high = int(table.starts[patient]), int(table.starts[patient + 1])
        if low == high:
            found.append(PetMeasures(tmtv_ml=0.0, tlg_g=0.0, lesion_count=0))
            continue
        volume = lesions.volume_ml[low:high].astype(np.float64)
        at = np.stack([lesions.lateral, lesions.depth, lesions.height], axis=1)[low:high].astype(np.float64)
        place = at * table.size_mm[patient][[1, 2, 0]]
        from_bulk = np.sqrt(((place - place[int(volume.argmax())]) ** 2).sum(axis=1))
        found.append(
            PetMeasures(
                tmtv_ml=float(volume.sum()),
                tlg_g=float((volume * lesions.suv_mean[low:high]).sum()),
                suv_max=float(lesions.suv_max[low:high].max()),
                suv_peak=float(lesions.suv_peak[low:high].max()),
                lesion_count=high - low,
                dmax_mm=float(table.dmax_mm[patient]),
                dmax_bulk_mm=float(from_bulk.max()),
                sdmax_per_m=float(table.sdmax_per_m[patient]),
            )
        )
    return tuple(found)
