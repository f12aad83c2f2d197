"""Free text of headers, made comparable."""

from __future__ import annotations

import re
import unicodedata

from pydicom import Dataset

__all__ = ["described", "plain"]


def plain(text: str) -> str:
    """Lower case, without accents, every run of other than letters and digits as one space, padded by spaces.

    >>> plain("WB_NAC (Après 2 cures)")
    ' wb nac apres 2 cures '
    """
    bare = "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))
    return f" {re.sub(r'[^a-z0-9]+', ' ', bare).strip()} "


def described(header: Dataset, *keywords: str) -> str:
    """The named text elements of a header, each made :func:`plain`, apart from one another by a bar."""
    return "|".join(plain(str(header.get(keyword) or "")) for keyword in keywords)
