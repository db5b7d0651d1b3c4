"""From requirements to a layer's zip: layercraft against uv and pip with zip, in one run."""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING
from zipfile import ZipFile

from commands import layercraft, pip_install, requiring, uv_install, zip_folder
from measuring import MB, Series, interleaved, machine, open_bench, table, verdict

from layercraft import Target

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from measuring import Bench

TARGET = Target.parse("3.12", "x86_64")
REQUIREMENTS = ("scikit-learn", "pandas")
ZIPPED = {"zip -r": (), "zip -r9": ("-9",)}
INSTALLERS_OWN = re.compile(
    r"\.lock|bin/[^/]+|[^/]+\.dist-info/(INSTALLER|REQUESTED|RECORD|direct_url\.json|uv_.+\.json)"
)
"""What an installer adds of its own, wrappers of entry points too: no part of the comparison of files."""

OURS_EMPTY = "layercraft --no-check, empty cache"
OURS_CHECKED = "layercraft, empty cache"
OURS_WARM = "layercraft, warm cache"
UV_EMPTY = "uv, empty cache"
UV_WARM = "uv, warm cache"
PIP = "pip"
HELP = "layercraft --help"


@dataclass(slots=True)
class Workshop:
    """Makes the layer in each way; remembers sizes and peaks."""

    bench: Bench
    requirements: Path
    warm: Path
    installed: Path
    peak: int = 0
    zipped: dict[str, int] = field(default_factory=dict)
    names: dict[str, set[str]] = field(default_factory=dict)

    def ours(self, *, check: bool, cache: Path | None = None) -> float:
        """Build with layercraft; without `cache`, an empty one is used."""
        with self.bench.brief("ours") as folder:
            where = ("--cache-dir", str(cache or folder / "cache"), "--output", str(folder))
            how = ("--preset", "none", "--runtime-packages", "include", "--check" if check else "--no-check")
            command = layercraft("build", *requiring(REQUIREMENTS, TARGET), *how, *where)
            run = self.bench.measure(command)
            self.peak = max(self.peak, run.peak)
            self._note("layercraft", folder / f"layer_{TARGET.stem}.zip")
        return run.seconds

    def uv(self, cache: Path | None = None) -> float:
        """Install with uv; without `cache`, an empty one is used."""
        with self.bench.brief("uv") as folder:
            where = ("--cache-dir", str(cache or folder / "cache"))
            command = uv_install(TARGET, self.requirements, folder / "python", *where)
            return self.bench.measure(command).seconds

    def pip(self) -> float:
        """Install with pip, without a cache."""
        with self.bench.brief("pip") as folder:
            command = pip_install(TARGET, self.requirements, folder / "python")
            return self.bench.measure(command).seconds

    def zip(self, label: str) -> float:
        """Pack what uv installed."""
        with self.bench.brief("zip") as folder:
            archive = folder / "layer.zip"
            run = self.bench.measure(zip_folder(archive, "python", *ZIPPED[label]), self.installed)
            self._note(label, archive)
        return run.seconds

    def help(self) -> float:
        """Show the help."""
        return self.bench.measure(layercraft("--help")).seconds

    def jobs(self) -> dict[str, Callable[[], float]]:
        """Give all that is measured, by name."""
        return {
            OURS_EMPTY: lambda: self.ours(check=False),
            UV_EMPTY: self.uv,
            OURS_CHECKED: lambda: self.ours(check=True),
            UV_WARM: lambda: self.uv(self.warm),
            OURS_WARM: lambda: self.ours(check=True, cache=self.warm / "ours"),
            HELP: self.help,
            **{label: partial(self.zip, label) for label in ZIPPED},
            PIP: self.pip,
        }

    def _note(self, label: str, archive: Path) -> None:
        self.zipped[label] = archive.stat().st_size
        with ZipFile(archive) as opened:
            files = [name.removeprefix("python/") for name in opened.namelist() if not name.endswith("/")]
        self.names[label] = {name for name in files if not INSTALLERS_OWN.fullmatch(name)}


