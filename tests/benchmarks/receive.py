"""How fast instances are received: the node's listener beside DCMTK's storescp, with one and with four associations.

    python -m tests.benchmarks.receive --instances 400 --json receive.json

Both receive the same CT slices (512 x 512, 16 bits) from DCMTK's storescu, over loopback, in one run, with TCP_NODELAY
on every side. The listener fsyncs each instance before it answers, storescp does not; what the disk itself does with
such files, written and fsynced by as many threads, is printed beside them. Rates are of pixel files, in MB/s.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from nodal.audit import Trail
from nodal.intake.listener import Listener
from nodal.intake.spool import Spool
from nodal.settings import ListenerSettings
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from rich.console import Console
from rich.table import Table

__all__ = ["main"]

TARGET_MB_S = 312.0  # 2.5 Gb/s
ENVIRONMENT = {**os.environ, "TCP_NODELAY": "1"}
ASSOCIATIONS = (1, 4)


@dataclass(frozen=True)
class Rate:
    """What one receiver took in over a number of associations; ``cores`` is CPU time over wall time, where known."""

    receiver: str
    associations: int
    instances: int
    seconds: float
    mb_per_s: float
    cores: float | None = None


def slices(folder: Path, count: int) -> list[Path]:
    """Writes CT slices of one series, with noise as scanners have it: not to be compressed away."""
    folder.mkdir()
    random, study, series = np.random.default_rng(1), generate_uid(), generate_uid()
    paths = []
    for number in range(count):
        made = Dataset()
        made.file_meta = FileMetaDataset()
        made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        made.SOPClassUID, made.SOPInstanceUID, made.Modality = CTImageStorage, generate_uid(), "CT"
        made.StudyInstanceUID, made.SeriesInstanceUID, made.InstanceNumber = study, series, number
        made.Rows = made.Columns = 512
        made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 12, 11, 0
        made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
        made.PixelData = random.integers(0, 4096, (512, 512), dtype=np.uint16).tobytes()
        paths.append(folder / f"{number}.dcm")
        made.save_as(paths[-1], enforce_file_format=True)
    return paths


def serve(folder: Path) -> None:
    """The listener in a process of its own; its port goes to stdout, its CPU time too when stdin closes."""
    spool = Spool(folder / "spool", folder / "quarantine", floor_bytes=0)
    listener = Listener(ListenerSettings(port=0), spool, Trail(folder / "audit"))
    listener.start()
    (folder / "port").write_text(str(listener.port))
    while line := sys.stdin.readline():
        (folder / line.strip()).write_text(str(time.process_time()))
    listener.stop()


@contextmanager
def nodal(folder: Path) -> Iterator[tuple[int, Callable[[], float] | None]]:
    """The node's listener: its port, and a way to ask for its CPU time."""
    folder.mkdir()
    command = [sys.executable, "-m", "tests.benchmarks.receive", "--serve", str(folder)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    asked = 0

    def cpu_s() -> float:
        nonlocal asked
        asked += 1
        answer = folder / f"cpu{asked}"
        assert process.stdin is not None
        process.stdin.write(f"{answer.name}\n")
        process.stdin.flush()
        while not answer.exists() or not answer.read_text():
            time.sleep(0.01)
        return float(answer.read_text())

    try:
        while not (folder / "port").exists() or not (folder / "port").read_text():
            time.sleep(0.02)
        yield int((folder / "port").read_text()), cpu_s
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(30)


@contextmanager
def storescp(folder: Path) -> Iterator[tuple[int, Callable[[], float] | None]]:
    """DCMTK's receiver, a process for each association."""
    folder.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = ["storescp", "--fork", "--bit-preserving", "-aet", "NODAL", "-od", str(folder), str(port)]
    process = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.DEVNULL)
    try:
        while socket.socket().connect_ex(("127.0.0.1", port)):
            time.sleep(0.02)
        yield port, None
    finally:
        process.terminate()
        process.wait()


