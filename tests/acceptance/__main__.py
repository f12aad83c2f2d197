"""The acceptances of the virtual cohort: figures as JSON, plots as PNG.

python -m tests.acceptance --out DIR [--images 60] [--features 5000] [--grid-mm 4]
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from lymphoma.simulation import HOSPITAL, PLAIN, Protocol, Variety
from lymphoma.simulation.feature_table import FeatureTable, stack_features
from lymphoma.simulation.features import PatientFeatures
from lymphoma.simulation.outcomes import draw_outcomes, outcome_model
from lymphoma.simulation.protocol import training_grid
from lymphoma.simulation.risk import true_eta
from lymphoma.simulation.sampler import sample_patients

from tests.acceptance import plots
from tests.acceptance.images import build_each, show_progress
from tests.acceptance.images_checks import candidate_checks, find_candidates, organ_checks, recovery
from tests.acceptance.outcomes import clinical_checks, mode_checks, oracle_checks
from tests.acceptance.report import Check, between, save_checks, table_of
from tests.acceptance.two_samples import two_sample_auc

HOSPITAL_SEEDS, PLAIN_SEEDS, SAMPLE_SEEDS = 5_200_000, 5_250_000, 5_300_000
TRAIN_SEEDS, TEST_SEEDS = 5_400_000, 5_500_000


@dataclass(frozen=True)
class Order:
    """How much is made."""

    out: Path
    images: int
    features: int
    protocol: Protocol


def feature_level(order: Order) -> list[Check]:
    """Oracle, mechanisms, clinic."""
    oracle, curve = oracle_checks(12_000)
    plots.plot_oracle(curve, order.out / "oracle.png")
    step = show_progress("patients sampled", 2 * order.features, _say)
    train = sample_patients(_seeds(TRAIN_SEEDS, order.features), variety=HOSPITAL, progress=step)
    test = sample_patients(
        _seeds(TEST_SEEDS, order.features), variety=HOSPITAL, progress=lambda done: step(order.features + done)
    )
    _say("\n")
    modes, matrix = mode_checks(train, test)
    plots.plot_modes(matrix, order.out / "modes.png")
    eta = true_eta(test.true, "mixed", 1.0)
    plots.plot_survival(draw_outcomes(outcome_model(1.0), eta, test.seeds), eta, order.out / "survival.png")
    return [*oracle, *modes, *clinical_checks(test.measured)]


def image_level(order: Order) -> list[Check]:
    """Candidates and the sampler on the hospital variety, recovery and organs on the plain one."""
    candidates, features = [], []
    step = show_progress("hospital patients built", order.images, _say)
    for patient, measured in build_each(
        _seeds(HOSPITAL_SEEDS, order.images), variety=HOSPITAL, protocol=order.protocol
    ):
        candidates.append(find_candidates(patient))
        features.append(measured.measured)
        step(len(features))
    _say("\n")
    checks, scores, truth = candidate_checks(candidates)
    shares = np.array([one.physiological_share for one in candidates])
    plots.plot_candidates(shares, scores, truth, order.out / "candidates.png")
    images = stack_features(features)
    sampled = sample_patients(_seeds(SAMPLE_SEEDS, order.images), variety=HOSPITAL).measured
    auc = two_sample_auc(images, sampled)
    checks.append(between("sampler against images: AUC", auc, None, 0.65, order.images))
    plots.plot_sampler(images, sampled, order.out / "sampler.png")
    return [*checks, *_plain(order)]


def _plain(order: Order) -> list[Check]:
    planned, found = [], []
    features: list[PatientFeatures] = []
    step = show_progress("plain patients built", order.images, _say)
    variety: Variety = PLAIN
    for patient, measured in build_each(_seeds(PLAIN_SEEDS, order.images), variety=variety, protocol=order.protocol):
        for kept, values in zip((planned, found), recovery(patient), strict=True):
            kept.append(values)
        features.append(measured.measured)
        step(len(features))
    _say("\n")
    whole = np.array([values.sum() for values in planned])
    ratio = np.array([values.sum() for values in found])[whole > 20] / whole[whole > 20]
    each, seen = np.concatenate(planned), np.concatenate(found)
    small, large = each < 2, each > 20
    checks = [
        between("noise-free TMTV over the true one, TMTV over 20 mL", ratio.mean(), 0.95, 1.05, len(ratio)),
        between("the same, largest miss of a patient", np.abs(ratio - 1).max(), None, None, len(ratio)),
        between("recovered share of lesions over 20 mL", _share(seen, each, large), 0.95, 1.05, int(large.sum())),
        between("recovered share of lesions under 2 mL", _share(seen, each, small), None, 0.98, int(small.sum())),
    ]
    plots.plot_recovery(each, seen, order.out / "recovery.png")
    table: FeatureTable = stack_features(features)
    plots.plot_organs(table, order.out / "organs.png")
    return [*checks, *organ_checks(table)]


def _share(found: np.ndarray, planned: np.ndarray, which: np.ndarray) -> float:
    return float(np.mean(found[which] / planned[which])) if which.any() else float("nan")


def _seeds(first: int, number: int) -> range:
    return range(first, first + number)


def _say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--images", type=int, default=60, help="patients built as images; 0 leaves images out")
    parser.add_argument("--features", type=int, default=5000, help="sampled patients, twice; 0 leaves features out")
    parser.add_argument("--grid-mm", type=float, default=4.0, help="voxel edge of the images")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    order = Order(given.out, given.images, given.features, training_grid(given.grid_mm))
    checks = feature_level(order) if given.features else []
    checks += image_level(order) if given.images else []
    save_checks(checks, given.out / "acceptance.json")
    sys.stdout.write(table_of(checks) + "\n")
    return 0 if all(check.passed for check in checks) else 1


if __name__ == "__main__":
    sys.exit(main())
