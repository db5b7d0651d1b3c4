"""Pins compared: `layercraft lock` against `uv pip compile`, same requirements and targets."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from commands import layercraft, requiring, uv_compile
from measuring import machine, open_bench, table, verdict
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version
from requirement_sets import SETS

from layercraft import Target, open_sources
from layercraft.errors import LayercraftError
from layercraft.resolution.candidates import WheelSelector

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from measuring import Bench

TARGETS = tuple(
    Target.parse(version, architecture)
    for version in ("3.12", "3.13", "3.14")
    for architecture in ("x86_64", "arm64")
)
OLD_GLIBC = Target.parse("3.11", "x86_64")
OLD_GLIBC_SET, OLD_GLIBC_NUMPY = ("lightgbm", "pandas"), "2.2.6"
"""Newer numpy has wheels for glibc 2.27 and later only: a resolver must see that and step back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a tool chose, name -> version; or why it chose nothing."""

    pins: Mapping[NormalizedName, str] = field(default_factory=dict)
    refusal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Both answers for one set and target; each difference with its explanation, empty for none."""

    requirements: str
    target: Target
    ours: Answer
    differences: Mapping[str, str]

    def __str__(self) -> str:
        chosen = "none" if self.ours.refusal else str(len(self.ours.pins))
        return f"{chosen} =" if not self.differences else f"{chosen} ≠ {len(self.differences)}"


def main() -> int:
    """Compare all sets for all targets, print the table and every difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", metavar="WORD", default="", help="only the sets that hold this word")
    only = parser.parse_args().only
    print(machine())
    with open_bench() as bench:
        cache = bench.fresh("cache")
        sets = [requirements for requirements in SETS if only in " ".join(requirements)]
        compared = [[compare(bench, cache, each, target) for target in TARGETS] for each in sets]
        numpy = ours(bench, cache, OLD_GLIBC_SET, OLD_GLIBC).pins.get(canonicalize_name("numpy"))
    head = ["set: number of pins, = uv's", *(str(target).removeprefix("python") for target in TARGETS)]
    print("\n" + table(head, [[row[0].requirements, *map(str, row)] for row in compared]) + "\n")
    print(f"{' '.join(OLD_GLIBC_SET)} for {OLD_GLIBC}: numpy {numpy} (expected {OLD_GLIBC_NUMPY})")
    missed = [line for row in compared for each in row for line in told(each)]
    if numpy != OLD_GLIBC_NUMPY:
        missed.append(f"{' '.join(OLD_GLIBC_SET)} for {OLD_GLIBC}: numpy {numpy}, not {OLD_GLIBC_NUMPY}")
    return verdict(missed)


def told(each: Comparison) -> list[str]:
    """Print a comparison's refusal and explained differences; give those without an explanation."""
    where = f"{each.requirements} for {each.target}"
    if each.ours.refusal and not each.differences:
        print(f"both refuse {where}: {each.ours.refusal}")
    for difference, explanation in each.differences.items():
        if explanation:
            print(f"{where}: {difference}: {explanation}")
    return [f"{where}: {text}: no explanation" for text, why in each.differences.items() if not why]


def compare(bench: Bench, cache: Path, requirements: Sequence[str], target: Target) -> Comparison:
    """Ask both tools, and explain each difference as far as the index explains it."""
    left, right = ours(bench, cache, requirements, target), uvs(bench, cache, requirements, target)
    differences: dict[str, str] = {}
    if bool(left.refusal) != bool(right.refusal):
        differences[left.refusal or right.refusal] = ""
    elif left.pins != right.pins:
        for name in sorted({*left.pins, *right.pins}):
            one, other = left.pins.get(name, ""), right.pins.get(name, "")
            if one != other:
                text = f"{name}: layercraft {one or 'without'}, uv {other or 'without'}"
                differences[text] = explanation(cache, name, one, other, target)
    return Comparison(requirements=" ".join(requirements), target=target, ours=left, differences=differences)


def explanation(cache: Path, name: NormalizedName, one: str, other: str, target: Target) -> str:
    """Say which rule makes the tools differ on a version; empty when none does."""
    for version in (one, other):
        if version and Version(version).is_prerelease:
            return f"{version} is a pre-release, which each tool admits by its own rule"
    with open_sources(cache_dir=cache / "ours") as sources:
        page = sources.index().page(name)
    if other and Version(other) not in WheelSelector(target).candidates(name, page):
        return f"{other} has no wheel for {target}"
    return ""


def ours(bench: Bench, cache: Path, requirements: Sequence[str], target: Target) -> Answer:
    """Give layercraft's answer.

    Raises:
        SystemExit: it failed for another reason than the requirements.
    """
    with bench.brief("lock") as folder:
        where = ("--cache-dir", str(cache / "ours"), "--output", str(folder), "--json")
        run = bench.run(layercraft("lock", *requiring(requirements, target), *where))
    document = json.loads(run.output or "{}")
    if error := document.get("error"):
        if error["kind"] != "NoSolutionError":
            raise SystemExit(f"{' '.join(requirements)} for {target}: {error['message']}")
        return Answer(refusal=f"{error['message']}\n  hint: {error['hint']}")
    if run.code:
        raise SystemExit(f"{' '.join(requirements)} for {target}: exit {run.code}\n{run.errors}")
    pins = document["locks"][0]["pins"]
    return Answer(pins={canonicalize_name(pin["name"]): pin["version"] for pin in pins})


def uvs(bench: Bench, cache: Path, requirements: Sequence[str], target: Target) -> Answer:
    """Give uv's answer.

    Raises:
        SystemExit: it failed for another reason than the requirements.
    """
    listed = cache / "requirements.in"
    listed.write_text("\n".join(requirements) + "\n", encoding="utf-8")
    run = bench.run(uv_compile(target, listed, "--cache-dir", str(cache / "uv")))
    if run.code and "No solution found" in run.errors:
        return Answer(refusal=run.errors)
    if run.code:
        raise SystemExit(f"uv, {' '.join(requirements)} for {target}: exit {run.code}\n{run.errors}")
    lines = [Requirement(line) for line in run.output.splitlines()]
    return Answer(
        pins={canonicalize_name(line.name): str(line.specifier).removeprefix("==") for line in lines}
    )


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LayercraftError as error:
        sys.exit(error.message)