def main() -> int:
    """Measure everything in turns, print the table, and tell which targets were missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs of each command; their median counts")
    options = parser.parse_args()
    print(machine())
    with open_bench() as bench:
        workshop = open_workshop(bench)
        taken = interleaved(workshop.jobs(), options.runs)
    joined = with_sums(taken)
    print(f"\n{' '.join(REQUIREMENTS)} for {TARGET}, seconds, median of {options.runs}\n")
    base = joined[OURS_EMPTY].median
    rows = [
        [label, str(series), f"{series.median / base:.1f}x", size(workshop, label)]
        for label, series in joined.items()
    ]
    print(table(["what", "seconds", "to the first", "zip bytes"], rows))
    return verdict(missed(joined, workshop))


def open_workshop(bench: Bench) -> Workshop:
    """Fill the warm caches and lay out the folder that zip packs."""
    requirements = bench.fresh("set") / "requirements.in"
    requirements.write_text("\n".join(REQUIREMENTS) + "\n", encoding="utf-8")
    warm, installed = bench.fresh("warm"), bench.fresh("installed")
    workshop = Workshop(bench=bench, requirements=requirements, warm=warm, installed=installed)
    bench.measure(uv_install(TARGET, requirements, installed / "python", "--cache-dir", str(warm)))
    workshop.ours(check=True, cache=warm / "ours")
    workshop.peak = 0
    return workshop


def with_sums(taken: dict[str, Series]) -> dict[str, Series]:
    """Put what belongs together beside each other: each installer alone, then with zip."""

    def joined(installer: str, packer: str) -> Series:
        pairs = zip(taken[installer].seconds, taken[packer].seconds, strict=True)
        return Series([first + second for first, second in pairs])

    return {
        OURS_EMPTY: taken[OURS_EMPTY],
        OURS_CHECKED: taken[OURS_CHECKED],
        UV_EMPTY: taken[UV_EMPTY],
        **{f"{UV_EMPTY} + {packer}": joined(UV_EMPTY, packer) for packer in ZIPPED},
        PIP: taken[PIP],
        f"{PIP} + zip -r9": joined(PIP, "zip -r9"),
        OURS_WARM: taken[OURS_WARM],
        UV_WARM: taken[UV_WARM],
        **{f"{UV_WARM} + {packer}": joined(UV_WARM, packer) for packer in ZIPPED},
        HELP: taken[HELP],
    }


def size(workshop: Workshop, label: str) -> str:
    """Give the bytes of the zip that a way makes; nothing for those that make none."""
    packer = label.rpartition(" + ")[2] if " + " in label else label.partition(" ")[0].rstrip(",")
    return f"{workshop.zipped[packer]:,}" if packer in workshop.zipped and label != HELP else ""


def missed(taken: dict[str, Series], workshop: Workshop) -> list[str]:
    """Name the targets that the figures miss, and print each with its figure."""
    slow = taken[f"{UV_EMPTY} + zip -r9"].median
    slow_warm = taken[f"{UV_WARM} + zip -r9"].median
    ours, warm = taken[OURS_EMPTY].median, taken[OURS_WARM].median
    unlike = workshop.names["layercraft"] ^ workshop.names["zip -r9"]
    share = workshop.zipped["layercraft"] / workshop.zipped["zip -r9"]
    claims = {
        f"empty cache: {ours / taken[UV_EMPTY].median:.2f} of uv's install (target 1.0)": (
            ours <= taken[UV_EMPTY].median
        ),
        f"empty cache: {slow / ours:.1f}x faster than uv + zip -r9 (target 15x)": slow >= 15 * ours,
        f"warm cache: {slow_warm / warm:.1f}x faster than uv + zip -r9 (target 40x)": slow_warm >= 40 * warm,
        f"zip: {share:.4f} of zip -r9's bytes (target 1.005)": share <= 1.005,
        f"files that only one of both has: {', '.join(sorted(unlike)[:9]) or 'none'}": not unlike,
        f"peak memory: {workshop.peak / MB:.0f} MB (target 150)": workshop.peak <= 150 * MB,
        f"{HELP}: {taken[HELP].median:.2f} s (target 0.3)": taken[HELP].median <= 0.3,
    }
    print("", *claims, sep="\n")
    return [claim for claim, held in claims.items() if not held]


if __name__ == "__main__":
    sys.exit(main())
