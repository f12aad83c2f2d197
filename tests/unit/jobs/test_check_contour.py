"""A contour is held against the job that it would replace, with our own SEG as a viewer would give it back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from nodal.dicom.contour_header import read_contour_header
from nodal.errors import Code, Refused
from nodal.findings import CtRegistration, SuvUsed, to_json
from nodal.jobs.check_contour import check_contour, given_by_hand
from nodal.jobs.difference import compared
from nodal.jobs.given import CONTOUR_FILE
from nodal.jobs.identity import carry_on, earlier_of
from nodal.jobs.model import JobRequest, StudySource
from nodal.jobs.records import ChosenSeries, Loaded, Measured, SelectionRecord
from nodal.jobs.reference import read_reference
from nodal.jobs.results import ResultStore, objects_to_json, own_target
from nodal.jobs.workspace import Workspace
from nodal.report.build import build
from nodal.report.uids import series_uid
from nodal.settings import ResultSettings
from pydicom import Dataset, dcmread

from tests.unit.dicom.pet_headers import write_series
from tests.unit.report.sample import FRAME_UID, sample_inputs

pytestmark = pytest.mark.unit

Edit = Callable[[Dataset], None]
INPUTS = sample_inputs(3)


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """What a finished job leaves in its folder."""
    folder = tmp_path_factory.mktemp("state")
    workspace = Workspace(folder / "jobs" / "job")
    study = INPUTS.findings.study_instance_uid
    workspace.save_request(JobRequest("job", "0" * 64, 0, "intake", study, StudySource("folder", folder)))
    workspace.write_text("findings.json", to_json(INPUTS.findings))
    INPUTS.lesion_map.save(workspace.path("lesions.nrrd"))
    store = ResultStore(folder / "results")
    made = [
        store.put(result, "orthanc") for result in build(INPUTS, own_target(ResultSettings())) if result.kind == "seg"
    ]
    workspace.write_json("objects.json", objects_to_json(made))
    used = SuvUsed("BQML", 1.0, None, None)
    loaded = Loaded(used, 60.0, None, (), (), "20260101120000", CtRegistration("aligned", 0.0, 0.0), FRAME_UID)
    workspace.write_json("loaded.json", asdict(loaded))
    workspace.write_json("identities.json", {one.tracking_uid: one.number for one in INPUTS.findings.lesions})
    return workspace


def edited(job: Workspace, folder: Path, edit: Edit) -> Path:
    """Our SEG as another object."""
    (sha256,) = {one["sha256"] for one in job.read_json("objects.json")}
    seg = dcmread(job.root.parent.parent / "results" / sha256)
    seg.SOPInstanceUID, seg.SeriesInstanceUID = "1.2.3.4", "1.2.3.5"
    edit(seg)
    seg.save_as(folder / "edited.dcm")
    return folder / "edited.dcm"


def without(segment: int) -> Edit:
    """One segment's frames emptied."""

    def edit(seg: Dataset) -> None:
        pixels = seg.pixel_array.copy()
        for number, frame in enumerate(seg.PerFrameFunctionalGroupsSequence):
            if segment in (0, frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber):
                pixels[number] = 0
        packed = np.packbits(pixels.ravel().astype(np.uint8), bitorder="little").tobytes()
        seg.PixelData = packed + b"\0" * (len(packed) % 2)

    return edit


def nothing(seg: Dataset) -> None:
    """Saved as it was."""


def code_of(job: Workspace, path: Path, *, may_be_empty: bool = True) -> Code:
    with pytest.raises(Refused) as caught:
        check_contour(job, path, may_be_empty=may_be_empty)
    return caught.value.code


def test_what_a_viewer_gives_back_tells_where_it_comes_from(job: Workspace, tmp_path: Path) -> None:
    header = read_contour_header(edited(job, tmp_path, nothing))
    assert header is not None
    assert header.tracking == {one.tracking_uid for one in INPUTS.findings.lesions}
    assert INPUTS.findings.pet_series_instance_uid in header.referenced_series
    assert {str(pet.SOPInstanceUID) for pet in INPUTS.pet_headers} & header.referenced
    assert header.sop_instance_uid == "1.2.3.4"


def test_unchanged_it_is_no_correction_and_changed_it_is(job: Workspace, tmp_path: Path) -> None:
    assert check_contour(job, edited(job, tmp_path, nothing), may_be_empty=False) is False
    assert check_contour(job, edited(job, tmp_path, without(2)), may_be_empty=False) is True


def test_with_all_lesions_removed_it_says_so_or_is_refused(job: Workspace, tmp_path: Path) -> None:
    empty = edited(job, tmp_path, without(0))
    assert check_contour(job, empty, may_be_empty=True) is True
    assert code_of(job, empty, may_be_empty=False) == Code.CONTOUR_EMPTY


def other_series(seg: Dataset) -> None:
    for series in seg.ReferencedSeriesSequence:
        series.SeriesInstanceUID = "1.2.3.99"


