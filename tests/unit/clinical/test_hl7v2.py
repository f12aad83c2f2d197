"""HL7 v2 result messages: types of values, limits, escapes, character sets, status, and whose they are."""

from __future__ import annotations

import logging
import random

import pytest
from nodal.clinical.hl7v2 import CHARACTER_SETS, decoded, header_of, statements_of_message
from nodal.clinical.record import Value
from nodal.clinical.statements import PatientStatements
from nodal.errors import Code, Refused

pytestmark = pytest.mark.unit

RECEIVED = "20260310120000+0000"
MSH = r"MSH|^~\&|LABSYS|HOSPITAL|NODAL|NODE|20260305103000+0100||ORU^R01^ORU_R01|MSG00042|P|2.5.1"
PID = r"PID|1||77001^^^HOSP&1.2.826.99&ISO^MR~0815^^^INSURER^NI||MUSTER^EVA||19600504|F"
OBR = "OBR|1|||24331-1^Panel^LN|||202603040910"
LDH = "OBX|1|NM|2532-0^LDH^LN||480|U/L|135-240|H|||F|||20260304"


def message(*results: str, msh: str = MSH, pid: str = PID, end: str = "\r") -> str:
    return end.join((msh, pid, OBR, *results)) + end


def said_by(*results: str, pid: str = PID, end: str = "\r") -> PatientStatements:
    return statements_of_message(message(*results, pid=pid, end=end), RECEIVED, {})


def values(found: PatientStatements) -> dict[str, Value]:
    return {one.field: one.value for one in found.statements if one.field not in ("birth_date", "sex")}


def obx(kind: str, name: str, value: str, unit: str = "", limits: str = "", status: str = "F") -> str:
    return f"OBX|1|{kind}|{name}||{value}|{unit}|{limits}||||{status}"


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_a_complete_message(end: str) -> None:
    found = said_by(
        LDH,
        obx("NM", "89247-1^ECOG^LN", "1"),
        obx("ST", "STAGE^Ann Arbor stage^L", "IIIB"),
        obx("CWE", "COO^Cell of origin (Hans)^L", "X^non-GCB^L"),
        obx("TX", "EXTRA^Extranodal sites^L", "lung~bone marrow"),
        obx("NM", "29463-7^Body weight^LN", "81.5", "kg"),
        obx("NM", "8302-2^Body height^LN", "178", "cm"),
        end=end,
    )
    assert found.patient_key == "HOSP~77001"
    assert found.unusable == ()
    assert {one.field: one.value for one in found.statements} == {
        "birth_date": "19600504",
        "sex": "F",
        "ldh_ratio": 2.0,
        "ecog": 1,
        "stage": 3,
        "b_symptoms": True,
        "cell_of_origin": "non-GCB",
        "extranodal_sites": ("bone_marrow", "lung"),
        "weight_kg": 81.5,
        "height_m": 1.78,
    }
    told = {one.field: (one.effective, one.by, one.said) for one in found.statements}
    assert told["ldh_ratio"] == ("20260304", "LABSYS, HOSPITAL", "480 U/L, upper limit 240 U/L")
    assert told["ecog"][0] == "202603040910"  # that of the OBR, where OBX-14 is empty
    assert {one.source for one in found.statements} == {"hl7"}


@pytest.mark.parametrize(
    ("limits", "ratio"),
    [
        ("135-240", 2.0),
        ("135 - 240", 2.0),
        ("135.0–240.0 U/L", 2.0),
        ("<240", 2.0),
        ("< 240", 2.0),
        ("<=240", 2.0),
        ("0.0-240", 2.0),
        (">100", None),
        ("M: 135-225 F: 135-214", None),
        ("", None),
        ("240-135", None),
        ("135-240 ukat/L", None),
    ],
)
def test_reference_ranges(limits: str, ratio: float | None) -> None:
    found = said_by(obx("NM", "2532-0^LDH^LN", "480", "U/L", limits))
    assert values(found) == ({} if ratio is None else {"ldh_ratio": ratio})
    assert len(found.unusable) == (ratio is None)


@pytest.mark.parametrize(
    ("kind", "value", "ratio"),
    [
        ("NM", "480", 2.0),
        ("SN", "^480", 2.0),
        ("SN", "=^480", 2.0),
        ("ST", "480", 2.0),
        ("ST", "480 U/L", 2.0),
        ("SN", ">^500", None),
        ("SN", "^100^-^200", None),
        ("SN", "^1^:^128", None),
        ("ST", ">500", None),
        ("ST", "480 mg", None),
        ("NM", "4,8", None),
        ("NM", "haemolysed", None),
        ("NM", "", None),
        ("NM", '""', None),
        ("NM", "480~500", None),
        ("ED", "LAB^TEXT^^Base64^NDgw", None),
    ],
)
def test_types_of_values(kind: str, value: str, ratio: float | None) -> None:
    found = said_by(obx(kind, "2532-0^LDH^LN", value, "U/L", "135-240"))
    assert values(found) == ({} if ratio is None else {"ldh_ratio": ratio})
    assert len(found.unusable) == (ratio is None)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("2532-0^LDH^LN", True),
        ("LD^Laktat^L^2532-0^LDH^LN", True),
        ("LD^LDH^L", True),
        ("LD^Lactate dehydrogenase^99LAB", True),
        ("^LDH", True),
        ("14803-1^LDH in body fluid^LN", False),
        ("1742-6^LDH, as somebody named it^LN", False),
        ("LD^LDH isoenzyme 1^L", False),
        ("GLU^Glucose^L", False),
    ],
)
def test_what_is_named_ldh(name: str, known: bool) -> None:
    found = said_by(obx("NM", name, "480", "U/L", "135-240"))
    assert bool(found.statements[2:]) is known
    assert found.unusable == ()


