"""The anatomy network on both generators: figures as JSON, and the tables of its card.

python -m tests.acceptance.anatomy --run DIR --out DIR [--patients 80]
"""

from __future__ import annotations

import sys

from lymphoma.anatomy.evaluate import Truth, generator_a, judge, opened, options, report
from lymphoma.logs import log_to_stderr

from tests.acceptance.segmentation import GeneratorB

__all__ = ["TRUTH_B", "main"]

TRUTH_B = Truth({"muscles": "skeletal_muscle", "torso_fat": "subcutaneous_fat", "mediastinum": "subcutaneous_fat"})
"""Generator B's own words for what the network calls muscle and background."""


def main(arguments: list[str] | None = None) -> int:
    given = options("tests.acceptance.anatomy").parse_args(arguments)
    log_to_stderr()
    engine, kept = opened(given)
    figures = [
        *judge(generator_a(given.patients), engine, kept),
        *judge(GeneratorB(given.patients), engine, kept, TRUTH_B),
    ]
    sys.stdout.write(report(figures, given.out))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
