"""PDF pages as pixels, by PDFium: what is drawn once is read as a document and as a picture."""

from __future__ import annotations

import threading

import numpy as np
import numpy.typing as npt
import pypdfium2

__all__ = ["rgb_pages"]

# PDFium keeps state of its own and may be entered by one thread at a time.
_ONE_AT_A_TIME = threading.Lock()


def rgb_pages(pdf: bytes, scale: float) -> list[npt.NDArray[np.uint8]]:
    """Every page on white, shape (rows, columns, 3), RGB, uint8.

    Args:
        scale: pixels for each point (1/72 inch).
    """
    with _ONE_AT_A_TIME:
        document = pypdfium2.PdfDocument(pdf)
        try:
            return [_pixels(page, scale) for page in document]
        finally:
            document.close()


def _pixels(page: pypdfium2.PdfPage, scale: float) -> npt.NDArray[np.uint8]:
    bitmap = page.render(scale=scale, rev_byteorder=True, prefer_bgrx=False, optimize_mode=None)
    try:
        return np.array(bitmap.to_numpy()[..., :3], dtype=np.uint8)
    finally:
        bitmap.close()
        page.close()
