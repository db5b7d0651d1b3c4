"""`layercraft plan` against the resolution that it begins with: seconds, bytes, and the later build."""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from commands import for_target, layercraft
from measuring import MB, interleaved, machine, open_bench, table, verdict

from layercraft import Target

if TYPE_CHECKING:
    from measuring import Bench

RECIPE = "sklearn"
TARGETS = (Target.parse("3.13", "x86_64"), Target.parse("3.12", "arm64"))
TIMES_AT_MOST = 3.0
SHARE_AT_MOST = 0.02


def main() -> int:
    """Measure the targets, print the table, and tell what was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs of each command; their median counts")
    runs = parser.parse_args().runs
    print(machine())
    rows: list[list[str]] = []
    missed: list[str] = []
    with open_bench() as bench:
        for target in TARGETS:
            row, found = measure(bench, target, runs)
            rows.append(row)
            missed += found
    print(f"\n{RECIPE}, empty caches, median of {runs}\n")
    print(table(["target", "lock, s", "plan, s", "ratio", "read, MB", "of wheels", "unzipped bytes"], rows))
    return verdict(missed)


def measure(bench: Bench, target: Target, runs: int) -> tuple[list[str], list[str]]:
    """Give a target's row of the table, and what it missed."""
    jobs = {command: partial(cold, bench, target, command) for command in ("lock", "plan")}
    interleaved(jobs, 1)  # does not count: the machine and the index warm up
    series = interleaved(jobs, runs)
    plan = told(bench, target, "plan", "--json")["plans"][0]
    build = told(bench, target, "build", "--json", "--no-check")["layers"][0]
    ratio = series["plan"].median / series["lock"].median
    share = plan["fetched"] / plan["wheels"]
    unzipped = [each["sizes"]["unzipped"] for each in (plan, build)]
    row = [str(target), str(series["lock"]), str(series["plan"]), f"{ratio:.2f}"]
    row += [f"{plan['fetched'] / MB:.2f}", f"{share:.2%}", f"{unzipped[0]:,}"]
    missed = []
    if ratio > TIMES_AT_MOST:
        missed.append(f"{target}: plan takes {ratio:.2f} times as long as lock, target {TIMES_AT_MOST}")
    if share > SHARE_AT_MOST:
        missed.append(f"{target}: plan reads {share:.2%} of the wheels, target {SHARE_AT_MOST:.0%}")
    if not plan["bounds"] and unzipped[0] != unzipped[1]:
        missed.append(f"{target}: planned {unzipped[0]:,} bytes unzipped, built {unzipped[1]:,}")
    return row, missed


def cold(bench: Bench, target: Target, command: str) -> float:
    """Run a command with an empty cache, and give its seconds."""
    with bench.brief(command) as folder:
        options = [RECIPE, *for_target(target), "--cache-dir", str(folder / "cache"), "--quiet"]
        return bench.measure(layercraft(command, *options), folder).seconds


def told(bench: Bench, target: Target, command: str, *options: str) -> dict[str, Any]:
    """Run a command with an empty cache, and give its document."""
    with bench.brief(command) as folder:
        where = ("--cache-dir", str(folder / "cache"), "--quiet")
        run = bench.measure(layercraft(command, RECIPE, *for_target(target), *where, *options), folder)
    return dict(json.loads(run.output))


if __name__ == "__main__":
    sys.exit(main())
