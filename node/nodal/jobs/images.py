"""Arrays and headers of a job, as the stages left them in its workspace."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lymphoma.anatomy import Anatomy
from lymphoma.imaging import Volume
from pydicom import Dataset, dcmread

from nodal.errors import SourceGone
from nodal.jobs.workspace import Workspace

__all__ = ["anatomy_of", "header_of", "headers_of", "lesion_map_of", "volumes_of"]


def header_of(path: Path) -> Dataset:
    """A header without pixel data.

    Raises:
        SourceGone: the file is no longer there.
    """
    try:
        return dcmread(path, stop_before_pixels=True, force=True)
    except OSError as error:
        raise SourceGone("the images of this job are no longer there; fetch the study again") from error


def volumes_of(workspace: Workspace) -> tuple[Volume, Volume]:
    """SUV and CT on the PET grid, as the load stage left them."""
    return Volume.load(workspace.path("pet_suv.nrrd")), Volume.load(workspace.path("ct_hu.nrrd"))


def headers_of(workspace: Workspace, names: Sequence[str]) -> tuple[Dataset, ...]:
    """Headers of files of the source folder, in their order."""
    return tuple(header_of(workspace.source / name) for name in names)


def lesion_map_of(workspace: Workspace, grid: Volume) -> Volume:
    """Labels 1..n on the grid of ``grid``, as the segment stage left them."""
    return grid.with_array(Volume.load(workspace.path("lesions.nrrd")).array)


def anatomy_of(workspace: Workspace, grid: Volume) -> Anatomy:
    """The organs found in the segment stage."""
    known = workspace.read_json("organs.json")
    path = workspace.path("organs.nrrd")
    organs = grid.with_array(Volume.load(path).array) if path.exists() else None
    return Anatomy(known["engine"], organs, {int(label): name for label, name in known["names"].items()})
