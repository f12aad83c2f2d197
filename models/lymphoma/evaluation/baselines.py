"""The models of an evaluation in their fixed order: null, single measures, published indices, refitted models, then
each system alone and beside the IMPI.

A published index or a single measure ranks patients as it is; its survival is that of a Cox model on it, fitted in the
training fold. A field that a patient lacks is never imputed: the model cannot be computed for that patient.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lymphoma.errors import NotComputable
from lymphoma.evaluation.patients import Patients, Scores
from lymphoma.evaluation.result import ModelKind
from lymphoma.prognosis.measures import Prospect
from lymphoma.prognosis.model import Endpoint
from lymphoma.survival.follow_up import Floats, FollowUp, Ints
from lymphoma.survival.indices import impi_linear_predictor, ipi, nccn_ipi
from lymphoma.survival.splines import quantile_knots, restricted_cubic

__all__ = ["IMPI_REFITTED", "NULL", "Candidate", "baselines", "candidates", "impi_columns", "systems"]

NULL, IMPI_REFITTED = "null", "impi_refitted"
SPLINE_KNOTS = 3
"""Knots of the refitted IMPI's volume: its hazard rises steeply, then hardly; three knots show one such bend."""

Read = Callable[[Prospect], float | None]
Design = Callable[[Floats, Ints, FollowUp], Floats]


@dataclass(frozen=True, eq=False)
class Candidate:
    """A model before any fit.

    Attributes:
        needs: what it reads, for readers.
        values: (n, q) what it reads of each patient; NaN is not known.
        design: columns (n, p) of its Cox model from ``values``, the training rows and their follow-up.
        scores: a system's own word; None for a baseline.
    """

    key: str
    label: str
    kind: ModelKind
    needs: tuple[str, ...]
    values: Floats
    design: Design
    scores: Scores | None = None

    @property
    def known(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """(n,) whether everything it needs is known of a patient."""
        return np.asarray(np.isfinite(self.values).all(axis=1), dtype=np.bool_)

    @property
    def ranks_as_it_is(self) -> bool:
        """Whether its score is a given number (the first of ``values``), not a fitted one."""
        return self.kind in ("measure", "published", "system")

    def take(self, index: Ints) -> Candidate:
        """The same of the patients at ``index``."""
        return Candidate(self.key, self.label, self.kind, self.needs, self.values[index], self.design, self._own(index))

    def _own(self, index: Ints) -> Scores | None:
        return None if self.scores is None else self.scores.take(index)


def candidates(patients: Patients, endpoint: Endpoint) -> tuple[Candidate, ...]:
    """All models of a cohort in table order, each with a row per patient.

    Raises:
        NotComputable: ``SCORES_NOT_OUT_OF_FOLD`` where a bundle judged patients that it was trained on.
    """
    return (*baselines(patients), *systems(patients, endpoint))


def baselines(patients: Patients) -> tuple[Candidate, ...]:
    """Null, age, IPI, NCCN-IPI, log TMTV, IMPI as published, IMPI refitted, Cox of measures (evidence in the docs)."""
    return (
        Candidate(NULL, "Null", "null", (), np.zeros((len(patients), 0)), _as_it_is),
        _single(patients, "age", "Age", "measure", ("age",), lambda one: one.clinical.age_years),
        _single(patients, "ipi", "IPI", "published", _FIVE, lambda one: ipi(one.clinical).points),
        _single(patients, "nccn_ipi", "NCCN-IPI", "published", _FIVE, lambda one: nccn_ipi(one.clinical).points),
        _single(patients, "log_tmtv", "log TMTV", "measure", ("TMTV",), _log_tmtv),
        _single(patients, "impi", "IMPI as published", "published", _IMPI, _impi),
        Candidate(
            IMPI_REFITTED, "IMPI refitted", "fitted", _IMPI, _columns(patients, _tmtv, _age, _stage), _impi_design
        ),
        Candidate(
            "cox_pet",
            "Cox (TMTV, Dmax bulk, SUVpeak, age, ECOG)",
            "fitted",
            ("TMTV", "Dmax bulk", "SUVpeak", "age", "ECOG"),
            _columns(patients, _log_tmtv, _dmax_bulk_cm, _suv_peak, _age, _ecog),
            _as_it_is,
        ),
    )


def systems(patients: Patients, endpoint: Endpoint) -> tuple[Candidate, ...]:
    """Each bundle alone, then each beside the covariates of the IMPI.

    Raises:
        NotComputable: ``SCORES_NOT_OUT_OF_FOLD``.
    """
    said = [scores for (_, of), scores in patients.scores.items() if of == endpoint]
    for scores in said:
        if not scores.out_of_fold:
            raise NotComputable(
                "SCORES_NOT_OUT_OF_FOLD",
                f"{scores.name} was trained on patients of this cohort and has no out-of-fold scores of them",
            )
    clinical = _columns(patients, _tmtv, _age, _stage)
    alone = [
        Candidate(s.name, s.name, "system", (s.name,), s.linear_predictor[:, None].astype(np.float64), _as_it_is, s)
        for s in said
    ]
    beside = [
        Candidate(
            f"{s.name}+impi",
            f"{s.name} + IMPI",
            "system_and_impi",
            (s.name, *_IMPI),
            np.column_stack([s.linear_predictor, clinical]).astype(np.float64),
            _impi_and_score_design,
        )
        for s in said
    ]
    return (*alone, *beside)


def impi_columns(values: Floats, train: Ints, follow_up: FollowUp) -> Floats:
    """Columns of the refitted IMPI from (TMTV, age, stage): volume as a spline with the training fold's knots, age,
    and a column per stage beyond I. A stage without an event in the training fold joins stage I."""
    return _impi_design(values, train, follow_up)


_FIVE = ("age", "LDH", "ECOG", "stage", "extranodal sites")
_IMPI = ("TMTV", "age", "stage")


def _single(patients: Patients, key: str, label: str, kind: ModelKind, needs: tuple[str, ...], read: Read) -> Candidate:
    return Candidate(key, label, kind, needs, _columns(patients, read), _as_it_is)


def _columns(patients: Patients, *reads: Read) -> Floats:
    prospects = [patients.prospect(index) for index in range(len(patients))]
    return np.array([[_number(read(one)) for read in reads] for one in prospects], dtype=np.float64).reshape(
        len(patients), len(reads)
    )


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)


