"""The true risk of a virtual patient: one mechanism out of a fixed set, scaled to a known spread.

Each mechanism is a score of the physical features, made standard with stored population constants
(``data/risk.json``), so that a patient's risk does not depend on who else is in the cohort. eta = sigma times the
standard score is the log hazard ratio of progression-free survival.

impi: the published linear predictor of the IMPI, from burden, age and stage.
dissemination: SDmax above 0.32 per m (hazard ratio about 1.9, Cottereau 2021).
site: extranodal organs with the log hazard ratios of SEER (gut, lung, liver or pancreas, head and neck); bone [A].
worst_lesion: the largest lesion score (size, uptake, place), standard within count and TMTV, which then tell nothing.
location: mean effect of the places of the lesions, standard within size, uptake, texture and count.
burden: log TMTV, which an attention-weighted mean cannot sum.
texture: volume-weighted heterogeneity of uptake, standard within count and TMTV.
non_lesion: uptake of spleen and vertebrae over the liver, outside every lesion.
null: nothing.
mixed: IMPI, worst lesion, location and non-lesion together, the project's default cohort [A].
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources

import numpy as np
import numpy.typing as npt

from lymphoma.simulation.feature_table import FeatureTable
from lymphoma.simulation.sites import GROUPS, ORGANS
from lymphoma.simulation.standardise import Shape, Standard, fit_standard
from lymphoma.survival.clinical import ClinicalFactors
from lymphoma.survival.indices import impi

__all__ = ["MECHANISMS", "MODES", "Mechanism", "fit_mechanisms", "standard_scores", "stored_standards", "true_eta"]

Floats = npt.NDArray[np.float64]

SDMAX_CUT_PER_M = 0.32
LOG_HAZARD_RATIO = {"gut": np.log(1.24), "lung": np.log(1.59), "liver_pancreas": np.log(1.58), "bone": np.log(1.6)}
HEAD_NECK_LOG_HAZARD_RATIO = float(np.log(0.79))
WORST_PLACE = (-0.9, 0.0, 0.45, -0.45, 0.3, 1.2, 1.2, 1.5, 0.6, 0.9)
"""Effect of a lesion's place on its score, in the order of ``GROUPS`` [A]."""
LOCATION_EFFECT = (-1.0, 0.8, 0.2, -0.6, 0.9, 0.5, 1.0, 1.0, -0.2, -0.8)
"""Effect of a place in the location mode, in the order of ``GROUPS`` [A]."""
SIZE_SD, UPTAKE_SD = 1.0, 0.8
"""Scales of log volume and log SUVpeak in a lesion's score, such that neither of them nor the place rules it [A]."""
MIXTURE = (("impi", 0.65), ("worst_lesion", 0.45), ("location", 0.30), ("non_lesion", 0.25))


@dataclass(frozen=True)
class Mechanism:
    """How a risk arises.

    Attributes:
        score: table -> shape (P,); NaN where a patient has none (no lesion). given: confounders, shape (P, d), of
            which the risk is made independent.
        shape: "linear" keeps the score's own distribution; "normal" makes the risk normal, as the oracle figures do.
    """

    name: str
    score: Callable[[FeatureTable], Floats]
    given: Callable[[FeatureTable], Floats]
    shape: Shape


def _nothing(table: FeatureTable) -> Floats:
    return np.zeros((len(table), 0))


def _log(values: npt.ArrayLike) -> Floats:
    return np.asarray(np.log(np.maximum(np.asarray(values, dtype=np.float64), 1e-3)))


def _extent(table: FeatureTable) -> Floats:
    return np.stack((_log(table.counts), _log(table.tmtv_ml)), axis=1)


def _impi(table: FeatureTable) -> Floats:
    """The linear predictor; the middle of its range where the stage is not known, NaN without an age."""
    scores = [impi(record, tmtv_ml) for record, tmtv_ml in zip(table.clinical, table.tmtv_ml, strict=True)]
    return np.array([np.nan if score is None else (score.least + score.most) / 2 for score in scores])


def _dissemination(table: FeatureTable) -> Floats:
    sdmax = table.sdmax_per_m.astype(np.float64)
    return np.where(np.isfinite(sdmax), (sdmax > SDMAX_CUT_PER_M) * np.log(1.9), np.nan)


def _site(table: FeatureTable) -> Floats:
    total = np.zeros(len(table))
    for name, effect in LOG_HAZARD_RATIO.items():
        total += effect * (table.pooled(table.lesions.group == GROUPS.index(name), np.maximum, 0.0) > 0)

    def in_head(record: ClinicalFactors) -> float:
        return float("head_neck" in (record.extranodal_sites or ()))

    return total + HEAD_NECK_LOG_HAZARD_RATIO * table.clinical_column(in_head)


def _extent_and_host(table: FeatureTable) -> Floats:
    """Count, TMTV, and what a look at the rest of the body would tell: sex, age, uptake of marrow and spleen, and how
    many lesions light the bone around them.

    Some organs belong to one sex only and some infiltration lights a whole organ; without this, a system that never
    sees a lesion would know a little of the worst one.
    """
    sex = table.clinical_column(lambda record: None if record.sex is None else float(record.sex == "F"))
    age = table.clinical_column(lambda record: record.age_years)
    in_bone = table.pooled(table.lesions.group == GROUPS.index("bone"), np.add, 0.0)
    return np.column_stack((_extent(table), sex, age, *_relative_uptake(table), np.log1p(in_bone)))


