"""The DFR signature: ten features -> the chance of an event, by AutoGluon's stack of learners in two layers.

The paper: base learners see the features; the second layer sees their out-of-fold predictions and the features;
ten-fold cross-validation. AutoGluon is part of the extra ``nodal[dfr]``, imported when it is needed, never with this
module.
"""

from __future__ import annotations

import importlib
import json
import logging
import tempfile
import warnings
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import StratifiedKFold

from lymphoma.dfr_signature.archive import digest_of, packed, unpacked
from lymphoma.dfr_signature.config import SignatureConfig
from lymphoma.errors import BundleRefused, NotComputable
from lymphoma.training.files import write_whole

__all__ = [
    "FittedSignature",
    "Layers",
    "Signature",
    "autogluon",
    "fit_signature",
    "open_signature",
    "out_of_fold",
]

Floats = npt.NDArray[np.floating[Any]]
BUNDLED = "about.json"
_PACKAGES = ("autogluon.tabular", "scikit-learn", "numpy", "pandas", "lightgbm", "xgboost-cpu", "catboost", "torch")
"""Whose versions must be the same where a pickle is read."""
_LABEL = "event"
_WEIGHT = "weight"


@dataclass(frozen=True)
class Layers:
    """What learned in each layer.

    Attributes:
        base, stacker: names of the models. stacker_inputs: how many inputs each stacker sees.
        final: the model whose prediction is the signature, a weighted mean of the last layer.
    """

    base: tuple[str, ...]
    stacker: tuple[str, ...]
    stacker_inputs: tuple[int, ...]
    final: str


@dataclass(frozen=True, eq=False)
class Signature:
    """A fitted stack, ready for use and held in memory alone.

    Attributes:
        archive: all of it as one file. digest: SHA-256 of the archive. features: how many it reads.
    """

    archive: bytes = field(repr=False)
    digest: str
    features: int
    layers: Layers
    _predictor: Any = field(repr=False)

    def probability(self, features: Floats) -> npt.NDArray[np.float64]:
        """Chance of the event that was learned.

        Args:
            features: (n, 10), as they were selected and standardised.

        Returns:
            (n,).

        Raises:
            ValueError: another number of features, or a value that is not finite.
        """
        if len(features) == 0 and features.shape[1:] == (self.features,):
            return np.empty(0)
        found = self._predictor.predict_proba(_table(features, self.features), as_multiclass=False)
        return np.asarray(found, dtype=np.float64)

    def save(self, file: Path) -> str:
        """Writes the archive whole or not at all; its digest, which :func:`open_signature` asks for."""
        write_whole(file, self.archive)
        return self.digest


@dataclass(frozen=True, eq=False)
class FittedSignature:
    """A signature and what its own training says.

    Attributes:
        bagged: (n,) what AutoGluon calls out-of-fold: probabilities from models of the last layer that were not fitted
            on that patient. They flatter: boosting and networks stop where that fold looks best, learners are weighted
            by these very values, and the last layer learned from base models that saw his label. Labels shuffled among
            120 patients reach an AUC of .8 to .9 in this way. They serve to look into AutoGluon, never to judge the
            signature, to set its cut-off or to enter a survival model; :func:`out_of_fold` does.
    """

    signature: Signature
    bagged: npt.NDArray[np.float64]