@pytest.mark.parametrize(
    ("status", "used"), [("F", True), ("C", True), ("P", True), ("", True), ("X", False), ("I", False)]
)
def test_status(status: str, used: bool) -> None:
    found = said_by(obx("NM", "89247-1^ECOG^LN", "1", status=status))
    assert values(found) == ({"ecog": 1} if used else {})
    assert found.unusable == ()
    if status == "P":
        assert found.statements[-1].said == "1 (preliminary)"


@pytest.mark.parametrize("status", ["D", "W"])
def test_a_result_of_a_wrong_patient_is_not_kept(status: str) -> None:
    found = said_by(obx("ST", "89247-1^ECOG^LN", "4 wheelchair", status=status))
    assert values(found) == {}
    assert "wheelchair" not in str(found.unusable)
    assert found.unusable[0].reason.startswith("its source took it back")


def test_escapes_and_other_delimiters(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        found = said_by(obx("ST", r"S^Ann Arbor\T\Lugano stage^L", r"\H\Stage III\X42\\N\ \Zsecret\ \C2842\ "))
    assert values(found) == {"stage": 3, "b_symptoms": True}
    assert caplog.records == []  # the package's own routine logs a field that it cannot undo
    other = message(LDH, pid=PID.replace("~", "*").replace("^", "%")).replace("^", "%").replace("|%~\\&|", "|%*\\&|")
    assert other.startswith("MSH|%*\\&|")
    found = statements_of_message(other, RECEIVED, {})
    assert (found.patient_key, values(found)) == ("HOSP~77001", {"ldh_ratio": 2.0})


@pytest.mark.parametrize(
    ("named", "codec"), [("", "utf-8"), ("UNICODE UTF-8", "utf-8"), ("8859/1", "latin-1"), ("8859/15", "iso8859-15")]
)
def test_character_sets(named: str, codec: str) -> None:
    unit = obx("NM", "2532-0^LDH^LN", "8.4", "µkat/L", "1.8-4.2")
    data = message(unit, msh=f"{MSH}||||||{named}").encode(codec)
    found = statements_of_message(decoded(data, "UNICODE UTF-8"), RECEIVED, {})
    assert values(found) == {"ldh_ratio": 2.0}
    assert found.statements[-1].said == "8.4 µkat/L, upper limit 4.2 µkat/L"


@pytest.mark.parametrize(
    ("named", "data", "code"),
    [
        ("ISO IR87", b"", Code.HL7_UNSUPPORTED),
        ("ASCII", "µ".encode(), Code.HL7_UNREADABLE),
        ("UNICODE UTF-8", b"\xb5", Code.HL7_UNREADABLE),
    ],
)
def test_bytes_that_do_not_belong_to_their_set(named: str, data: bytes, code: Code) -> None:
    with pytest.raises(Refused) as refusal:
        decoded(message(msh=f"{MSH}||||||{named}").encode() + data, "ASCII")
    assert refusal.value.code == code


def test_every_codec_is_known_to_python() -> None:
    assert {name: "A".encode(codec) for name, codec in CHARACTER_SETS.items()} == dict.fromkeys(CHARACTER_SETS, b"A")


# ----- whose it is


@pytest.mark.parametrize(
    ("ids", "issuers", "key"),
    [
        ("77001^^^HOSP^MR", {}, "HOSP~77001"),
        ("77001^^^&1.2.826.99&ISO^MR", {}, "1.2.826.99~77001"),
        ("77001^^^HOSP&1.2.826.99&ISO^MR", {"1.2.826.99": "MAIN"}, "MAIN~77001"),
        ("77001^^^HOSP^MR", {"HOSP": ""}, "~77001"),
        ("9^^^X^SS~77001^^^HOSP^PI", {}, "HOSP~77001"),
        ("77001", {}, "~77001"),
        ("77001^^^HOSP^MR~77001^^^HOSP^MR", {}, "HOSP~77001"),
    ],
)
def test_the_patient_and_the_issuer(ids: str, issuers: dict[str, str], key: str) -> None:
    text = message(LDH, pid=f"PID|1||{ids}||MUSTER^EVA")
    assert statements_of_message(text, RECEIVED, issuers).patient_key == key


@pytest.mark.parametrize(
    "pid",
    [
        "PID|1||||MUSTER^EVA",
        'PID|1||""||MUSTER^EVA',
        "PID|1||1^^^A^MR~2^^^A^MR",
        "PID|1||1^^^A^SS~2^^^B^NI",
        "PID|1||1^^^A^MR\rPID|2||2^^^A^MR",
        "PV1|1",
        r"PID|1||1\R\2^^^A^MR",
    ],
)
def test_a_message_about_no_one_patient_is_refused(pid: str) -> None:
    with pytest.raises(Refused) as refusal:
        statements_of_message(message(LDH, pid=pid), RECEIVED, {})
    assert refusal.value.code == Code.PATIENT_UNIDENTIFIED
    assert "MUSTER" not in refusal.value.message


@pytest.mark.parametrize(
    ("born", "sex", "read"),
    [
        ("19600504", "M", {"birth_date": "19600504", "sex": "M"}),
        ("196005041230", "F", {"birth_date": "19600504", "sex": "F"}),
        ("1960", "U", {}),
        ("19603104", "", {}),
        ("", "O", {}),
    ],
)
def test_birth_date_and_sex(born: str, sex: str, read: dict[str, Value]) -> None:
    found = said_by(pid=f"PID|1||1^^^A^MR||MUSTER^EVA||{born}|{sex}")
    assert {one.field: one.value for one in found.statements} == read
    assert len(found.unusable) == (bool(born) and "birth_date" not in read) + (sex == "O")


def test_names_and_ids_stay_out_of_what_was_said() -> None:
    found = said_by(obx("ST", "S^Ann Arbor stage^L", "unclear in Eva Muster, 77001 or 0815, III"))
    shown = found.unusable[0].said
    assert shown == "unclear in … …, … or …, III"


# ----- headers


@pytest.mark.parametrize(
    ("msh", "code"),
    [
        (MSH.replace("ORU^R01^ORU_R01", "ADT^A01"), Code.HL7_UNSUPPORTED),
        (MSH.replace("|P|", "|T|"), Code.HL7_UNSUPPORTED),
        ("EVN|A01", Code.HL7_UNSUPPORTED),
        ("", Code.HL7_UNSUPPORTED),
    ],
)
def test_what_is_not_for_this_node(msh: str, code: Code) -> None:
    with pytest.raises(Refused) as refusal:
        statements_of_message(message(LDH, msh=msh), RECEIVED, {})
    assert refusal.value.code == code


def test_a_test_system_may_take_training_messages() -> None:
    text = message(LDH, msh=MSH.replace("|P|", "|T|"))
    assert values(statements_of_message(text, RECEIVED, {}, purposes=("P", "T"))) == {"ldh_ratio": 2.0}


@pytest.mark.parametrize("text", ["", "MSH", "MSH|", "MSH|^", "MSH^^^^", "MSHMSHMSH", "\x00\xff", "MSH|^~\\&|" * 400])
def test_any_beginning_has_a_header(text: str) -> None:
    header = header_of(text)
    assert len(header.delimiters) >= 4
    with pytest.raises(Refused):
        statements_of_message(text, RECEIVED, {})


@pytest.mark.parametrize("length", range(0, len(message(LDH)), 7))
def test_a_message_cut_anywhere_is_read_or_refused(length: int) -> None:
    try:
        found = statements_of_message(message(LDH)[:length], RECEIVED, {})
    except Refused:
        return
    assert found.patient_key.startswith("HOSP~7") or found.patient_key.startswith("~7")


@pytest.mark.parametrize("delimiters", ["^^\\&", "^~\\&|", "ab\\&", "^~\\&#!"])
def test_delimiters_that_cannot_be_are_refused(delimiters: str) -> None:
    with pytest.raises(Refused):
        statements_of_message(message(LDH).replace("^~\\&", delimiters, 1), RECEIVED, {})


@pytest.mark.parametrize("delimiters", ["^~\\&#", "^~\\"])
def test_the_truncation_character_of_v2_7_and_a_sender_without_subcomponents(delimiters: str) -> None:
    text = message(LDH).replace("^~\\&", delimiters, 1).replace("2.5.1", "2.7.1")
    assert values(statements_of_message(text, RECEIVED, {})) == {"ldh_ratio": 2.0}


def test_damaged_bytes_are_read_or_refused() -> None:
    """Random damage, the same in every run: nothing else than a refusal may come out."""
    luck, refused = random.Random(7), 0
    whole = message(
        LDH, obx("CWE", "C^Cell of origin^L", "X^GCB^L"), obx("SN", "2532-0^LDH^LN", "^480", "U/L")
    ).encode()
    for _ in range(1500):
        data = bytearray(whole)
        for _ in range(luck.randint(1, 6)):
            at = luck.randrange(len(data))
            data[at : at + luck.choice((0, 1, 1, 20))] = bytes(
                luck.choices(b'|^~\\&\r\n\x00\xff"0I9.-', k=luck.randint(0, 3))
            )
        try:
            statements_of_message(decoded(bytes(data), "UNICODE UTF-8"), RECEIVED, {})
        except Refused:
            refused += 1
    assert 0 < refused < 1500