def _worst_lesion(table: FeatureTable) -> Floats:
    lesions = table.lesions
    place = np.array(WORST_PLACE)[lesions.group]
    return table.pooled(_log(lesions.volume_ml) / SIZE_SD + _log(lesions.suv_peak) / UPTAKE_SD + place, np.maximum)


def _location(table: FeatureTable) -> Floats:
    return table.mean(np.array(LOCATION_EFFECT)[table.lesions.group])


def _looks(table: FeatureTable) -> Floats:
    lesions = table.lesions
    largest = table.pooled(_log(lesions.volume_ml), np.maximum)
    hottest = table.pooled(_log(lesions.suv_peak), np.maximum)
    return np.column_stack((_extent(table), largest, hottest, table.mean(lesions.suv_cv)))


def _burden(table: FeatureTable) -> Floats:
    return np.where(table.counts > 0, _log(table.tmtv_ml), np.nan)


def _texture(table: FeatureTable) -> Floats:
    lesions = table.lesions
    weighted = table.pooled(lesions.suv_cv.astype(np.float64) * lesions.volume_ml, np.add)
    return weighted / np.maximum(table.tmtv_ml, 1e-3)


def _non_lesion(table: FeatureTable) -> Floats:
    """Mean of log uptake of spleen and vertebrae over the liver's; what is not in view is left out."""
    pair = _relative_uptake(table)
    seen = np.isfinite(pair)
    total = np.where(seen, pair, 0.0).sum(axis=0)
    return np.where(seen.any(axis=0), total / np.maximum(seen.sum(axis=0), 1), np.nan)


def _relative_uptake(table: FeatureTable) -> Floats:
    """Log uptake of spleen and vertebrae over the liver's, shape (2, P); NaN where not in view."""
    uptake = {organ.name: _log_known(table.organs.suv_mean[:, row]) for row, organ in enumerate(ORGANS)}
    return np.stack((uptake["spleen"], uptake["vertebrae"])) - uptake["liver"]


def _log_known(values: npt.NDArray[np.float32]) -> Floats:
    return np.where(np.isfinite(values), _log(np.nan_to_num(values)), np.nan)


def _null(table: FeatureTable) -> Floats:
    return np.full(len(table), np.nan)


def _mixed(table: FeatureTable) -> Floats:
    return np.asarray(np.sum([weight * standard_scores(table, name) for name, weight in MIXTURE], axis=0))


_ALL = (
    Mechanism("impi", _impi, _nothing, "linear"),
    Mechanism("dissemination", _dissemination, _nothing, "linear"),
    Mechanism("site", _site, _nothing, "linear"),
    Mechanism("worst_lesion", _worst_lesion, _extent_and_host, "normal"),
    Mechanism("location", _location, _looks, "normal"),
    Mechanism("burden", _burden, _nothing, "normal"),
    Mechanism("texture", _texture, _extent, "normal"),
    Mechanism("non_lesion", _non_lesion, _extent, "normal"),
    Mechanism("null", _null, _nothing, "linear"),
    Mechanism("mixed", _mixed, _nothing, "normal"),
)
MECHANISMS: Mapping[str, Mechanism] = {mechanism.name: mechanism for mechanism in _ALL}
MODES: tuple[str, ...] = tuple(MECHANISMS)


def true_eta(table: FeatureTable, mode: str, sigma: float) -> Floats:
    """Log hazard ratio of each patient, mean 0 and SD ``sigma`` in the population, shape (P,).

    Args:
        table: true features, noise-free where they can be had. mode: one of :data:`MODES`.
    """
    return sigma * standard_scores(table, mode)


def standard_scores(table: FeatureTable, mode: str, standards: Mapping[str, Standard] | None = None) -> Floats:
    """The standard score of a mechanism, shape (P,); 0 for a patient who has none.

    Args:
        standards: population constants; None takes the stored ones.
    """
    mechanism = MECHANISMS[mode]
    if mode == "null":
        return np.zeros(len(table))
    standard = (standards or stored_standards())[mode]
    return standard.apply(mechanism.score(table), mechanism.given(table))


def fit_mechanisms(table: FeatureTable) -> dict[str, Standard]:
    """Population constants of every mechanism but the null, from a large table (20,000 patients or more)."""
    found: dict[str, Standard] = {}
    for mechanism in _ALL:
        if mechanism.name == "mixed":
            score = np.sum([weight * standard_scores(table, name, found) for name, weight in MIXTURE], axis=0)
        elif mechanism.name == "null":
            continue
        else:
            score = mechanism.score(table)
        found[mechanism.name] = fit_standard(score, mechanism.given(table), mechanism.shape)
    return found


def dump_standards(standards: Mapping[str, Standard]) -> str:
    """As the text of ``data/risk.json``."""
    return json.dumps({name: asdict(standard) for name, standard in standards.items()}, indent=None) + "\n"


@cache
def stored_standards() -> Mapping[str, Standard]:
    """The shipped population constants."""
    text = resources.files("lymphoma.simulation").joinpath("data/risk.json").read_text(encoding="utf-8")
    return {
        name: Standard(
            shape=fields["shape"],
            centre=tuple(fields["centre"]),
            scale=tuple(fields["scale"]),
            mean=tuple(fields["mean"]),
            spread=tuple(fields["spread"]),
            quantiles=tuple(fields["quantiles"]),
        )
        for name, fields in json.loads(text).items()
    }
