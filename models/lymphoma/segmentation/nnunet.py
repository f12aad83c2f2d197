"""A model folder of nnU-Net v2 as a segmenter: its own program, run on one study's PET and CT.

A folder is what ``nnUNetv2_train`` leaves, or what others publish: ``dataset.json`` (channels, labels, file ending),
``plans.json`` (the network) and ``fold_<n>/checkpoint_*.pth``. A checkpoint is a pickle, which runs what it likes when
it is loaded, and plans.json names code to run. So none of them is opened before its SHA-256 was found to be the one
that the settings list, and the checkpoints are loaded in the program's process alone.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lymphoma.anatomy import Anatomy
from lymphoma.errors import NotComputable
from lymphoma.imaging import Volume
from lymphoma.inference.external import run_external
from lymphoma.lesions import label_lesions
from lymphoma.lesions.components import Connectivity
from lymphoma.segmentation.delineation import Delineation
from lymphoma.training.files import file_sha256

__all__ = ["NnunetModel", "NnunetSegmenter", "open_nnunet"]

PROGRAM = ("nnUNetv2_predict_from_modelfolder", "-device", "cpu", "--disable_tta")

CASE = "study"
DATASET, PLANS = "dataset.json", "plans.json"

SAME_MM = 0.05
"""How far voxel centres may lie from where they were: NIfTI keeps its affine in float32."""

CT_NAMES = frozenset(("ct", "ctres", "ct_hu"))
PET_NAMES = frozenset(("suv", "pet", "pt", "pet_suv"))
LESION_WORDS = ("lesion", "tumor", "tumour", "lymphoma")

_CHECKPOINT = re.compile(r"fold_(?P<fold>all|\d+)/(?P<name>checkpoint_\w+\.pth)")


@dataclass(frozen=True)
class NnunetModel:
    """What an administrator says of a model folder.

    Attributes:
        sha256: file in the folder -> hex digest: dataset.json, plans.json, and the checkpoints of the folds to use.
        command: program and first arguments; input, output, folder and folds are added.
        channels: "CT" or "SUV" for each channel, where dataset.json has other names for them; empty takes those.
        lesion_labels: names of dataset.json that are lesions; empty takes those that hold the word lesion, tumor or
            lymphoma, or else label 1.
        time_limit_s, memory_gb: as in :func:`lymphoma.inference.external.run_external`.
    """

    folder: Path
    sha256: Mapping[str, str]
    command: tuple[str, ...] = PROGRAM
    channels: tuple[str, ...] = ()
    lesion_labels: tuple[str, ...] = ()
    time_limit_s: float = 3600.0
    memory_gb: float = 16.0

    @property
    def digest(self) -> str:
        """SHA-256 over the listed files and how they are read: the same digest draws the same lesions."""
        said = [sorted(self.sha256.items()), self.command[1:], self.channels, self.lesion_labels]
        return hashlib.sha256(json.dumps(said).encode()).hexdigest()


@dataclass(frozen=True)
class NnunetSegmenter:
    """The segmenter of a verified model folder; :func:`open_nnunet` makes it.

    Attributes:
        channels: "CT" or "SUV", in the model's order. lesion_values: of its label maps. ending: of its files.
        folds, checkpoint: as the program names them.
    """

    model: NnunetModel
    channels: tuple[str, ...]
    lesion_values: tuple[int, ...]
    ending: str
    folds: tuple[str, ...]
    checkpoint: str
    min_volume_ml: float
    connectivity: Connectivity = 26
    name: str = "nnunet"
    needs_organs: bool = False

    @property
    def description(self) -> str:
        """The model by its digest, and the volume rule."""
        return (
            f"nnU-Net v2, model {self.model.digest[:12]} ({_plural(len(self.folds), 'fold')}), components of at least "
            f"{self.min_volume_ml:g} mL, 26-connected"
        )

    def segment(self, suv: Volume, ct_hu: Volume, anatomy: Anatomy) -> Delineation:
        """The lesions; see :class:`lymphoma.segmentation.Segmenter`. Organs are not looked at.

        Raises:
            NotComputable: NOT_INSTALLED, the program is not there; ENGINE_MODEL, the folder is not what the settings
                list; ENGINE_TIMEOUT, ENGINE_FAILED; ENGINE_OUTPUT, what it left is no label map on the grid of ``suv``.
        """
        _verify(self.model)
        with tempfile.TemporaryDirectory(prefix="nodal-engine-") as name:
            folder = Path(name)
            self._write(folder / "in", suv, ct_hu)
            (folder / "out").mkdir()
            self._run(folder)
            labels = _read(folder / "out" / f"{CASE}{self.ending}", suv)
        taken = np.isin(labels, self.lesion_values)
        return Delineation(
            suv.with_array(label_lesions(taken, suv.voxel_volume_ml, self.min_volume_ml, self.connectivity))
        )

    def _write(self, folder: Path, suv: Volume, ct_hu: Volume) -> None:
        folder.mkdir()
        volumes = {"SUV": suv, "CT": ct_hu}
        for number, channel in enumerate(self.channels):
            volume = volumes[channel]
            image = volume.with_array(volume.array.astype(np.float32, copy=False))
            image.save(folder / f"{CASE}_{number:04d}{self.ending}")

    def _run(self, folder: Path) -> None:
        model = self.model
        arguments = ("-i", "in", "-o", "out", "-m", str(model.folder.resolve()), "-f", *self.folds)
        # one process for each step: there is one study
        arguments += ("-chk", self.checkpoint, "-npp", "1", "-nps", "1", "--disable_progress_bar")
        try:
            run_external((*model.command, *arguments), folder, model.time_limit_s, model.memory_gb)
        except NotComputable as error:
            if error.code != "ENGINE_MISSING":
                raise
            raise NotComputable(
                "NOT_INSTALLED",
                f"{Path(model.command[0]).name} is not there: install nnunetv2 in an environment of its own and give "
                "the program's path in engines.nnunet.command",
            ) from error


def open_nnunet(model: NnunetModel, min_volume_ml: float = 3.0) -> NnunetSegmenter:
    """Verifies a model folder and reads what its files say.

    Raises:
        NotComputable: ENGINE_MODEL: a file is missing, not listed or not the listed one; or dataset.json tells a
            channel or label that nothing here corresponds to.
        ValueError: a negative volume.
    """
    if min_volume_ml < 0:
        raise ValueError(f"a volume rule of {min_volume_ml} mL has no meaning")
    _verify(model)
    try:
        dataset = json.loads((model.folder / DATASET).read_bytes())
        ending = dataset["file_ending"]
        channels = _channels(dataset["channel_names"], model.channels)
        values = _lesion_values(dataset["labels"], model.lesion_labels)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, NotComputable):
            raise
        raise NotComputable("ENGINE_MODEL", f"{DATASET} is not that of an nnU-Net v2 model") from error
    folds, checkpoint = _folds(model.sha256)
    return NnunetSegmenter(model, channels, values, ending, folds, checkpoint, min_volume_ml)


def _verify(model: NnunetModel) -> None:
    """Each file that the program will open is listed, is there and is the listed one."""
    for name in (DATASET, PLANS):
        if name not in model.sha256:
            raise NotComputable("ENGINE_MODEL", f"engines.nnunet.sha256 does not list {name}")
    _folds(model.sha256)
    for name, sha256 in model.sha256.items():
        file = model.folder / name
        if not file.is_file():
            raise NotComputable("ENGINE_MODEL", f"the model folder has no {name}")
        if file_sha256(file) != sha256.lower():
            raise NotComputable("ENGINE_MODEL", f"{name} is not the file that engines.nnunet.sha256 lists")


def _folds(listed: Mapping[str, str]) -> tuple[tuple[str, ...], str]:
    """Folds and the one name of their checkpoints, from the files that are listed."""
    found = [match for name in sorted(listed) if (match := _CHECKPOINT.fullmatch(name))]
    unknown = set(listed) - {match.string for match in found} - {DATASET, PLANS}
    names = {match["name"] for match in found}
    if unknown or len(names) != 1:
        raise NotComputable(
            "ENGINE_MODEL",
            "engines.nnunet.sha256 must list dataset.json, plans.json and fold_<n>/checkpoint_<word>.pth, of one word",
        )
    return tuple(match["fold"] for match in found), names.pop()


def _channels(names: Mapping[str, str], given: Sequence[str]) -> tuple[str, ...]:
    ordered = [names[number] for number in sorted(names, key=int)]
    if given and len(given) != len(ordered):
        raise NotComputable("ENGINE_MODEL", f"the model has {len(ordered)} channels, the settings name {len(given)}")
    return tuple(_channel(name) for name in given or ordered)


def _channel(name: str) -> str:
    if name.lower() in CT_NAMES:
        return "CT"
    if name.lower() in PET_NAMES:
        return "SUV"
    raise NotComputable(
        "ENGINE_MODEL", f"channel {name!r} of the model is neither CT nor SUV; see engines.nnunet.channels"
    )


def _lesion_values(labels: Mapping[str, Any], wanted: Sequence[str]) -> tuple[int, ...]:
    """Values that are lesion; a region of nnU-Net is a list of values.

    The values of a region are those it was trained on; its ``regions_class_order`` writes the same ones.
    """
    missing = sorted(set(wanted) - set(labels))
    if missing:
        raise NotComputable("ENGINE_MODEL", f"the model has no label {missing[0]!r}")
    chosen = list(wanted) or [name for name in labels if any(word in name.lower() for word in LESION_WORDS)]
    found = {int(value) for name in chosen for value in np.atleast_1d(labels[name])} or {1}
    known = {int(value) for values in labels.values() for value in np.atleast_1d(values)}
    if 0 in found or not found <= known:
        raise NotComputable("ENGINE_MODEL", "the model's lesion label is the background, or there is none")
    return tuple(sorted(found))


def _read(path: Path, grid: Volume) -> npt.NDArray[np.int64]:
    if not path.is_file():
        raise NotComputable("ENGINE_OUTPUT", "nnU-Net ended well and left no label map")
    try:
        found = Volume.load(path)
    except (RuntimeError, ValueError) as error:
        raise NotComputable("ENGINE_OUTPUT", "nnU-Net's label map cannot be read") from error
    if not found.same_grid(grid, SAME_MM):
        raise NotComputable("ENGINE_OUTPUT", "nnU-Net's label map lies on another grid than the PET")
    labels: npt.NDArray[np.int64] = np.rint(found.array).astype(np.int64)
    if (labels != found.array).any():
        raise NotComputable("ENGINE_OUTPUT", "nnU-Net's label map holds fractions")
    return labels


def _plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
