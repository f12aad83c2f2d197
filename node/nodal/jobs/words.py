"""A person's words on candidates: kept in the job's folder, never changed there, handed on to every later revision.

A word names its candidate by the place of its hottest voxel, which stays where it is when lesions are renumbered. The
job that a word was said of is finished and stays as it is; the word stands in the folder of the revision it caused.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from pydantic import TypeAdapter

from nodal.findings import WordsUsed
from nodal.jobs.workspace import Workspace

__all__ = [
    "SAME_PLACE_MM",
    "WORDS_FILE",
    "Word",
    "decided_by",
    "read_words",
    "same_place",
    "with_word",
    "word_on",
    "words_used",
    "write_words",
]

WORDS_FILE = "words.json"

SAME_PLACE_MM = 0.1
"""Two places this near are the same voxel: far below any PET's voxel, far above what six digits of a place lose."""


@dataclass(frozen=True)
class Word:
    """What a person said of one candidate.

    Attributes:
        hottest_mm: the candidate's hottest voxel, LPS. is_lesion: take it for a lesion, or leave it out.
        by: who said it, as in the audit trail. at: DICOM DT in UTC, to the second.
    """

    hottest_mm: tuple[float, float, float]
    is_lesion: bool
    by: str
    at: str


_WORDS: TypeAdapter[tuple[Word, ...]] = TypeAdapter(tuple[Word, ...])


def read_words(workspace: Workspace) -> tuple[Word, ...]:
    """The words that hold for a job, oldest first; none where nobody said anything."""
    if not workspace.path(WORDS_FILE).exists():
        return ()
    return _WORDS.validate_python(workspace.read_json(WORDS_FILE))


def write_words(workspace: Workspace, words: Sequence[Word]) -> None:
    """Writes the words of a new job, before any of its stages runs."""
    workspace.write_json(WORDS_FILE, [asdict(word) for word in words])


def with_word(words: Sequence[Word], new: Word) -> tuple[Word, ...]:
    """The words with one more; an earlier one on the same candidate gives way to it."""
    return (*(word for word in words if not same_place(word.hottest_mm, new.hottest_mm)), new)


def word_on(words: Sequence[Word], hottest_mm: tuple[float, float, float]) -> Word | None:
    """The word on the candidate whose hottest voxel is here; None where nobody said anything of it."""
    return next((word for word in words if same_place(word.hottest_mm, hottest_mm)), None)


def decided_by(
    words: Sequence[Word], hottest_mm: tuple[float, float, float], *, is_lesion: bool
) -> Literal["person"] | None:
    """Who made a candidate what it is now: "person" where a word on it says just that."""
    word = word_on(words, hottest_mm)
    return "person" if word is not None and word.is_lesion == is_lesion else None


def words_used(words: Sequence[Word]) -> WordsUsed | None:
    """What the findings record of the words: neither who said them nor in which order; None without any."""
    if not words:
        return None
    said = sorted([*(round(part, 1) for part in word.hottest_mm), word.is_lesion] for word in words)
    digest = hashlib.sha256(json.dumps(said).encode()).hexdigest()
    return WordsUsed(len(words), digest, max(word.at for word in words))


def same_place(one: tuple[float, float, float], other: tuple[float, float, float]) -> bool:
    """Whether two places, LPS in mm, are the same voxel's."""
    return math.dist(one, other) <= SAME_PLACE_MM
