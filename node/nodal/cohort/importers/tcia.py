"""A collection of The Cancer Imaging Archive: ``<collection>/<patient>/<study>/<series>/*.dcm`` with ``metadata.csv``.

The headers tell which series belongs to which study; of the archive's ``metadata.csv`` only the number of images is
taken, which shows a download that is not whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.errors import InvalidDicomError

from nodal.cohort.about import About
from nodal.cohort.importers.report import ImportReport, PassedOver, finished
from nodal.cohort.importers.texts import age_years, rows_with, sex_of
from nodal.cohort.place import place, safe_name
from nodal.cohort.table import Row
from nodal.cohort.values import Fields
from nodal.dicom.values import text
from nodal.errors import Code, Refused

__all__ = ["NOTE", "DicomSeries", "DicomStudy", "dicom_studies", "import_tcia", "place_dicom"]

NOTE = (
    "A collection of The Cancer Imaging Archive. Disease, time point and outcomes are not in the images: complete "
    "cohort.csv from the collection's own tables."
)
_TAGS = ("Modality", "PatientID", "PatientAge", "PatientSex", "StudyInstanceUID", "StudyDate", "SeriesInstanceUID")
_CONTOURS = ("SEG", "RTSTRUCT")


@dataclass(frozen=True)
class DicomSeries:
    """One folder of files of one series."""

    folder: Path
    modality: str
    files: tuple[Path, ...]


@dataclass(frozen=True)
class DicomStudy:
    """The series of one study. ``folder`` is that of the first series' parent; age and sex as DICOM writes them."""

    patient_id: str
    study_uid: str
    study_date: str
    age: str
    sex: str
    folder: Path
    series: tuple[DicomSeries, ...]

    @property
    def contours(self) -> tuple[Path, ...]:
        """Every SEG and RTSTRUCT file."""
        return tuple(path for one in self.series if one.modality in _CONTOURS for path in one.files)

    @property
    def has_pair(self) -> bool:
        """Whether there are PET and CT series."""
        return {"PT", "CT"} <= {one.modality for one in self.series}


def import_tcia(source: Path, out: Path, *, copy: bool) -> ImportReport:
    """As :func:`nodal.cohort.importers.import_cohort`; the first study with PET and CT of each patient.

    Several contours of a study are not readers of the same thing: they are brought along, named in the column
    ``contours``, and none is taken as reference.

    Raises:
        Refused: SOURCE_LAYOUT.
    """
    studies, passed = dicom_studies(source)
    if not studies:
        raise Refused(Code.SOURCE_LAYOUT, "no folder holds a DICOM series")
    rows: list[Row] = []
    taken: set[str] = set()
    for study in sorted(studies, key=lambda one: (one.patient_id, one.study_date or "9", one.study_uid)):
        where = str(study.folder.relative_to(source))
        if not study.has_pair or study.patient_id in taken:
            reason = "a later study of a patient" if study.has_pair else "no PET and CT in one study"
            passed.append(PassedOver(where, reason))
            continue
        taken.add(study.patient_id)
        row, said = _row(study, out, copy=copy)
        rows.append(row)
        passed += [PassedOver(where, said)] if said else []
    if not rows:
        raise Refused(Code.SOURCE_LAYOUT, "no study of the source has PET and CT")
    return finished(out, rows, About(source.resolve().name, note=NOTE), passed)


def _row(study: DicomStudy, out: Path, *, copy: bool) -> tuple[Row, str]:
    """The row, and what must be said of its contours."""
    target = f"studies/{safe_name(study.patient_id)}"
    reference = place_dicom(study, out, target, copy=copy)
    fields = Fields({"age": age_years(study.age), "sex": sex_of(study.sex)})
    several = "" if reference else ";".join(_names(study, target))
    said = f"{len(study.contours)} contours, none is taken as reference" if several else ""
    references = (reference,) if reference else ()
    further = {"contours": several}
    return Row(0, study.patient_id, target, references, clinical=fields.clinical(), further=further), said


def place_dicom(study: DicomStudy, out: Path, target: str, *, copy: bool) -> str | None:
    """Brings a study's files into ``target`` of the cohort.

    Returns:
        The one contour's place in the cohort; empty where there is none or more than one; None where PET or CT is
        not there (then nothing is written).
    """
    if not study.has_pair:
        return None
    for number, series in enumerate(study.series, start=1):
        if series.modality in _CONTOURS:
            continue
        for path in series.files:
            place(path, out / target / f"{series.modality}-{number}" / path.name, copy=copy)
    names = _names(study, target)
    for path, name in zip(study.contours, names, strict=True):
        place(path, out / name, copy=copy)
    return names[0] if len(names) == 1 else ""


def _names(study: DicomStudy, target: str) -> list[str]:
    """Contours lie outside the study's folder: they are no part of what the node selects from."""
    folder = f"contours/{Path(target).name}"
    return [f"{folder}/{number}.dcm" for number in range(1, len(study.contours) + 1)]


def dicom_studies(source: Path) -> tuple[list[DicomStudy], list[PassedOver]]:
    """Every study below a folder, by the header of one file of each folder, and the folders that were passed over."""
    expected = _expected_counts(source)
    passed: list[PassedOver] = []
    found: dict[str, list[tuple[Dataset, DicomSeries]]] = defaultdict(list)
    for folder, files in _leaves(source):
        where = str(folder.relative_to(source))
        header = _header(files[0])
        if header is None:
            passed.append(PassedOver(where, "its files are not DICOM"))
            continue
        wanted = expected.get(text(header, "SeriesInstanceUID"))
        if wanted is not None and len(files) < wanted:
            passed.append(PassedOver(where, f"the download is not whole: {len(files)} of {wanted} images"))
            continue
        series = DicomSeries(folder, text(header, "Modality"), files)
        found[text(header, "StudyInstanceUID")].append((header, series))
    return [_study(uid, one) for uid, one in sorted(found.items())], passed


def _study(uid: str, found: list[tuple[Dataset, DicomSeries]]) -> DicomStudy:
    first = next((header for header, series in found if series.modality == "PT"), found[0][0])
    folder = found[0][1].folder.parent
    details = (text(first, name) for name in ("PatientID", "StudyDate", "PatientAge", "PatientSex"))
    patient, day, age, sex = details
    return DicomStudy(patient, uid, day, age, sex, folder, tuple(series for _, series in found))


def _leaves(source: Path) -> Iterator[tuple[Path, tuple[Path, ...]]]:
    """Folders that hold .dcm files, in order of path."""
    by_folder: dict[Path, list[Path]] = defaultdict(list)
    for path in sorted(source.rglob("*.dcm")):
        by_folder[path.parent].append(path)
    yield from ((folder, tuple(files)) for folder, files in sorted(by_folder.items()))


def _header(path: Path) -> Dataset | None:
    try:
        return dcmread(path, stop_before_pixels=True, specific_tags=list(_TAGS))
    except (InvalidDicomError, OSError, EOFError):
        return None


def _expected_counts(source: Path) -> dict[str, int]:
    """Series UID -> number of images by the archive's metadata.csv."""
    rows = rows_with(source, "Series UID", "Number of Images")
    return {row["Series UID"]: int(row["Number of Images"]) for row in rows if row["Number of Images"].isdigit()}
