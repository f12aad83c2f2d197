"""Folds: which patients train and which validate, the same for every model of a system.

A split belongs to patients, not to rows: it depends on the seed and on the patients' ids alone. It is saved beside the
training's output, so that the segmenter and the prognosis trained after it keep to the same patients.
"""

from __future__ import annotations

import json
import os
import secrets
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import TypeAdapter
from sklearn.model_selection import LeaveOneGroupOut, StratifiedKFold

from lymphoma.errors import NotComputable
from lymphoma.training.case import Subject

__all__ = ["Endpoint", "Fold", "Folds", "leave_one_centre_out", "stratified_folds"]

Endpoint = Literal["pfs", "os"]

_STREAM = 7301
SMALL_CENTRES = "small centres"
ALL_CENTRES = "*"

_Stratum = tuple[str, str]


@dataclass(frozen=True)
class Fold:
    """One split. Both lists hold patient ids in ascending order and share none.

    Attributes:
        name: "1".."k", or the centre left out.
    """

    name: str
    train: tuple[str, ...]
    validation: tuple[str, ...]


@dataclass(frozen=True)
class Folds:
    """All folds of one split; every patient validates exactly once.

    Attributes:
        scheme: how they were made. seed: of the shuffle; None where nothing was shuffled.
        strata: name of each stratum as it was balanced, after merging -> patients in it.
    """

    scheme: Literal["stratified", "leave_one_centre_out"]
    seed: int | None
    strata: Mapping[str, int]
    folds: tuple[Fold, ...]

    @property
    def patients(self) -> tuple[str, ...]:
        """Every patient, in ascending order of id."""
        return tuple(sorted(patient for fold in self.folds for patient in fold.validation))

    def save(self, path: Path) -> None:
        """Writes JSON, whole or not at all."""
        text = json.dumps({"layout": 1, **asdict(self), "strata": dict(self.strata)}, indent=1) + "\n"
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        with part.open("x", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> Folds:
        """Reads what :meth:`save` wrote.

        Raises:
            OSError: no such file. ValueError: not folds, of a newer layout, or with a patient on both sides of a fold.
        """
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict) or values.pop("layout", None) != 1:
            raise ValueError("the file holds no folds of a layout that this version knows")
        folds = _ADAPTER.validate_python(values)
        if any(set(fold.train) & set(fold.validation) for fold in folds.folds):
            raise ValueError("a patient stands on both sides of a fold")
        return folds


_ADAPTER: TypeAdapter[Folds] = TypeAdapter(Folds)


def stratified_folds(
    subjects: Sequence[Subject],
    count: int,
    seed: int,
    *,
    endpoint: Endpoint | None = "pfs",
    with_lesions: Mapping[str, bool] | None = None,
) -> Folds:
    """``count`` folds, each with its share of events and of every centre.

    A patient's stratum is his status and his centre. The status is event or censored by ``endpoint``; where that is
    unknown or not asked for, it is whether the reference shows a lesion; else unknown. A stratum of fewer than
    ``count`` patients cannot reach every fold, so it is merged: the small strata of one status become one; if that is
    still too small it joins the largest stratum of its status, and where the status as a whole is too small, the
    largest stratum that holds no events (that of events only where there is no other). Events are never given away.

    Args:
        subjects: in any order; their order changes nothing.
        endpoint: None for segmentation alone.
        with_lesions: patient id -> whether the reference shows a lesion; a patient left out is unknown.

    Raises:
        NotComputable: FOLDS_IMPOSSIBLE, fewer patients than folds, or fewer events than folds.
        ValueError: fewer than two folds, or a patient id twice.
    """
    ordered = _ordered(subjects)
    if count < 2:
        raise ValueError("cross-validation needs at least two folds")
    if len(ordered) < count:
        raise NotComputable("FOLDS_IMPOSSIBLE", f"{len(ordered)} patients cannot make {count} folds")
    statuses = [_status(subject, endpoint, with_lesions or {}) for subject in ordered]
    events = statuses.count("event")
    if events < count and {"event", "censored"} & set(statuses):
        raise NotComputable("FOLDS_IMPOSSIBLE", f"{events} events cannot be spread over {count} folds")
    strata = _merged([(status, subject.centre) for status, subject in zip(statuses, ordered, strict=True)], count)
    splitter = StratifiedKFold(count, shuffle=True, random_state=_state(seed))
    ids = np.array([subject.patient_id for subject in ordered])
    splits = splitter.split(ids, strata)
    folds = tuple(_fold(str(n), ids[train], ids[held]) for n, (train, held) in enumerate(splits, start=1))
    return Folds("stratified", seed, dict(sorted(Counter(strata).items())), folds)


def leave_one_centre_out(subjects: Sequence[Subject], *, least: int = 10) -> Folds:
    """A fold for each centre, which validates what all others trained.

    Centres of fewer than ``least`` patients are held out together, as one; an unnamed centre counts as one.

    Raises:
        NotComputable: FOLDS_IMPOSSIBLE, fewer than two centres remain. ValueError: a patient id twice.
    """
    ordered = _ordered(subjects)
    sizes = Counter(subject.centre for subject in ordered)
    centres = [s.centre or "unnamed" if sizes[s.centre] >= least else SMALL_CENTRES for s in ordered]
    if len(set(centres)) < 2:
        raise NotComputable("FOLDS_IMPOSSIBLE", f"no two centres of {least} patients or more to hold out in turn")
    ids = np.array([subject.patient_id for subject in ordered])
    splits = LeaveOneGroupOut().split(ids, groups=centres)
    folds = tuple(_fold(centres[held[0]], ids[train], ids[held]) for train, held in splits)
    return Folds("leave_one_centre_out", None, dict(sorted(Counter(centres).items())), folds)


def _ordered(subjects: Iterable[Subject]) -> list[Subject]:
    ordered = sorted(subjects, key=lambda subject: subject.patient_id)
    if len({subject.patient_id for subject in ordered}) != len(ordered):
        raise ValueError("a patient id occurs more than once")
    return ordered


def _state(seed: int) -> int:
    return int(np.random.default_rng([seed, _STREAM]).integers(2**32))


def _fold(name: str, train: Iterable[str], held: Iterable[str]) -> Fold:
    return Fold(name, tuple(map(str, train)), tuple(map(str, held)))


def _status(subject: Subject, endpoint: Endpoint | None, with_lesions: Mapping[str, bool]) -> str:
    outcome = {"pfs": subject.pfs, "os": subject.os, None: None}[endpoint]
    if outcome is not None:
        return "event" if outcome.event else "censored"
    lesions = with_lesions.get(subject.patient_id)
    return "unknown" if lesions is None else "lesions" if lesions else "no lesions"


def _merged(strata: Sequence[_Stratum], least: int) -> list[str]:
    """Names of the strata, merged until each has ``least`` members (as :func:`stratified_folds` says)."""
    sizes = Counter(strata)
    kept = [(status, centre if sizes[status, centre] >= least else ALL_CENTRES) for status, centre in strata]
    for rare in sorted(key for key, size in Counter(kept).items() if size < least):
        others = Counter(key for key in kept if key != rare)
        homes = [[key for key in others if key[0] == rare[0]], [key for key in others if key[0] != "event"], [*others]]
        home = next((sorted(keys, key=lambda key: (-others[key], key))[0] for keys in homes if keys), rare)
        kept = [home if key == rare else key for key in kept]
    return [status if centre == ALL_CENTRES else f"{status}, {centre or 'unnamed'}" for status, centre in kept]