def _as_it_is(values: Floats, train: Ints, follow_up: FollowUp) -> Floats:
    return values


def _impi_design(values: Floats, train: Ints, follow_up: FollowUp) -> Floats:
    volume, age, stage = values.T
    spline = restricted_cubic(volume, quantile_knots(volume[train], SPLINE_KNOTS))
    # A level without an event has no finite coefficient.
    levels = [level for level in (2, 3, 4) if follow_up.event[stage[train] == level].any()]
    if len(levels) == 3 and not follow_up.event[stage[train] == 1].any():
        levels = levels[1:]
    return np.column_stack([spline, age, *(stage == level for level in levels)]).astype(np.float64)


def _impi_and_score_design(values: Floats, train: Ints, follow_up: FollowUp) -> Floats:
    return np.column_stack([_impi_design(values[:, 1:], train, follow_up), values[:, 0]])


def _age(one: Prospect) -> float | None:
    return one.clinical.age_years


def _stage(one: Prospect) -> float | None:
    return one.clinical.stage


def _ecog(one: Prospect) -> float | None:
    return one.clinical.ecog


def _tmtv(one: Prospect) -> float | None:
    return one.pet.tmtv_ml


def _log_tmtv(one: Prospect) -> float | None:
    # 1 mL is added for patients without a measurable lesion; it changes no rank.
    return None if one.pet.tmtv_ml is None else float(np.log1p(one.pet.tmtv_ml))


def _dmax_bulk_cm(one: Prospect) -> float | None:
    return None if one.pet.dmax_bulk_mm is None else one.pet.dmax_bulk_mm / 10


def _suv_peak(one: Prospect) -> float | None:
    return one.pet.suv_peak


def _impi(one: Prospect) -> float | None:
    volume, age, stage = one.pet.tmtv_ml, one.clinical.age_years, one.clinical.stage
    return None if volume is None or age is None or stage is None else impi_linear_predictor(volume, age, stage)
