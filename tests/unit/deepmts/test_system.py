"""The node's door: a bundle and a study in, scores, range features and the predicted mask out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from lymphoma.deepmts.config import network_of
from lymphoma.deepmts.ensemble import SETUP_WORD, Setup, ensemble_of, setup_of
from lymphoma.deepmts.field import BodyField
from lymphoma.deepmts.inputs import inputs_of
from lymphoma.deepmts.judging import Scale
from lymphoma.deepmts.mask import predicted_mask
from lymphoma.deepmts.network import Shape
from lymphoma.deepmts.range import RANGE_NAMES
from lymphoma.deepmts.system import SYSTEM, DeepMtsSystem
from lymphoma.errors import BundleRefused, NotComputable
from lymphoma.imaging.volume import Volume
from lymphoma.prognosis.system import StudyArrays, installed_systems
from lymphoma.training.bundle import Bundle
from scipy import ndimage

from tests.unit.deepmts.test_inputs import study

pytestmark = pytest.mark.unit

FIELD = BodyField((48, 32, 32), 20.0)


class Held:
    """A bundle as the system reads one."""

    def __init__(self, setup: Setup) -> None:
        torch.manual_seed(2)
        self.words = {SETUP_WORD: setup.to_json()}
        self._weights = {
            name: network_of(setup.arm, setup.shape).state_dict() for one in setup.networks.values() for name in one
        }

    def further(self, word: str) -> str | None:
        return self.words.get(word)

    def weights(self, network: str) -> Mapping[str, torch.Tensor]:
        return self._weights[network]


@cache
def bundle(arm: str = "multi_task", clinic: int = 0) -> Bundle:
    scale = Scale(0.1, 0.5)
    networks = {"pfs": {"pfs_1": scale}, "os": {"os_1": scale}}
    return Held(Setup(arm, Shape(clinic=clinic), FIELD, networks))  # type: ignore[arg-type, return-value]


def test_a_study_is_scored() -> None:
    assert installed_systems()["deepmts"] is SYSTEM
    scored = SYSTEM.score(bundle(), study())
    assert set(scored.scores) == {"deepmts_pfs", "deepmts_os"}
    assert all(np.isfinite(one) for one in scored.scores.values())
    assert len(scored.features) == len(RANGE_NAMES)
    assert SYSTEM.score(bundle(), study()).scores == scored.scores


def test_a_score_is_the_mean_of_standard_risks() -> None:
    held = bundle()
    setup, arrays = setup_of(held), inputs_of(study(), FIELD)
    first, second = (ensemble_of(held, setup, one) for one in ("pfs", "os"))
    networks = replace(first, networks=first.networks + second.networks, scales=2 * first.scales)
    alone = [replace(networks, networks=(one,), scales=(Scale(0.0, 1.0),)).risk(arrays) for one in networks.networks]
    assert networks.risk(arrays) == pytest.approx((np.mean(alone) - 0.1) / 0.5)


def test_the_mask_control_hears_of_lesions_alone() -> None:
    held, given = bundle("mask_only"), study()
    other = replace(given, suv=given.suv.with_array(given.suv.array * 2))
    fewer = replace(given, accepted=(int(given.lesion_map.array.max()),))
    first = SYSTEM.score(held, given).scores
    assert SYSTEM.score(held, other).scores == first
    assert SYSTEM.score(held, fewer).scores != first


def test_a_stage_that_is_read_must_be_known() -> None:
    given = study()
    unknown = replace(given, clinical=replace(given.clinical, stage=None))
    assert SYSTEM.score(bundle(), unknown).scores == SYSTEM.score(bundle(), given).scores
    with pytest.raises(NotComputable, match="NO_CLINICAL_RECORD"):
        SYSTEM.score(bundle(clinic=1), unknown)


def test_further_scores_are_asked_with_the_predicted_mask() -> None:
    asked: list[int] = []

    def further(held: Bundle, given: StudyArrays, mask: Callable[[], Volume]) -> Mapping[str, float]:
        assert held is bundle()
        assert mask() is mask(), "the networks run once"
        asked.append(int(mask().array.sum()))
        return {"auto_radio_pfs": 0.25}

    scored = DeepMtsSystem(further=further).score(bundle(), study())
    assert scored.scores["auto_radio_pfs"] == 0.25
    assert set(scored.scores) == {"auto_radio_pfs", "deepmts_pfs", "deepmts_os"}
    assert asked == [int(predicted_mask(bundle(), setup_of(bundle()), study()).array.sum())]


def test_the_predicted_mask_comes_back_to_where_it_was_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    given = study()

    def as_drawn(self: object, seen: Mapping[str, np.ndarray]) -> np.ndarray:
        return seen["mask"].astype(np.float32) / 255.0

    monkeypatch.setattr("lymphoma.deepmts.ensemble.Ensemble.lesion", as_drawn)
    mask = predicted_mask(bundle(), setup_of(bundle()), given)
    assert mask.same_grid(given.suv)
    assert mask.array.any()
    spacing = given.suv.spacing_mm[::-1]
    away_mm = ndimage.distance_transform_edt(given.lesion_map.array == 0, sampling=spacing)[mask.array]
    assert away_mm.max() < 20.0, "nowhere a voxel of the field away from a lesion"
    assert (away_mm == 0.0).mean() > 0.6
    monkeypatch.undo()
    with pytest.raises(NotComputable, match="NOT_TRAINED"):
        predicted_mask(bundle("single_task"), setup_of(bundle("single_task")), given)


def test_a_bundle_that_does_not_say_how_it_is_made_is_refused() -> None:
    setup = setup_of(bundle())
    wordless, newer = Held(replace(setup, networks={})), Held(replace(setup, networks={}, layout=2))
    wordless.words[SETUP_WORD] = "{}"
    with pytest.raises(BundleRefused, match="BUNDLE_UNREADABLE"):
        setup_of(wordless)  # type: ignore[arg-type]
    with pytest.raises(BundleRefused, match="BUNDLE_NEWER_LAYOUT"):
        setup_of(newer)  # type: ignore[arg-type]
