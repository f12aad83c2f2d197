"""``make bench``: every benchmark, one after the other. None of them is a test: they print what they measured.

python -m tests.benchmarks [receive] [pipeline] [encode] [simulate] [evaluate] [networks] [radiomics] [dfr]
"""

from __future__ import annotations

import sys

from tests.benchmarks import dfr, encode, evaluate, networks, pipeline, radiomics, receive, simulate

BENCHMARKS = {
    "receive": receive.main,
    "pipeline": pipeline.main,
    "encode": encode.main,
    "simulate": simulate.main,
    "evaluate": evaluate.main,
    "networks": networks.main,
    "radiomics": radiomics.main,
    "dfr": dfr.main,
}

if __name__ == "__main__":
    wanted = sys.argv[1:] or list(BENCHMARKS)
    sys.argv[1:] = []
    for name in wanted:
        BENCHMARKS[name]()
