"""Commands that train a prognosis bundle on a cohort."""

from __future__ import annotations

__all__: list[str] = []
