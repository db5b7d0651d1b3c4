"""Importing scikit-learn and pandas from a layer that nobody can write to: with and without bytecode."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from commands import for_target, layercraft
from measuring import MB, interleaved, machine, open_bench, table, verdict

from layercraft import Target
from layercraft.host.interpreters import find_interpreters

if TYPE_CHECKING:
    from measuring import Bench

    from layercraft.host.interpreters import Interpreter

RECIPE = "sklearn"
IMPORTS = "sklearn, sklearn.ensemble, sklearn.linear_model, pandas"
MODES = ("none", "unchecked-hash", "only")
RUNTIMES = ("3.12", "3.13", "3.11")
SHARE_AT_MOST = 0.45


def main() -> int:
    """Measure with the first Python that is here, print the table, and tell what was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs of each import; their median counts")
    runs = parser.parse_args().runs
    print(machine())
    target, interpreter = _python()
    with open_bench() as bench:
        layers = {mode: build(bench, target, interpreter, mode) for mode in MODES}
        jobs = {mode: partial(seconds, bench, interpreter, layers[mode]) for mode in MODES}
        interleaved(jobs, 1)  # does not count: the files come into memory
        series = interleaved(jobs, runs)
        sizes = {mode: size(layers[mode]) for mode in MODES}
    print(f"\nimport {IMPORTS} with {interpreter}, read-only, median of {runs}\n")
    shares = {mode: series[mode].median / series["none"].median for mode in MODES}
    rows = [
        [mode, str(series[mode]), f"{shares[mode]:.2f}", f"{sizes[mode] / MB:.1f}", f"{sizes[mode]:,}"]
        for mode in MODES
    ]
    print(table(["bytecode", "seconds", "of without", "unzipped, MB", "bytes"], rows, left=(0,)))
    return verdict(
        [
            f"{mode}: {shares[mode]:.2f} of the time without bytecode, target {SHARE_AT_MOST}"
            for mode in MODES[1:]
            if shares[mode] > SHARE_AT_MOST
        ]
    )


def _python() -> tuple[Target, Interpreter]:
    for runtime in RUNTIMES:
        target = Target.parse(runtime, platform.machine())
        found = find_interpreters(
            target.runtime.version,
            target.machine,
            search_path=os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""))),
            pyenv_root=Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv"),
        )
        if found:
            return target, found[0]
    raise SystemExit(f"this machine has no Python {', '.join(RUNTIMES)}")


def build(bench: Bench, target: Target, interpreter: Interpreter, mode: str) -> Path:
    """Build the layer with all that it needs, lay it out, and take the permission to write away."""
    folder = bench.fresh(mode)
    options = ("--bytecode", mode, "--python", str(interpreter.executable), "--runtime-packages", "include")
    where = ("--unpacked", "layer", "--cache-dir", str(bench.folder / "cache"), "--quiet")
    bench.measure(layercraft("build", RECIPE, *for_target(target), *options, *where), folder)
    for path, _, names in os.walk(folder / "layer", topdown=False):
        for name in (*names, ""):
            Path(path, name).chmod(0o555)
    return folder / "layer" / "python"


def seconds(bench: Bench, interpreter: Interpreter, layer: Path) -> float:
    """Import it all in a new process, and give its seconds."""
    code = f"import sys; sys.path.append({str(layer)!r}); import {IMPORTS}"
    return bench.measure([str(interpreter.executable), "-I", "-S", "-B", "-c", code]).seconds


def size(layer: Path) -> int:
    """Give the bytes of all files."""
    return sum(path.stat().st_size for path in layer.rglob("*") if path.is_file())


if __name__ == "__main__":
    sys.exit(main())