def send(paths: list[Path], port: int, associations: int) -> float:
    """Sends all, spread over as many storescu; returns the seconds from the first start to the last end."""
    begun = time.perf_counter()
    senders = []
    for part in range(associations):
        command = ["storescu", "-aec", "NODAL", "127.0.0.1", str(port), *map(str, paths[part::associations])]
        senders.append(subprocess.Popen(command, env=ENVIRONMENT))
    if any(sender.wait() for sender in senders):
        raise RuntimeError("storescu failed")
    return time.perf_counter() - begun


def disk(paths: list[Path], folder: Path, threads: int) -> float:
    """Writes, fsyncs and names copies as the spool does, without any network; returns the seconds."""
    folder.mkdir()
    contents = [path.read_bytes() for path in paths]
    directory = os.open(folder, os.O_RDONLY)

    def write(number: int) -> None:
        part = folder / f"{number}.part"
        with part.open("wb", buffering=0) as stream:
            stream.write(contents[number])
            os.fsync(stream.fileno())
        part.rename(folder / f"{number}.dcm")
        os.fsync(directory)

    begun = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(write, range(len(paths))))
    os.close(directory)
    return time.perf_counter() - begun


def measure(folder: Path, count: int) -> list[Rate]:
    """One run of everything."""
    paths = slices(folder / "slices", count)
    megabytes = sum(path.stat().st_size for path in paths) / 1e6
    rates = []
    for associations in ASSOCIATIONS:
        for name, receiver in (("nodal, fsync", nodal), ("storescp, no fsync", storescp)):
            with receiver(folder / f"{name.split(',')[0]}{associations}") as (port, cpu_s):
                send(paths[:8], port, 1)  # the first association pays for imports
                before = cpu_s() if cpu_s else 0.0
                seconds = send(paths[8:], port, associations)
                cores = (cpu_s() - before) / seconds if cpu_s else None
            share = megabytes * (count - 8) / count
            rates.append(Rate(name, associations, count - 8, seconds, share / seconds, cores))
        seconds = disk(paths, folder / f"disk{associations}", associations)
        rates.append(Rate("disk alone, fsync", associations, count, seconds, megabytes / seconds))
    return rates


def show(rates: list[Rate], console: Console) -> None:
    """The table."""
    table = Table(title="Receive rate", caption=f"target {TARGET_MB_S:.0f} MB/s with four associations, fsynced")
    for heading in ("receiver", "associations", "instances", "seconds", "MB/s", "of storescp", "CPU cores"):
        table.add_column(heading, justify="left" if heading == "receiver" else "right")
    for rate in rates:
        peer = next(r for r in rates if r.associations == rate.associations and r.receiver.startswith("storescp"))
        table.add_row(
            rate.receiver,
            str(rate.associations),
            str(rate.instances),
            f"{rate.seconds:.2f}",
            f"{rate.mb_per_s:.0f}",
            f"{rate.mb_per_s / peer.mb_per_s:.2f}",
            "" if rate.cores is None else f"{rate.cores:.2f}",
        )
    console.print(table)


def run(
    instances: Annotated[int, typer.Option(help="CT slices of half a megabyte to send in each round.")] = 400,
    json_file: Annotated[Path | None, typer.Option("--json", help="File for the figures.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Where to write; on the disk that is to be measured.")] = None,
    serve_in: Annotated[Path | None, typer.Option("--serve", hidden=True)] = None,
) -> None:
    """Measures, prints a table, and writes or prints the figures as JSON."""
    if serve_in is not None:
        serve(serve_in)
        return
    console = Console()
    if shutil.which("storescp") is None or shutil.which("storescu") is None:
        console.print("receive: DCMTK is not installed")
        return
    with tempfile.TemporaryDirectory(prefix="nodal-receive-", dir=folder) as name:
        rates = measure(Path(name), instances)
    show(rates, console)
    figures = json.dumps({"cores": os.cpu_count(), "rates": [asdict(rate) for rate in rates]})
    if json_file is not None:
        json_file.write_text(figures + "\n", encoding="utf-8")
    else:
        console.print_json(figures)


def main() -> None:
    """With the defaults."""
    run()


if __name__ == "__main__":
    typer.run(run)
