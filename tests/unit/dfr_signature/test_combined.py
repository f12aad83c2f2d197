"""The combined model: cuts inside the training fold, and the models it is held against on the same folds."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from lymphoma.dfr_signature.combined import Combined, CombinedConfig, OutOfFoldScore, cut_design, fit_combined_model
from lymphoma.errors import NotComputable
from lymphoma.evaluation.patients import Patients
from lymphoma.prognosis.measures import PetMeasures
from lymphoma.prognosis.nomogram_tables import Columns
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.training.case import Outcome

pytestmark = pytest.mark.unit

N = 240
CONFIG = CombinedConfig(resamples=60)
PARTS = tuple(np.arange(N)[first::4] for first in range(4))


def patients(seed: int = 0) -> tuple[Patients, np.ndarray]:
    """Stage, NCCN-IPI, SUVmax, TMTV and a signature each add to the hazard; and the signature."""
    rng = np.random.default_rng(seed)
    stage, age = rng.integers(1, 5, N), rng.uniform(35, 85, N)
    ldh, ecog = rng.uniform(0.6, 4.0, N), rng.integers(0, 4, N)
    suv, tmtv, signature = rng.uniform(8, 35, N), np.exp(rng.normal(5.3, 1.0, N)), rng.uniform(0, 1, N)
    eta = 0.6 * (stage >= 3) + 0.5 * (ecog >= 2) + 0.6 * (suv >= 20) + 0.8 * (tmtv >= 220) + 2.0 * (signature >= 0.6)
    free, end = 60 * rng.exponential(size=N) * np.exp(1.5 - eta), rng.uniform(30, 80, N)
    clinical = tuple(
        ClinicalFactors(
            age_years=float(age[at]),
            stage=int(stage[at]),
            ecog=int(ecog[at]),
            ldh_ratio=float(ldh[at]),
            extranodal_sites=(),
            cell_of_origin="GCB" if at % 2 else "non-GCB",
        )
        for at in range(N)
    )
    outcomes = tuple(Outcome(max(min(t, c), 0.1), bool(t <= c)) for t, c in zip(free, end, strict=True))
    whole = Patients(
        "made up",
        True,
        tuple(f"P{at:03d}" for at in range(N)),
        tuple(hashlib.sha256(f"{seed}-{at}".encode()).hexdigest() for at in range(N)),
        ("one",) * N,
        clinical,
        tuple(PetMeasures(tmtv_ml=float(tmtv[at]), suv_max=float(suv[at])) for at in range(N)),
        {"pfs": outcomes, "os": outcomes},
    )
    return whole, signature


def fitted(whole: Patients, signature: np.ndarray, endpoint: str = "pfs", **others: np.ndarray) -> Combined:
    values = {f"dfr_signature_{endpoint}": signature, **others}
    each = fit_combined_model(whole, {endpoint: OutOfFoldScore(np.arange(N), PARTS, values)}, CONFIG)  # type: ignore[dict-item]
    return each.fits[0]


def test_the_cuts_lie_where_the_hazard_changes_and_the_model_reads_them() -> None:
    one = fitted(*patients())
    assert one.cuts["score:dfr_signature_pfs"] == pytest.approx(0.6, abs=0.08)
    assert [term.name.partition(">=")[0] for term in one.fit.model.terms] == [
        "stage",
        "nccn_ipi_high",
        "suv_max",
        "tmtv_ml",
        "score:dfr_signature_pfs",
    ]
    assert one.fit.beats_chance
    assert one.multivariate[-1].name.startswith("score:dfr_signature_pfs>=")
    assert len(one.univariate) > 10


@pytest.mark.paper("dfr-combined-os")
def test_of_overall_survival_the_cell_of_origin_stands_for_the_stage() -> None:
    one = fitted(*patients(), endpoint="os")
    assert [term.name.partition(">=")[0] for term in one.fit.model.terms][:2] == ["cell_of_origin", "nccn_ipi_high"]


@pytest.mark.paper("dfr-combined")
def test_it_is_held_against_models_without_the_signature_and_with_another_one() -> None:
    whole, signature = patients()
    noise = np.random.default_rng(9).uniform(size=N)
    one = fitted(whole, signature, radiomics=noise)
    assert set(one.fits) | set(one.not_fitted) == {"combined", "nccn_ipi", "radiomics"}
    gains = {comparison.against: comparison.gain for comparison in one.comparisons}
    assert gains["nccn_ipi"].lower > 0
    assert one.fit.concordance.estimate > 0.65


def test_a_cut_comes_from_the_training_patients_alone() -> None:
    whole, signature = patients()
    follow_up = whole.follow_up("pfs", np.arange(N))
    train = np.arange(0, N, 2)
    names = ["suv_max", "score:dfr_signature_pfs"]

    def cuts(values: np.ndarray) -> list[str]:
        columns = Columns(whole, np.arange(N), {"dfr_signature_pfs": values})
        terms, _ = cut_design(columns, names, follow_up)(train)
        return [term.name for term in terms]

    other = signature.copy()
    other[1::2] = 1 - other[1::2]
    assert cuts(other) == cuts(signature)
    other[::2] = signature[::2] ** 2
    assert cuts(other) != cuts(signature)


def test_who_lacks_a_value_is_left_out_and_counted() -> None:
    whole, signature = patients()
    pet = tuple(PetMeasures() if at < 10 else one for at, one in enumerate(whole.pet))
    one = fitted(replace(whole, pet=pet), signature)
    assert (one.left_out, len(one.index)) == (10, N - 10)
    with pytest.raises(NotComputable, match="TOO_FEW_PATIENTS"):
        fitted(replace(whole, pet=(PetMeasures(),) * N), signature)