@pytest.mark.parametrize(
    "edit",
    [
        other_series,
        lambda seg: setattr(seg, "FrameOfReferenceUID", "1.2.3.98"),
        lambda seg: setattr(seg, "StudyInstanceUID", "1.2.3.97"),
    ],
    ids=["series", "frame of reference", "study"],
)
def test_what_was_drawn_on_something_else_is_refused(job: Workspace, tmp_path: Path, edit: Edit) -> None:
    assert code_of(job, edited(job, tmp_path, edit)) == Code.CONTOUR_OTHER_IMAGE


def test_what_refers_to_our_seg_alone_is_enough(job: Workspace, tmp_path: Path) -> None:
    def ours(seg: Dataset) -> None:
        (made,) = job.read_json("objects.json")
        for series in seg.ReferencedSeriesSequence:
            series.SeriesInstanceUID = series_uid(made["sop_instance_uid"])

    assert check_contour(job, edited(job, tmp_path, ours), may_be_empty=False) is False


def test_what_cannot_be_read_is_refused(job: Workspace, tmp_path: Path) -> None:
    (tmp_path / "text.dcm").write_text("no contour")
    assert code_of(job, tmp_path / "text.dcm") == Code.CONTOUR_UNREADABLE
    whole = edited(job, tmp_path, nothing).read_bytes()
    (tmp_path / "cut.dcm").write_bytes(whole[: len(whole) - 200])
    assert code_of(job, tmp_path / "cut.dcm") == Code.CONTOUR_UNREADABLE
    with pytest.raises(Refused):
        given_by_hand(tmp_path / "text.dcm", "api")


def test_the_note_names_who_handed_it_in(job: Workspace, tmp_path: Path) -> None:
    note = given_by_hand(edited(job, tmp_path, nothing), "orthanc:reader")
    assert (note.sop_instance_uid, note.by, len(note.digest)) == ("1.2.3.4", "orthanc:reader", 64)


def test_the_next_revision_reads_it_from_its_own_folder(job: Workspace, tmp_path: Path) -> None:
    """The second lesion is gone; the others are known by their Tracking UIDs, and keep their numbers."""
    found = INPUTS.findings
    job.write_json("measured.json", asdict(Measured(found.lesions, (), found.totals, found.quality, ())))
    study, pet, ct = found.study_instance_uid, found.pet_series_instance_uid, found.ct_series_instance_uid
    workspace = Workspace(job.root.parent / "next")
    request = JobRequest("next", "0" * 64, 1, "correction", study, StudySource("folder", tmp_path), predecessor="job")
    workspace.save_request(request)
    chosen = SelectionRecord(study, ChosenSeries(pet, ("pet",)), ChosenSeries(ct, ()), (), "assumed", True, (), ())
    workspace.write_json("selection.json", asdict(chosen))
    workspace.write_json("loaded.json", job.read_json("loaded.json") | {"pet_files": ["pet"]})
    workspace.source.mkdir()
    INPUTS.pet_headers[0].save_as(workspace.source / "pet", implicit_vr=False, little_endian=True)
    edited(job, tmp_path, without(2)).rename(workspace.path(CONTOUR_FILE))
    reference = read_reference(workspace, Path(CONTOUR_FILE), INPUTS.suv)
    lesion_map, tracked = reference.lesions.lesions
    first, second, third = found.lesions
    assert sorted(tracked.values()) == sorted([first.tracking_uid, third.tracking_uid])
    assert ((lesion_map.array > 0) == np.isin(INPUTS.lesion_map.array, [first.number, third.number])).all()
    uids = (reference.sop_instance_uid, reference.series_instance_uid)
    assert uids == ("1.2.3.4", "1.2.3.5")
    measured = tuple(replace(second, number=label, segment_number=label, tracking_uid="new") for label in tracked)
    names = carry_on(measured, lesion_map, earlier_of(workspace), tracked, digest="d", lesion_map_sha256="m")
    assert [(one.number, one.tracking_uid) for one in names] == [
        (first.number, first.tracking_uid),
        (third.number, third.tracking_uid),
    ]


def test_an_image_is_no_contour(tmp_path: Path) -> None:
    write_series(tmp_path, np.ones((2, 4, 4), np.uint16))
    assert {read_contour_header(path) for path in tmp_path.iterdir()} == {None}
    assert read_contour_header(Path("/dev/null")) is None


def test_the_difference_in_one_line() -> None:
    before, after = sample_inputs(3).findings, sample_inputs(2).findings
    told = compared(before, after, job_id="b", predecessor="a", cause="correction")
    assert told.tmtv_ml == (before.totals.tmtv_ml, after.totals.tmtv_ml)
    assert told.line.startswith(f"TMTV {before.totals.tmtv_ml:.1f} -> {after.totals.tmtv_ml:.1f} mL, lesions 3 -> 2")
    gone = [one for one in told.lesions if one.after_ml is None]
    assert [one.number for one in gone] == [3]
