"""`bbert report` over hundreds of runs: seconds, page size, and what it opens.

    python benchmarks/report.py                300 runs
    python benchmarks/report.py --runs N       another number, in steps of 15

The runs are written by hand, as those of the tests: of every 15 one corpus, four models with 400
logged steps, eight transfer runs of two seeds and two probes of 13 layers. Beside every one lies a
file of weights of 1 MB. The command runs in a process of its own, twice: the second time it finds
the report up to date. CPU seconds are those of that process.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1] / "tests" / "report"


def main() -> None:
    parser = argparse.ArgumentParser(description="`bbert report` over hundreds of runs")
    parser.add_argument("--runs", type=int, default=300)
    options = parser.parse_args()
    if options.runs < 15:
        parser.error("--runs: give at least 15, which is the smallest group of runs")
    sys.path.insert(0, str(TESTS))
    from conftest import write_many

    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        runs = write_many(work, options.runs)
        for run in runs:
            (run / "model").mkdir()
            (run / "model" / "model.safetensors").write_bytes(bytes(1_000_000))
        print("| runs | | seconds | CPU seconds | page | figures as files |")
        print("|---|---|---|---|---|---|")
        for which in ("written", "up to date"):
            seconds, processor = timed(work)
            report = work / "reports" / "all"
            page = (report / "report.html").stat().st_size
            figures = len(list((report / "figures").glob("*.svg")))
            took = f"{seconds:.1f} | {processor:.1f}"
            print(f"| {len(runs)} | {which} | {took} | {page / 1e6:.2f} MB | {figures} |")


def timed(work: Path) -> tuple[float, float]:
    """Seconds and CPU seconds of one `bbert report`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    command = [sys.executable, "-m", "bbert", "report", "--work", str(work), "--quiet"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, spent


if __name__ == "__main__":
    main()
