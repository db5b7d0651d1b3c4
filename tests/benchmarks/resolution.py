"""Resolution alone, whole processes, empty caches: `layercraft lock` against `uv pip compile`."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import TYPE_CHECKING

from commands import layercraft, requiring, uv_compile
from measuring import Series, interleaved, machine, open_bench, table, verdict
from requirement_sets import SETS

from layercraft import Target

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from measuring import Bench

TARGET = Target.parse("3.12", "x86_64")
MEDIAN_AT_MOST = {"json": 1.3, "simple": 0.8}
EACH_AT_MOST = 2.0
WARM_AT_MOST = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one set of requirements took: seconds of uv, and of layercraft with each index API."""

    requirements: str
    pins: int
    uv: Series
    ours: dict[str, Series]

    def ratio(self, api: str) -> float:
        """Give layercraft's median as a multiple of uv's."""
        return self.ours[api].median / self.uv.median

    def row(self) -> list[str]:
        """Give the set's row of the table."""
        cells = [cell for api in MEDIAN_AT_MOST for cell in (str(self.ours[api]), f"{self.ratio(api):.2f}")]
        return [self.requirements, str(self.pins), str(self.uv), *cells]


def main() -> int:
    """Measure all sets, print the table, and tell which targets were missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs of each command; their median counts")
    parser.add_argument("--only", metavar="WORD", default="", help="only the sets that hold this word")
    options = parser.parse_args()
    print(machine())
    with open_bench() as bench:
        sets = [requirements for requirements in SETS if options.only in " ".join(requirements)]
        figures = [measure(bench, requirements, options.runs) for requirements in sets]
        warm = measure_warm(bench, options.runs)
    head = ["set", "pins", "uv", "json", "/ uv", "simple", "/ uv"]
    print(f"\nSeconds for {TARGET}, empty caches, median of {options.runs}\n")
    print(table(head, [each.row() for each in figures]))
    for api, limit in MEDIAN_AT_MOST.items():
        ratio = median(each.ratio(api) for each in figures)
        print(f"median ratio, {api}: {ratio:.2f} (target {limit})")
    print(f"warm cache, {' '.join(SETS[0])}: {warm} s (target {WARM_AT_MOST})")
    return verdict(missed(figures, warm))


def missed(figures: Sequence[Figures], warm: Series) -> list[str]:
    """Name the targets that the figures miss."""
    found = []
    for api, limit in MEDIAN_AT_MOST.items():
        ratio = median(each.ratio(api) for each in figures)
        if ratio > limit:
            found.append(f"{api}: in the median {ratio:.2f} of uv's time, target {limit}")
        found += [
            f"{api}, {each.requirements}: {each.ratio(api):.2f} of uv's time, target {EACH_AT_MOST}"
            for each in figures
            if each.ratio(api) > EACH_AT_MOST
        ]
    if warm.median > WARM_AT_MOST:
        found.append(f"warm cache: {warm.median:.2f} s, target {WARM_AT_MOST}")
    return found


def measure(bench: Bench, requirements: Sequence[str], runs: int) -> Figures:
    """Measure one set in turns, after one run of each that does not count."""
    listed = bench.fresh("set") / "requirements.in"
    listed.write_text("\n".join(requirements) + "\n", encoding="utf-8")
    apis: dict[str, Callable[[], float]] = {
        api: partial(lock, bench, requirements, api) for api in MEDIAN_AT_MOST
    }
    compile_pins = uv_compile(TARGET, listed, "--no-cache")
    pins = len(bench.measure(compile_pins).output.splitlines())
    interleaved(apis, 1)
    taken = interleaved({"uv": lambda: bench.measure(compile_pins).seconds, **apis}, runs)
    figures = Figures(
        requirements=" ".join(requirements),
        pins=pins,
        uv=taken["uv"],
        ours={api: taken[api] for api in apis},
    )
    print("  ".join(figures.row()), flush=True)
    return figures


def lock(bench: Bench, requirements: Sequence[str], api: str) -> float:
    """Lock once with an empty cache."""
    with bench.brief("lock") as folder:
        return bench.measure(_lock(requirements, api, folder / "cache", folder)).seconds


def measure_warm(bench: Bench, runs: int) -> Series:
    """Lock the first set again and again with a full cache."""
    folder = bench.fresh("warm")
    command = _lock(SETS[0], "json", folder / "cache", folder)
    bench.measure(command)
    return Series([bench.measure(command).seconds for _ in range(runs)])


def _lock(requirements: Sequence[str], api: str, cache: Path, output: Path) -> list[str]:
    where = ("--cache-dir", str(cache), "--output", str(output), "--index-api", api)
    return layercraft("lock", *requiring(requirements, TARGET), *where)


if __name__ == "__main__":
    sys.exit(main())
