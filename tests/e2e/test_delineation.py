"""The segment stage with a lesion network: judged candidates, a person's word, a corrected contour, a strange scan."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lymphoma.anatomy import GivenAnatomy
from lymphoma.imaging import Volume
from lymphoma.prognosis.pooled import PooledFeatures
from lymphoma.segmentation.whole_body import LesionNetwork, Pooling
from nodal.audit import Trail
from nodal.findings import Findings, from_json
from nodal.jobs.delineate import CROP, POOLED, pooler_of, tools_of
from nodal.jobs.images import lesion_map_of
from nodal.jobs.model import JobRequest, Stage, StudySource
from nodal.jobs.results import ResultStore
from nodal.jobs.stages import StageContext, examine, run_stage
from nodal.jobs.words import Word, write_words
from nodal.jobs.workspace import Workspace
from nodal.prognosis.shelf import open_shelf
from nodal.settings import Settings

from tests.lesion_bundle import any_scan, lesion_bundle
from tests.virtual import small_virtual_study

pytestmark = pytest.mark.e2e

UP_TO_FINDINGS = (Stage.SELECT, Stage.LOAD, Stage.SEGMENT, Stage.ANATOMY, Stage.PROGNOSIS)


class Node:
    """Jobs on one virtual study with its own organs, up to their findings."""

    def __init__(self, folder: Path, bundle: Path) -> None:
        study = small_virtual_study(folder / "study", seed=3, lesions=4)
        truth = study.dicom.parent / "truth"
        names = {int(k): v for k, v in _json(truth / "organs.json").items()}
        self.anatomy = GivenAnatomy(Volume.load(next(truth.glob("organs.n*"))), names)
        self.lesions = next(truth.glob("lesions.n*"))
        self.study, self.folder = study.dicom, folder
        self.settings = Settings(
            state_dir=folder / "state",
            bundles={"lesions": bundle},
            segmentation={"method": "suv4_reviewed"},  # type: ignore[arg-type]
        )
        self.jobs = 0

    @property
    def context(self) -> StageContext:
        store, trail = ResultStore(self.folder / "results"), Trail(self.folder / "audit")
        return StageContext(self.settings, trail, store, self.anatomy, "cpu")

    def job(
        self, after: Workspace | None = None, words: tuple[Word, ...] = (), reference: Path | None = None
    ) -> Workspace:
        """A new job; ``after`` gives it what came before the segment stage."""
        self.jobs += 1
        workspace = Workspace(self.folder / "jobs" / f"job-{self.jobs}")
        workspace.root.mkdir(parents=True)
        if after is None:
            workspace.source.symlink_to(self.study, target_is_directory=True)
            examined = examine(workspace.source, self.context)
            uid = examined.selection.study_instance_uid
            request = JobRequest(
                workspace.root.name, examined.digest, 0, "intake", uid, StudySource("folder", self.study)
            )
            stages = UP_TO_FINDINGS
        else:
            kept = ("selection.json", "loaded.json", "pet_suv.nrrd", "ct_hu.nrrd", "started.json", "seconds.json")
            for name in kept:
                shutil.copy(after.path(name), workspace.path(name))
            workspace.source.symlink_to(self.study, target_is_directory=True)
            request = replace(
                after.request(), job_id=workspace.root.name, predecessor=after.root.name, cause="correction"
            )
            stages = UP_TO_FINDINGS[2:]
        workspace.save_request(replace(request, reference=reference))
        if words:
            write_words(workspace, words)
        for stage in stages:
            run_stage(stage, workspace, self.context)
        return workspace


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Node:
    folder = tmp_path_factory.mktemp("delineation")
    lesion_bundle(folder / "bundle")
    return Node(folder, folder / "bundle")


@pytest.fixture(scope="module")
def first(node: Node) -> Workspace:
    return node.job()


def findings_of(workspace: Workspace) -> Findings:
    return from_json(workspace.path("findings.json"))


def test_candidates_are_judged_and_totals_are_of_accepted_lesions(first: Workspace) -> None:
    found = findings_of(first)
    assert found.segmentation.method == "suv4_reviewed"
    assert found.segmentation.evidence == "E0"
    assert found.segmentation.in_range == "in"
    assert "brain" in {one.organ for one in found.rejected_candidates}
    assert [one.number for one in found.rejected_candidates] == list(range(1, len(found.rejected_candidates) + 1))
    counted = [one for one in found.lesions if one.status == "accepted"]
    open_ml = sum(one.volume_ml for one in found.lesions if one.status == "to_confirm")
    assert counted
    assert all(one.p_lesion is not None for one in found.lesions)
    assert found.totals.lesion_count == len(counted)
    assert found.totals.tmtv_ml == pytest.approx(sum(one.volume_ml for one in counted))
    assert found.totals.tmtv_range_ml == pytest.approx((found.totals.tmtv_ml, found.totals.tmtv_ml + open_ml))
    assert "lesion network" in [one.name for one in found.provenance.bundles]
    assert "stage" in [one.field for one in found.suggestions]


def test_features_and_crop_are_kept_for_later(first: Workspace) -> None:
    pooled = PooledFeatures.load(first.path(POOLED))
    assert len(pooled.lesions) == len(findings_of(first).lesions)
    assert first.path(CROP).exists()
    assert pooled.present[pooled.organ_names.index("liver")]


def test_a_person_takes_a_candidate_back(node: Node, first: Workspace) -> None:
    before = findings_of(first)
    brain = next(one for one in before.rejected_candidates if one.organ == "brain")
    assert brain.hottest_mm is not None
    word = Word(brain.hottest_mm, True, "A. Reader", "20261121180000")
    after = findings_of(node.job(first, words=(word,)))
    taken = [one for one in after.lesions if one.decided_by == "person"]
    assert [one.volume_ml for one in taken] == pytest.approx([brain.volume_ml])
    assert taken[0].status == "accepted"
    assert taken[0].p_lesion == pytest.approx(brain.p_lesion)
    assert after.totals.tmtv_ml == pytest.approx(before.totals.tmtv_ml + brain.volume_ml)
    assert len(after.rejected_candidates) == len(before.rejected_candidates) - 1
    assert after.content_datetime >= "20261121180000"
    assert after.segmentation.words is not None


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many windows each call of the network looked at."""
    seen: list[int] = []

    def counted(work: Callable[..., Pooling]) -> Callable[..., Pooling]:
        def run(*given: object) -> Pooling:
            result = work(*given)
            seen.append(result.windows)
            return result

        return run

    for name in ("run", "pool"):
        monkeypatch.setattr(LesionNetwork, name, counted(getattr(LesionNetwork, name)))
    return seen


