"""Commands that judge prognosis bundles on a cohort."""

from __future__ import annotations

__all__: list[str] = []
