"""Protocols: who trains and who is tested.

cross_validation    k folds, balanced by event and centre, repeated with other folds where asked
split               one random division, 7:3 as two of the papers have it, balanced by event
centres             every centre in turn is tested by what the others trained
centre              one named centre is tested by what the others trained
given               folds that were made before, as those of a bundle's own training
as_is               folds as in cross-validation for what must be fitted; bundles are judged untouched
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from sklearn.model_selection import train_test_split

from lymphoma.errors import NotComputable
from lymphoma.evaluation.patients import Patients
from lymphoma.evaluation.result import FoldSize, ProtocolUsed
from lymphoma.prognosis.model import Endpoint
from lymphoma.survival.follow_up import FollowUp, Ints
from lymphoma.training.case import Subject
from lymphoma.training.folds import Folds, leave_one_centre_out, stratified_folds

__all__ = ["Kind", "Protocol", "Split", "described", "make_splits"]

Kind = Literal["cross_validation", "split", "centres", "centre", "given", "as_is"]
TEST_SHARE = 0.3
"""Of the random division."""


@dataclass(frozen=True)
class Protocol:
    """What is asked for.

    Attributes:
        folds: of cross-validation. repeats: of cross-validation and of the split, each with a seed of its own.
        centre_aware: whether folds balance centres as well as events.
        centre: the one tested by "centre". given: folds by patient id.
    """

    kind: Kind = "cross_validation"
    folds: int = 5
    repeats: int = 1
    centre_aware: bool = True
    centre: str | None = None
    given: Folds | None = None

    def __post_init__(self) -> None:
        if self.repeats < 1 or (self.repeats > 1 and self.kind not in ("cross_validation", "split")):
            raise ValueError("only cross-validation and the split are repeated")
        if (self.kind == "centre") != (self.centre is not None) or (self.kind == "given") != (self.given is not None):
            raise ValueError('"centre" needs the name of a centre, "given" needs folds')

    @property
    def label(self) -> str:
        """For readers."""
        words = {
            "cross_validation": f"{self.folds}-fold cross-validation",
            "split": "random 7:3 split",
            "centres": "every centre tested by the others",
            "centre": f"centre {self.centre} tested by the others",
            "given": "the folds of the training",
            "as_is": f"bundles as they are; baselines fitted in {self.folds} folds",
        }[self.kind]
        return words if self.repeats == 1 else f"{words}, {self.repeats} times"


@dataclass(frozen=True, eq=False)
class Split:
    """One fold: positions of those who train and those who are tested, ascending and disjoint."""

    name: str
    train: Ints
    test: Ints


def make_splits(
    protocol: Protocol, patients: Patients, endpoint: Endpoint, index: Ints, seed: int
) -> tuple[tuple[Split, ...], ...]:
    """Folds per repeat; positions count within ``index``, patients of known outcome.

    Raises:
        NotComputable: ``FOLDS_IMPOSSIBLE`` where patients, events or centres do not suffice, or given folds lack
            patients.
    """
    if protocol.kind == "split":
        event = patients.follow_up(endpoint, index).event
        return tuple((_random(event, seed + repeat),) for repeat in range(protocol.repeats))
    if protocol.kind == "centre":
        return ((_one_centre(patients, index, protocol.centre),),)
    if protocol.kind == "given" and protocol.given is not None:
        return (_positions(protocol.given, patients, index),)
    subjects = _subjects(patients, index, protocol.centre_aware or protocol.kind == "centres")
    if protocol.kind == "centres":
        return (_positions(leave_one_centre_out(subjects), patients, index),)
    made = (
        stratified_folds(subjects, protocol.folds, seed + repeat, endpoint=endpoint)
        for repeat in range(protocol.repeats)
    )
    return tuple(_positions(folds, patients, index) for folds in made)


def described(protocol: Protocol, splits: tuple[Split, ...], follow_up: FollowUp, seed: int) -> ProtocolUsed:
    """The protocol as a result keeps it."""
    sizes = tuple(
        FoldSize(
            one.name,
            one.train.size,
            int(follow_up.event[one.train].sum()),
            one.test.size,
            int(follow_up.event[one.test].sum()),
        )
        for one in splits
    )
    return ProtocolUsed(protocol.kind, protocol.label, protocol.repeats, seed, sizes)


def _subjects(patients: Patients, index: Ints, with_centres: bool) -> list[Subject]:
    pfs = patients.outcomes.get("pfs", (None,) * len(patients))
    os = patients.outcomes.get("os", (None,) * len(patients))
    return [
        Subject(
            patients.ids[i],
            patients.centres[i] if with_centres else "",
            patients.clinical[i],
            pfs[i],
            os[i],
            patients.contents[i],
        )
        for i in index
    ]


def _positions(folds: Folds, patients: Patients, index: Ints) -> tuple[Split, ...]:
    at = {patients.ids[i]: position for position, i in enumerate(index)}
    if missing := at.keys() - set(folds.patients):
        raise NotComputable("FOLDS_IMPOSSIBLE", f"the folds do not hold {len(missing)} of the patients")

    def found(ids: tuple[str, ...]) -> Ints:
        return np.array(sorted(at[one] for one in ids if one in at), dtype=np.int64)

    return tuple(Split(fold.name, found(fold.train), found(fold.validation)) for fold in folds.folds)


def _random(event: np.ndarray[tuple[int], np.dtype[np.bool_]], seed: int) -> Split:
    try:
        train, test = train_test_split(
            np.arange(event.size), test_size=TEST_SHARE, random_state=seed % 2**32, stratify=event
        )
    except ValueError as error:
        raise NotComputable("FOLDS_IMPOSSIBLE", "too few patients or events for a random split") from error
    return Split("test", np.sort(train).astype(np.int64), np.sort(test).astype(np.int64))


def _one_centre(patients: Patients, index: Ints, centre: str | None) -> Split:
    here = np.array([patients.centres[i] == centre for i in index])
    if here.all() or not here.any():
        raise NotComputable("FOLDS_IMPOSSIBLE", "the named centre and at least one other are needed")
    return Split(str(centre), np.flatnonzero(~here), np.flatnonzero(here))
