"""A full-size study through the pipeline: seconds per stage, peak memory, and the time to build SEG, SR and PDF.

The study is a virtual patient with a 168 x 168 PET and a 512 x 512 CT over the whole body.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from nodal.findings import from_json
from nodal.jobs.process import process_folder
from nodal.settings import Settings
from nodal.simulate import Order, simulate
from rich.console import Console
from rich.table import Table

__all__ = ["main"]

TARGET_S = {"encode": 2.0}
TARGET_TOTAL_S = 60.0
TARGET_GB = 8.0


def _measure(study: Path, out: Path) -> None:
    """In a process of its own, so that the peak of memory is the pipeline's alone."""
    process_folder(study, out, Settings())
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    (out / "peak.json").write_text(json.dumps({"peak_gb": peak_gb}))


def main() -> None:
    """Prints a table and a line of JSON."""
    console = Console()
    with tempfile.TemporaryDirectory(prefix="nodal-bench-") as name:
        folder = Path(name)
        (made,) = simulate(Order(range(1, 2), folder / "virtual"))
        out = folder / "out"
        out.mkdir()
        subprocess.run([sys.executable, "-m", __spec__.name, str(made.study), str(out)], check=True)
        findings = from_json(out / "findings.json")
        peak_gb = json.loads((out / "peak.json").read_text())["peak_gb"]
    seconds = findings.provenance.stage_seconds
    table = Table("stage", "seconds", "target", title="One whole-body study, from files to result objects, on the CPU")
    for stage, spent in seconds.items():
        table.add_row(stage, f"{spent:.2f}", f"{TARGET_S[stage]:.0f}" if stage in TARGET_S else "")
    table.add_row("all", f"{sum(seconds.values()):.2f}", f"{TARGET_TOTAL_S:.0f}", style="bold")
    table.add_row("peak memory, GB", f"{peak_gb:.2f}", f"{TARGET_GB:.0f}")
    console.print(table)
    console.print_json(data={"pipeline": {"seconds": seconds, "peak_gb": round(peak_gb, 2)}})


if __name__ == "__main__":
    _measure(Path(sys.argv[1]), Path(sys.argv[2]))