def fit_signature(
    features: Floats,
    event: npt.NDArray[np.bool_],
    settings: SignatureConfig,
    folder: Path,
    *,
    weight: Floats | None = None,
    seed: int = 0,
) -> FittedSignature:
    """Fits the stack on one thread, without graphics card, network or other processes; quiet.

    The same input gives the same signature, unless ``settings.time_limit_s`` is reached.

    Args:
        features: (n, 10). event: (n,). folder: there AutoGluon works in a folder that is removed afterwards.
        weight: (n,); patients of weight 0 do not take part, and their ``bagged`` is the finished signature's.
        seed: of folds and learners.

    Raises:
        NotComputable: ``NOT_INSTALLED``; ``TOO_FEW_EVENTS``: fewer patients with or without the event than folds.
        ValueError: arrays that do not agree, or a value that is not finite.
    """
    weights = np.ones(len(features)) if weight is None else np.asarray(weight, dtype=np.float64)
    if features.ndim != 2 or not len(features) == len(event) == len(weights) or not np.isfinite(weights).all():
        raise ValueError("features (n, p), event (n,) and weight (n,) do not agree")
    known = weights > 0
    if min(np.count_nonzero(event[known]), np.count_nonzero(~event[known])) < settings.folds:
        raise NotComputable(
            "TOO_FEW_EVENTS", f"{settings.folds} folds need as many patients with and without the event"
        )
    table = _table(features[known], features.shape[1]).assign(**{_LABEL: event[known].astype(int)})
    if weight is not None:
        table[_WEIGHT] = weights[known]
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fit-") as place, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of AutoGluon's own calls; nothing a user could act on
        predictor = _fitted(table, settings, Path(place) / "all", seed)
        layers = _layers(predictor)
        bagged = np.asarray(predictor.predict_proba_oof(layers.final, as_multiclass=False), dtype=np.float64)
        kept = Path(place) / "kept"
        predictor.clone_for_deployment(str(kept), model=layers.final)
        _describe(kept, features.shape[1], layers)
        archive = packed(kept)
    signature = unpack_signature(archive, digest_of(archive))
    whole = np.empty(len(features))
    whole[known] = bagged
    whole[~known] = signature.probability(features[~known])
    return FittedSignature(signature, whole)


def out_of_fold(
    features: Floats,
    event: npt.NDArray[np.bool_],
    settings: SignatureConfig,
    folder: Path,
    *,
    folds: int,
    weight: Floats | None = None,
    seed: int = 0,
) -> npt.NDArray[np.float64]:
    """Probabilities by whole signatures that never saw the patient in any layer, (n,).

    Features that were selected with these patients' labels make even this flatter: select within the folds.

    Args:
        folds: stratified by event; so many signatures are fitted. Otherwise as :func:`fit_signature`.

    Raises:
        NotComputable: as :func:`fit_signature`.
    """
    found = np.empty(len(features))
    splits = StratifiedKFold(folds, shuffle=True, random_state=seed).split(features, event)
    for learn, judge in splits:
        given = None if weight is None else weight[learn]
        one = fit_signature(features[learn], event[learn], settings, folder, weight=given, seed=seed)
        found[judge] = one.signature.probability(features[judge])
    return found


def open_signature(file: Path, sha256: str) -> Signature:
    """A signature from its archive; nothing of it is read before its digest is right.

    Raises:
        BundleRefused: ``BUNDLE_FILE_MISSING``, ``BUNDLE_DIGEST_MISMATCH``; ``BUNDLE_UNREADABLE``: not a signature, or
            made by other versions of the packages than are installed.
        NotComputable: ``NOT_INSTALLED``.
    """
    if not file.is_file():
        raise BundleRefused("BUNDLE_FILE_MISSING", f"{file.name} is not there")
    return unpack_signature(file.read_bytes(), sha256)


def unpack_signature(archive: bytes, sha256: str) -> Signature:
    """As :func:`open_signature`, from an archive that a bundle carried; ``sha256`` stands elsewhere in the bundle."""
    tabular = autogluon()
    with tempfile.TemporaryDirectory(prefix="signature-") as place:
        unpacked(archive, sha256, Path(place))
        features, layers = _read_description(Path(place))
        predictor = tabular.TabularPredictor.load(place, verbosity=0)
        # all into memory: models would otherwise be read from the disk, unchecked, when the first patient comes
        predictor.persist(models="all", max_memory=None)
    return Signature(archive, sha256, features, layers, predictor)


