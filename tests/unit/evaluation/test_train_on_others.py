"""The command that trains a system's networks on some virtual patients and judges them on others."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from lymphoma.evaluation import train_on_others
from lymphoma.evaluation.true_inputs import make_true_inputs
from lymphoma.prognosis.patient_folder import Arrays
from lymphoma.prognosis.system import StudyArrays

pytestmark = pytest.mark.unit


@dataclass
class Learner:
    """Keeps what it is asked; its inputs are one number."""

    name: str = "deepmts"
    way: str = "for a test"
    asked: list[Any] = field(default_factory=list)

    def inputs(self, study: StudyArrays) -> Arrays:
        return {"hottest": np.array([study.suv.array.max()], dtype=np.float32)}

    def learn(self, cohort: Any, out: Path, asked: Any, progress: Any = None, *, others: Any = None) -> Any:
        self.asked.append((cohort, out, asked, others))
        return SimpleNamespace(fits=(), bundle=SimpleNamespace(digest="0"), trained=True, left_out={})


def test_networks_learn_on_the_others_with_outcomes_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = Learner()
    monkeypatch.setattr(train_on_others, "installed_learners", lambda: {"deepmts": learner})
    make_true_inputs(learner, tmp_path / "learn", range(9_300_002, 9_300_005), edge_mm=16.0)
    make_true_inputs(learner, tmp_path / "judge", range(9_300_012, 9_300_014), edge_mm=16.0)
    given = ["deepmts", "--learn", str(tmp_path / "learn"), "--judge", str(tmp_path / "judge")]
    assert train_on_others.main([*given, "--out", str(tmp_path / "bundle"), "--kept", str(tmp_path / "runs")]) == 0
    ((cohort, out, asked, others),) = learner.asked
    assert (out, asked.kept, asked.config) == (tmp_path / "bundle", tmp_path / "runs", None)
    assert not set(cohort.patients.contents) & set(others.patients.contents)
    assert len(others) == 3
    assert all(one is not None for one in others.patients.outcomes["pfs"])
    assert all(one is None for one in cohort.patients.outcomes["pfs"]), "those of the node's way are kept as they are"
    (said,) = asked.limits
    assert said.startswith(f"The networks learned on 3 virtual patients with true lesions; {len(cohort)} others")
