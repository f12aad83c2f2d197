"""The anatomy engine of the settings, and what is said where there is none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from lymphoma.anatomy.classes import shipped_classes
from lymphoma.anatomy.network import AnatomyShape, NetworkAnatomy, build_network
from lymphoma.anatomy.totalsegmentator import TotalSegmentator
from lymphoma.training.bundle import Bundle, export_bundle, load_bundle
from lymphoma.training.config import TrainConfig
from lymphoma.training.evidence import Evidence
from lymphoma.training.metadata import Description
from lymphoma.training.statistics import RangeStatistics
from lymphoma.training.weights import Tensors
from nodal.doctor import examine_node
from nodal.errors import Code
from nodal.jobs.engines import open_anatomy_engine
from nodal.prognosis.shelf import RefusedBundle, Shelf
from nodal.settings import AnatomySettings, Settings

pytestmark = pytest.mark.unit

EMPTY = Shelf({}, {}, {})
NO_STATISTICS = RangeStatistics(("none",), 20, (0.0,), (1.0,), ((1.0,),), 1.0, (0.0,), (1.0,))


def settings(engine: str, **engines: object) -> Settings:
    return Settings(anatomy={"engine": engine}, engines=engines)


def bundle(folder: Path, tensors: Tensors) -> Bundle:
    said = Description(
        name="organs", system="anatomy", version="1.0.0", task="organs", description="", authors="", copyright="",
        changelog={}, trained_on="virtual", cohort="few", cohort_digest="0", folds=1, folds_digest=None,
        generator="A", inputs={}, outputs={},
    )  # fmt: skip
    export_bundle(
        folder, said, {"anatomy": tensors}, TrainConfig(steps=1), NO_STATISTICS, Evidence("E0", "few", 3, None, True)
    )
    return load_bundle(folder, ("anatomy",))


def network(seed: int) -> Mapping[str, torch.Tensor]:
    torch.manual_seed(seed)
    return build_network(AnatomyShape(), len(shipped_classes())).state_dict()


def test_the_network_is_asked_for_by_default_and_missed_where_it_is_not_there() -> None:
    opened = open_anatomy_engine(Settings(), EMPTY)
    assert AnatomySettings().engine == "network"
    assert opened.engine.name == "none"
    assert opened.flag is not None
    assert opened.flag.code == "NO_BUNDLE"
    assert "physiological uptake" in opened.flag.message


def test_none_is_a_choice_without_a_flag() -> None:
    opened = open_anatomy_engine(settings("none"), EMPTY)
    assert (opened.engine.name, opened.flag) == ("none", None)


def test_the_network_of_the_shelf(tmp_path: Path) -> None:
    one = open_anatomy_engine(Settings(), Shelf({}, {"anatomy": bundle(tmp_path / "one", network(1))}, {}))
    assert isinstance(one.engine, NetworkAnatomy)
    assert one.flag is None
    other = open_anatomy_engine(Settings(), Shelf({}, {"anatomy": bundle(tmp_path / "two", network(2))}, {}))
    assert one.content != other.content


def test_a_bundle_that_may_not_be_used_is_said() -> None:
    shelf = Shelf({}, {}, {"anatomy": RefusedBundle("mine", Code.BUNDLE_DIGEST_MISMATCH, "a file was changed")})
    opened = open_anatomy_engine(Settings(), shelf)
    assert opened.engine.name == "none"
    assert opened.flag is not None
    assert opened.flag.code == "BUNDLE_DIGEST_MISMATCH"


def test_a_bundle_of_another_network_is_said(tmp_path: Path) -> None:
    shelf = Shelf({}, {"anatomy": bundle(tmp_path / "one", {"strange": torch.zeros(3)})}, {})
    opened = open_anatomy_engine(Settings(), shelf)
    assert opened.engine.name == "none"
    assert opened.flag is not None
    assert opened.flag.code == "BUNDLE_UNREADABLE"


def test_totalsegmentator_as_it_is_set() -> None:
    asked = {"command": ["ts", "--device", "cpu"], "time_limit_s": 90, "memory_gb": 8, "fast": False}
    opened = open_anatomy_engine(settings("totalsegmentator", totalsegmentator=asked), EMPTY)
    assert opened.engine == TotalSegmentator(("ts", "--device", "cpu"), 90.0, 8.0, fast=False)
    slower = open_anatomy_engine(settings("totalsegmentator", totalsegmentator={**asked, "time_limit_s": 99}), EMPTY)
    finer = open_anatomy_engine(settings("totalsegmentator", totalsegmentator={**asked, "fast": True}), EMPTY)
    assert opened.content == slower.content
    assert opened.content != finer.content


@pytest.mark.parametrize(
    ("asked", "state", "said"),
    [
        (settings("none"), "note", "none"),
        (settings("totalsegmentator", totalsegmentator={"command": ["no_such_program"]}), "wrong", "no_such_program"),
        (settings("totalsegmentator", totalsegmentator={"command": ["sh"]}), "good", "/sh"),
    ],
)
def test_the_doctor_looks_at_the_engine(asked: Settings, state: str, said: str, tmp_path: Path) -> None:
    own = asked.model_copy(update={"state_dir": tmp_path, "listener": None})
    found = next(check for check in examine_node(own) if check.subject == "anatomy")
    assert found.state == state
    assert said in found.said
