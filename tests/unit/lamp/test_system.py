"""LAMP on a study: the accepted lesions, attention and organs beside each, and every reason not to judge."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import pytest
from lymphoma.anatomy.organs import Anatomy
from lymphoma.errors import NotComputable
from lymphoma.imaging.volume import Volume
from lymphoma.lamp.config import HeadsConfig
from lymphoma.lamp.export import export_lamp
from lymphoma.lamp.fit import fit_lamp
from lymphoma.lamp.system import SYSTEM, LampSystem
from lymphoma.prognosis.pooled import PooledFeatures
from lymphoma.prognosis.system import StudyArrays, installed_systems
from lymphoma.training.bundle import Bundle, load_bundle
from lymphoma.training.statistics import in_range
from nodal.prognosis.systems import judge

from tests.unit.lamp.cohorts import NETWORK, ORGANS, cohort, patient, renamed

pytestmark = pytest.mark.unit

GRID = Volume(np.zeros((2, 2, 2), dtype=np.float32), np.eye(4))
PATIENT = patient(3, lesions=4)


@dataclass
class Pooler:
    pooled: PooledFeatures

    @property
    def network(self) -> str:
        return self.pooled.network

    def pool(self, lesion_map: Volume) -> PooledFeatures:
        return self.pooled


@cache
def bundle() -> Bundle:
    config = HeadsConfig(arm="paper", folds=2, seeds=1, inner_folds=2, steps=40, resamples=20)
    whole = cohort(100)
    folder = Path(mkdtemp()) / "lamp"
    fit = fit_lamp(whole, config)
    export_lamp(folder, replace(fit, trained=True), whole, name="lamp made up")
    return load_bundle(folder, ("lamp",))


def study(pooled: PooledFeatures | None = PATIENT.pooled, accepted: tuple[int, ...] | None = None) -> StudyArrays:
    pooler = None if pooled is None else Pooler(pooled)
    return StudyArrays(GRID, GRID, GRID, Anatomy("none"), PATIENT.clinical, PATIENT.pet, pooler, accepted)


def test_the_room_is_found() -> None:
    assert installed_systems()["lamp"] is SYSTEM
    assert (SYSTEM.name, SYSTEM.needs_lesions, SYSTEM.needs_whole_body) == ("lamp", True, True)


def test_a_study_has_a_risk_an_attention_and_organs() -> None:
    scored = LampSystem().score(bundle(), study())
    assert set(scored.scores) == {f"lamp_{one}" for one in bundle_endpoints()}
    assert list(scored.attention) == [1, 2, 3, 4]
    assert sum(scored.attention.values()) == pytest.approx(1.0)
    for number, organs in scored.context.items():
        weights = [weight for _, weight in organs]
        assert number in scored.attention
        assert len(organs) == 3
        assert weights == sorted(weights, reverse=True)
        assert {name for name, _ in organs} <= set(ORGANS)
    assert in_range(np.array(scored.features), bundle().statistics).range != "outside"


def bundle_endpoints() -> list[str]:
    return [one for one in ("pfs", "os") if bundle().survival(one) is not None]  # type: ignore[arg-type]


def test_lesions_to_be_confirmed_do_not_count() -> None:
    whole = LampSystem().score(bundle(), study(accepted=(1, 3)))
    only = replace(PATIENT.pooled, lesions=PATIENT.pooled.lesions[[0, 2]])
    alone = LampSystem().score(bundle(), study(only))
    assert whole.scores == alone.scores
    assert list(whole.attention) == [1, 3]
    assert [whole.attention[1], whole.attention[3]] == [alone.attention[1], alone.attention[2]]
    with pytest.raises(NotComputable, match="NO_AVID_LESION"):
        LampSystem().score(bundle(), study(accepted=()))


def test_another_network_or_other_organs_are_refused() -> None:
    with pytest.raises(NotComputable, match="NOT_INSTALLED"):
        LampSystem().score(bundle(), study(None))
    with pytest.raises(NotComputable, match="BUNDLE_MISMATCH"):
        LampSystem().score(bundle(), study(renamed(PATIENT.pooled, "b" * 64)))
    others = replace(PATIENT.pooled, organ_names=(*ORGANS[:-1], "lung"))
    with pytest.raises(NotComputable, match="BUNDLE_MISMATCH"):
        LampSystem().score(bundle(), study(others))
    assert PATIENT.pooled.network == NETWORK


def test_a_scan_unlike_all_others_is_out_of_range() -> None:
    strange = replace(PATIENT.pooled, organs=PATIENT.pooled.organs * 8 + 20)
    features = LampSystem().score(bundle(), study(strange)).features
    verdict = in_range(np.array(features), bundle().statistics)
    assert verdict.range == "outside"
    assert any(name.startswith("organ") for name in verdict.features)


def test_the_node_carries_attention_and_organs_and_says_why_not() -> None:
    judged = judge(SYSTEM, bundle(), study())
    assert judged.finding.status == "computed"
    assert set(judged.context) == set(judged.attention) == {1, 2, 3, 4}
    refused = judge(SYSTEM, bundle(), study(renamed(PATIENT.pooled, "b" * 64)))
    assert (refused.finding.status, refused.finding.code) == ("not_computed", "BUNDLE_MISMATCH")
