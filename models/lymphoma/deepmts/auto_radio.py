"""AutoRadio: a Lasso-Cox score of the 1456 radiomics features of a region.

As published, features are standardised and the penalty is that of the greatest cross-validated partial likelihood; all
of it is fitted on training patients only, so that a patient's score in a further model is by a fit that never saw him
or her. The region is our change: the final lesions on the PET grid, which a person may have corrected, in place of the
mask that the network predicts, which remains an option. The same on a given contour is the paper's ManualRadio.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter

from lymphoma.errors import BundleRefused, NotComputable
from lymphoma.evaluation.input_cohort import InputCohort
from lymphoma.imaging.volume import Volume
from lymphoma.prognosis.model import Endpoint
from lymphoma.prognosis.system import StudyArrays
from lymphoma.radiomics import NAMES, TOO_SMALL, RadiomicsSettings, extract
from lymphoma.survival.follow_up import FollowUp, Ints
from lymphoma.survival.lasso import LassoCox, fit_lasso
from lymphoma.training.bundle import Bundle

__all__ = [
    "ARRAY",
    "WORDS",
    "AutoRadio",
    "CrossRadio",
    "RadioConfig",
    "RadioModel",
    "Region",
    "cross_fit_radio",
    "features_of",
    "fit_radio",
    "further_scores",
    "radiomics_of",
]

Floats = npt.NDArray[np.float64]
Region = Literal["lesions", "predicted_mask", "contour"]
"""The final lesions; the mask that DeepMTS predicts, as published; a given contour (ManualRadio)."""

WORDS = ("auto_radio", "manual_radio")
ARRAY = "radiomics"
"""Name of the (1456,) array in a folder of inputs."""
ALIKE = 0.95
"""Two columns whose correlation is at least this say nearly the same: the one that comes first is kept [A]. Some of the
features follow from each other, such as the sum average, which is twice the joint average, and most come in nine
images; between such columns a Lasso chooses by chance."""
LEAST_SPREAD = 1e-9
"""A column whose spread is less than this share of its size is constant but for rounding."""
LAYOUT = 1


@dataclass(frozen=True)
class RadioConfig:
    """How a score is fitted.

    Attributes:
        folds: of the inner cross-validation that finds the penalty; 10, as glmnet has it.
        penalties: on the path, which ends at ``least_ratio`` times its greatest. The paper names neither; [A] glmnet's
            100 down to 0.01 take ten times as long, over penalties that overfit and are not chosen.
    """

    folds: int = 10
    penalties: int = 50
    least_ratio: float = 0.05
    seed: int = 0


DEFAULTS = RadioConfig()


@dataclass(frozen=True)
class RadioModel:
    """A score: the sum over the selected features of coefficient times z-score.

    Attributes:
        names, means, scales, coefficients: of the selected features, possibly none; coefficients are of the z-scores.
        penalty: lambda. offered: columns that were left for the Lasso after constant, missing and like ones had gone.
    """

    names: tuple[str, ...]
    means: tuple[float, ...]
    scales: tuple[float, ...]
    coefficients: tuple[float, ...]
    penalty: float
    offered: int

    def score(self, features: npt.ArrayLike, names: Sequence[str] = NAMES) -> Floats:
        """(n,), higher is worse, of features (n, p) with these names; NaN where a selected feature is not known."""
        place = {name: at for at, name in enumerate(names)}
        chosen = np.asarray(features, dtype=np.float64)[:, [place[name] for name in self.names]]
        found: Floats = (chosen - np.array(self.means)) / np.array(self.scales) @ np.array(self.coefficients)
        return found


@dataclass(frozen=True, eq=False)
class CrossRadio:
    """A score, and that of each patient by a fit that never saw him or her.

    Attributes:
        model: fitted on all. out_of_fold: (n,). selected: how many features each fold's fit chose.
    """

    model: RadioModel
    out_of_fold: Floats
    selected: tuple[int, ...]


@dataclass(frozen=True)
class AutoRadio:
    """What a bundle keeps: ``survival/auto_radio.json`` or ``survival/manual_radio.json``.

    Attributes:
        models: endpoint -> its score. settings: that features are extracted with.
    """

    region: Region
    settings: RadiomicsSettings
    models: Mapping[Endpoint, RadioModel]

    @property
    def word(self) -> str:
        """Name in the bundle, and of the score before its endpoint."""
        return WORDS[self.region == "contour"]

    def scores(self, features: npt.ArrayLike) -> dict[str, Floats]:
        """``auto_radio_pfs`` -> (n,), of features (n, 1456)."""
        return {f"{self.word}_{endpoint}": model.score(features) for endpoint, model in self.models.items()}

    def to_json(self) -> str:
        """As JSON; every float comes back bit for bit."""
        return json.dumps({"layout": LAYOUT, "kind": "auto_radio", **asdict(self)}, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> AutoRadio:
        """The score again.

        Raises:
            BundleRefused: ``BUNDLE_UNREADABLE``, also for features that this version does not extract;
                ``BUNDLE_NEWER_LAYOUT``.
        """
        try:
            content = json.loads(text)
            layout = content.pop("layout")
            if content.pop("kind") != "auto_radio":
                raise BundleRefused("BUNDLE_UNREADABLE", "the file holds no radiomics score")
            if layout > LAYOUT:
                raise BundleRefused("BUNDLE_NEWER_LAYOUT", f"the file has layout {layout}, this version reads {LAYOUT}")
            found: AutoRadio = _STORED.validate_python(content, extra="forbid")
        except (ValueError, KeyError, TypeError, AttributeError) as fault:
            if isinstance(fault, BundleRefused):
                raise
            raise BundleRefused("BUNDLE_UNREADABLE", "the file does not hold a radiomics score") from fault
        for model in found.models.values():
            lengths = {len(one) for one in (model.names, model.means, model.scales, model.coefficients)}
            if len(lengths) != 1 or not set(model.names) <= set(NAMES):
                raise BundleRefused("BUNDLE_UNREADABLE", "the score reads features that this version does not extract")
        return found


_STORED = TypeAdapter(AutoRadio)


def radiomics_of(
    study: StudyArrays,
    region: Volume | None = None,
    settings: RadiomicsSettings | None = None,
    *,
    workers: int | None = None,
) -> dict[str, Floats]:
    """The features of a study, by :data:`ARRAY`.

    Args:
        region: on the PET grid; None takes the final lesions that are accepted.
        workers: processes, as in :func:`lymphoma.radiomics.extract`.

    Raises:
        NotComputable: ``NO_AVID_LESION``; ``REGION_TOO_SMALL``; ``VALUES_NOT_FINITE``.
    """
    chosen = study.lesion_map.with_array(study.counted) if region is None else region
    if not chosen.array.any():
        raise NotComputable("NO_AVID_LESION", "no FDG-avid lesion to judge")
    found = extract(study.suv, study.ct_hu, chosen, settings or RadiomicsSettings(), workers=workers)
    return {ARRAY: found.values}


def further_scores(bundle: Bundle, study: StudyArrays, mask: Callable[[], Volume]) -> dict[str, float]:
    """The radiomics scores that a bundle keeps, of a study; none for a region too small to have features.

    Args:
        mask: gives the mask that the bundle's networks predict, on the PET grid; called only where a score wants it.

    Raises:
        NotComputable: ``NO_AVID_LESION``, ``VALUES_NOT_FINITE``. BundleRefused: the bundle's file cannot be read.
    """
    found: dict[str, float] = {}
    known: dict[tuple[bool, RadiomicsSettings], Floats] = {}
    for word in WORDS:
        text = bundle.further(word)
        if text is None:
            continue
        radio = AutoRadio.from_json(text)
        predicted = radio.region == "predicted_mask"
        key = (predicted, radio.settings)
        try:
            if key not in known:
                known[key] = radiomics_of(study, mask() if predicted else None, radio.settings)[ARRAY]
        except NotComputable as fault:
            if fault.code != TOO_SMALL and not (predicted and fault.code == "NO_AVID_LESION"):
                raise
            continue  # a nomogram without this score gives a range
        found |= {name: float(score[0]) for name, score in radio.scores(known[key][None]).items()}
    return found


def features_of(cohort: InputCohort) -> Floats:
    """(n, 1456); a row of NaN for a patient whose region had no features.

    Raises:
        NotComputable: ``FEATURES_UNREADABLE``: a patient's file holds no radiomics, or as many as another version had.
    """
    rows = []
    for at in range(len(cohort)):
        row = cohort.read(at).get(ARRAY)
        if row is None or row.shape != (len(NAMES),):
            raise NotComputable("FEATURES_UNREADABLE", "the folder does not hold the 1456 features of a patient")
        rows.append(row.astype(np.float64))
    return np.stack(rows) if rows else np.empty((0, len(NAMES)))


def fit_radio(
    features: Floats, follow_up: FollowUp, config: RadioConfig = DEFAULTS, names: Sequence[str] = NAMES
) -> RadioModel:
    """A Lasso-Cox score, fitted on n patients whose features are known.

    Columns that are not finite in everybody, constant ones and repetitions of an earlier one are left out first.

    Args:
        features: (n, p), p names.

    Raises:
        NotComputable: ``TOO_FEW_EVENTS`` with fewer events than inner folds; ``COX_NOT_FITTED``; ``NO_EFFECT`` where
            no column is left.
    """
    kept = _usable(features)
    if not len(kept):
        raise NotComputable("NO_EFFECT", "no feature differs between the patients")
    offered = [names[at] for at in kept]
    fit = fit_lasso(
        offered,
        features[:, kept],
        follow_up,
        folds=config.folds,
        seed=config.seed,
        penalties=config.penalties,
        least_ratio=config.least_ratio,
    )
    return _selected(fit)


def cross_fit_radio(
    features: Floats,
    follow_up: FollowUp,
    parts: Sequence[Ints],
    config: RadioConfig = DEFAULTS,
    names: Sequence[str] = NAMES,
) -> CrossRadio:
    """The score of all patients, and out of fold; standardisation, choice of columns and penalty anew in each fold.

    Args:
        parts: positions of the patients that each fold holds out, each patient once.

    Raises:
        NotComputable: as :func:`fit_radio`; ``NO_EFFECT`` where no fold selects a feature.
    """
    out_of_fold = np.empty(len(features))
    selected: list[int] = []
    for held in parts:
        train = np.setdiff1d(np.arange(len(features)), held)
        model = fit_radio(features[train], follow_up.take(train), config, names)
        out_of_fold[held] = model.score(features[held], names)
        selected.append(len(model.names))
    if not any(selected):
        raise NotComputable("NO_EFFECT", "the Lasso selects no feature")
    return CrossRadio(fit_radio(features, follow_up, config, names), out_of_fold, tuple(selected))


def _usable(features: Floats) -> Ints:
    """Columns for the Lasso, in ascending order."""
    finite: Ints = np.flatnonzero(np.isfinite(features).all(axis=0))
    x = features[:, finite]
    spread = x.std(axis=0)
    varies = spread > LEAST_SPREAD * np.maximum(np.abs(x).max(axis=0, initial=0.0), np.finfo(float).tiny)
    finite, x, spread = finite[varies], x[:, varies], spread[varies]
    if not len(finite):
        return finite
    z = (x - x.mean(axis=0)) / spread
    alike = np.abs(z.T @ z) / len(z) >= ALIKE
    kept: list[int] = []
    for column in range(len(finite)):
        if not alike[column, kept].any():
            kept.append(column)
    return np.asarray(finite[kept], dtype=np.int64)


def _selected(fit: LassoCox) -> RadioModel:
    at = np.flatnonzero(fit.coefficients)
    return RadioModel(
        names=tuple(fit.names[one] for one in at),
        means=tuple(fit.means[at].tolist()),
        scales=tuple(fit.scales[at].tolist()),
        coefficients=tuple(fit.coefficients[at].tolist()),
        penalty=fit.penalty,
        offered=len(fit.names),
    )
