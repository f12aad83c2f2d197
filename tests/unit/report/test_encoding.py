"""The quick writer: byte for byte what pydicom's own writer makes."""

from __future__ import annotations

import io

import pytest
from highdicom.sr import CodedConcept
from nodal.report.encoding import encode
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

pytestmark = pytest.mark.unit


def tree(character_set: str | None, meaning: str) -> Dataset:
    """Codes alone, repeated, nested, several in a sequence and beside other elements; and ambiguous VRs."""
    dataset = Dataset()
    if character_set:
        dataset.SpecificCharacterSet = character_set
    dataset.SOPClassUID, dataset.SOPInstanceUID = SecondaryCaptureImageStorage, "1.2.3"
    dataset.PatientName = meaning
    dataset.ConceptNameCodeSequence = [CodedConcept("1", "99T", meaning)]
    dataset.ContentSequence = []
    for number in range(3):
        item = Dataset()
        item.ConceptNameCodeSequence = [CodedConcept("1", "99T", meaning)]
        item.ConceptCodeSequence = [CodedConcept(str(number), "99T", "plain"), CodedConcept("9", "99T", meaning)]
        item.TextValue = meaning
        item.ContentSequence = [Dataset()]
        item.ContentSequence[0].MeasurementUnitsCodeSequence = [CodedConcept("mm", "UCUM", "millimeter")]
        item.PurposeOfReferenceCodeSequence = []
        dataset.ContentSequence.append(item)
    dataset.PixelRepresentation, dataset.BitsAllocated = 1, 16
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = 1, 2, 1
    dataset.SmallestImagePixelValue = -2
    dataset.PixelData = b"\0\1\2\3"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.ImplementationClassUID = "1.2.3.4"
    return dataset


@pytest.mark.parametrize(
    ("character_set", "meaning"),
    [
        (None, "plain"),
        ("ISO_IR 100", "Müller"),
        ("ISO_IR 192", "山田 Müller"),
        ("ISO_IR 144", "Иванова"),
    ],
)
def test_the_bytes_are_those_of_the_plain_writer(character_set: str | None, meaning: str) -> None:
    stream = io.BytesIO()
    dcmwrite(stream, tree(character_set, meaning), enforce_file_format=True)
    assert encode(tree(character_set, meaning)) == stream.getvalue()


def test_encoding_twice_gives_the_same_bytes() -> None:
    dataset = tree("ISO_IR 192", "山田")
    assert encode(dataset) == encode(dataset)