def test_a_corrected_contour_is_pooled_from_the_windows_it_touches(
    node: Node, first: Workspace, windows: list[int], tmp_path: Path
) -> None:
    grid = Volume.load(first.path("pet_suv.nrrd"))
    one = np.zeros(grid.array.shape, np.uint8)
    lesion_map = lesion_map_of(first, grid).array
    one[lesion_map == 1] = 1
    grid.with_array(one).save(tmp_path / "edited.nrrd")
    corrected = node.job(first, reference=tmp_path / "edited.nrrd")
    assert windows == []  # neither the organs nor the body are looked at again
    assert corrected.path(CROP).samefile(first.path(CROP))
    tools = tools_of(corrected, node.settings, open_shelf(node.settings), node.anatomy, "cpu")
    pooler = pooler_of(corrected, tools, grid)
    assert pooler is not None
    assert tools.network is not None
    pooled = pooler.pool(lesion_map_of(corrected, grid))
    whole = len(tools.network.windows(tools.network.crop(grid, Volume.load(first.path("ct_hu.nrrd")))))
    assert 0 < windows[0] < whole
    np.testing.assert_allclose(pooled.lesions[0], PooledFeatures.load(first.path(POOLED)).lesions[0], atol=1e-4)


def test_a_strange_scan_is_drawn_by_threshold_and_not_judged(node: Node, first: Workspace, tmp_path: Path) -> None:
    lesion_bundle(tmp_path / "strict", any_scan(liver_suv_log=9.0))
    settings = node.settings
    node.settings = settings.model_copy(update={"bundles": {"lesions": tmp_path / "strict"}})
    try:
        found = findings_of(node.job(first))
    finally:
        node.settings = settings
    assert found.segmentation.in_range == "outside"
    assert "liver_suv_log" in found.segmentation.in_range_features
    assert found.segmentation.method == "suv4"
    assert found.rejected_candidates == ()
    assert found.suggestions == ()
    assert {one.item: one.code for one in found.not_computed}["systems.site"] == "OUT_OF_DISTRIBUTION"
    assert any("physiological uptake not removed" in flag.message for flag in found.quality.flags)


def test_a_threshold_that_was_asked_for_draws_a_strange_scan_too(node: Node, first: Workspace, tmp_path: Path) -> None:
    lesion_bundle(tmp_path / "strict", any_scan(liver_suv_log=9.0))
    settings = node.settings
    rule = settings.segmentation.model_copy(update={"method": "percent41"})
    node.settings = settings.model_copy(update={"bundles": {"lesions": tmp_path / "strict"}, "segmentation": rule})
    try:
        found = findings_of(node.job(first))
    finally:
        node.settings = settings
    assert (found.segmentation.method, found.segmentation.in_range) == ("percent41", "outside")


def test_the_reviewer_asked_for_and_refused_is_a_flag(node: Node, first: Workspace, tmp_path: Path) -> None:
    """Nor does the shipped network take the place of one that an administrator named."""
    settings = node.settings
    changed = shutil.copytree(settings.bundles["lesions"], tmp_path / "changed")
    (changed / "statistics.json").write_text("{}", encoding="utf-8")
    node.settings = settings.model_copy(update={"bundles": {"lesions": changed}})
    try:
        found = findings_of(node.job(first))
    finally:
        node.settings = settings
    assert found.segmentation.method == "suv4"
    assert any("lesions are drawn at SUV 4.0" in flag.message for flag in found.quality.flags)


def _json(path: Path) -> dict[str, str]:
    import json

    found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return found