def autogluon() -> Any:
    """AutoGluon's tabular part, imported now and quiet.

    Raises:
        NotComputable: ``NOT_INSTALLED``.
    """
    try:
        tabular = importlib.import_module("autogluon.tabular")
    except ImportError as error:
        raise NotComputable("NOT_INSTALLED", "the signature needs AutoGluon: install nodal[dfr]") from error
    logging.getLogger("autogluon").setLevel(logging.ERROR)
    return tabular


def _table(features: Floats, count: int) -> pd.DataFrame:
    if features.ndim != 2 or features.shape[1] != count or not np.isfinite(features).all():
        raise ValueError(f"features are finite and (n, {count}), not {features.shape}")
    names = [f"feature_{number:02d}" for number in range(count)]
    return pd.DataFrame(np.asarray(features, dtype=np.float64), columns=names)


def _fitted(table: pd.DataFrame, settings: SignatureConfig, place: Path, seed: int) -> Any:
    tabular = autogluon()
    identity = importlib.import_module("autogluon.features.generators").IdentityFeatureGenerator
    predictor = tabular.TabularPredictor(
        label=_LABEL,
        problem_type="binary",
        eval_metric="roc_auc",
        path=str(place),
        verbosity=0,
        sample_weight=_WEIGHT if _WEIGHT in table else None,
        learner_kwargs={"random_state": seed},
        positive_class=1,
    )
    return predictor.fit(
        table,
        presets=settings.preset,
        time_limit=settings.time_limit_s,
        hyperparameters={name: dict(options) for name, options in settings.learners.items()},
        auto_stack=False,
        dynamic_stacking=False,  # it would drop the second layer where it sees no gain from it
        num_bag_folds=settings.folds,
        num_bag_sets=1,
        num_stack_levels=settings.stack_levels,
        # the final mean is of the last layer alone, so that two layers stay two
        fit_full_last_level_weighted_ensemble=False,
        feature_generator=identity(),  # the ten stay ten
        ag_args_ensemble={"fold_fitting_strategy": "sequential_local", "model_random_seed": seed},
        calibrate=False,
        calibrate_decision_threshold=False,
        fit_strategy="sequential",
        num_cpus=1,
        num_gpus=0,
    )


def _layers(predictor: Any) -> Layers:
    board = predictor.leaderboard(display=False)
    level = dict(zip(board["model"], board["stack_level"], strict=True))
    means = sorted(name for name in level if name.startswith("WeightedEnsemble"))
    if not means:
        raise NotComputable("NOT_TRAINED", "the time was too short for the stack of learners")
    final = max(means, key=lambda name: level[name])
    learned = sorted(name for name in level if name not in means)
    stacker = tuple(name for name in learned if level[name] == level[final] - 1 and level[name] > 1)
    inputs = tuple(int(predictor.model_info(name)["num_features"]) for name in stacker)
    return Layers(tuple(name for name in learned if level[name] == 1), stacker, inputs, final)


def _versions() -> dict[str, str]:
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def _describe(kept: Path, features: int, layers: Layers) -> None:
    about = {
        "features": features,
        "versions": _versions(),
        "layers": {
            "base": layers.base,
            "stacker": layers.stacker,
            "stacker_inputs": layers.stacker_inputs,
            "final": layers.final,
        },
    }
    (kept / BUNDLED).write_text(json.dumps(about, sort_keys=True), encoding="utf-8")


def _read_description(folder: Path) -> tuple[int, Layers]:
    try:
        about = json.loads((folder / BUNDLED).read_text(encoding="utf-8"))
        said = about["layers"]
        layers = Layers(tuple(said["base"]), tuple(said["stacker"]), tuple(said["stacker_inputs"]), said["final"])
        features, versions = int(about["features"]), dict(about["versions"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleRefused("BUNDLE_UNREADABLE", "the archive holds no signature") from error
    other = [name for name, found in _versions().items() if versions.get(name) != found]
    if other:
        raise BundleRefused("BUNDLE_UNREADABLE", f"the signature was made with other versions of {', '.join(other)}")
    return features, layers
