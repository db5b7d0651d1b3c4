"""What stripping saves of scikit-learn and pandas, and the proof that the layer works as before."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

from commands import for_target, layercraft, tool
from measuring import MB, machine, open_bench, table, verdict

from layercraft import Target
from layercraft.formats.elf_comparison import loads_the_same
from layercraft.formats.elf_records import MAGIC

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from measuring import Bench

TARGETS = (Target.parse("3.12", "x86_64"), Target.parse("3.12", "arm64"))
SAVED_AT_LEAST = 8_200_000  # bytes
SLOWEST_VERDICT = 3.0  # seconds of the static engine that remembers nothing
ONLY_STATIC = 3  # the exit code of a pass without imports
LAYER_TOML = """
[cleanup]
preset = "safe"
strip = true

[verify]
imports = ["numpy.linalg", "pandas", "scipy.linalg", "scipy.stats", "sklearn.datasets", "sklearn.ensemble"]
script = "use.py"
"""
USE = """
import numpy, pandas
from scipy import linalg, optimize
from sklearn.datasets import make_classification
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

features, classes = make_classification(500, 20, random_state=0)
for model in (RandomForestClassifier(20, random_state=0), HistGradientBoostingClassifier()):
    assert model.fit(features, classes).score(features, classes) > 0.9
assert PCA(3).fit(features).explained_variance_.sum() > 3
assert abs(linalg.eigvals(numpy.eye(50) * 2).sum() - 100) < 1e-9
assert optimize.linprog([1, 2], [[-1, -1]], [-1]).fun == 1
assert list(pandas.DataFrame({"a": [1, 2, 3], "b": list("xyx")}).groupby("b").a.sum()) == [4, 2]
"""


def main() -> int:
    """Build, compare and run; print the table, and tell what was missed."""
    print(machine())
    rows: list[list[str]] = []
    missed: list[str] = []
    with open_bench() as bench:
        folder = bench.fresh("recipe")
        recipe = folder / "layers" / "layer"
        recipe.mkdir(parents=True)
        texts = {"requirements.txt": "scikit-learn\npandas\n", "layer.toml": LAYER_TOML, "use.py": USE}
        for name, text in texts.items():
            (recipe / name).write_text(text, encoding="utf-8")
        for target in TARGETS:
            row, found = measure(bench, folder, target)
            rows.append(row)
            missed += found
        missed += run(bench, folder)
    head = [
        "target",
        "files",
        "saved, bytes",
        "of them zipped",
        "first, s",
        "again, s",
        "peak, MB",
        "static, s",
    ]
    print("", table(head, rows), "", sep="\n")
    return verdict(missed)


def measure(bench: Bench, folder: Path, target: Target) -> tuple[list[str], list[str]]:
    """Give a target's row of the table, and what it missed."""
    where = (*for_target(target), "--cache-dir", str(folder / "cache"), "--json")
    build(bench, folder, *where, "--no-strip", "--output", "plain")
    first, document = build(bench, folder, *where)
    again, _ = build(bench, folder, *where)
    static = bench.run(
        layercraft("verify", document["zip"], "--engine", "static", "--cache-dir", str(bench.fresh("none"))),
        folder,
    )
    (change,) = (each for each in document["build"]["changes"] if each["rule"] == "debug symbols stripped")
    row = [str(target), f"{change['files']}", f"{change['saved']:,}", f"{change['saved_zipped']:,}"]
    row += [f"{first.seconds:.1f}", f"{again.seconds:.1f}", f"{first.peak / MB:.0f}", f"{static.seconds:.1f}"]
    name = f"layer_{target.stem}.zip"
    missed = [
        f"{target}: {line}" for line in differing(folder / "plain" / name, folder / "outputs" / name, folder)
    ]
    if target == TARGETS[0] and change["saved"] < SAVED_AT_LEAST:
        missed.append(f"{target}: {change['saved']:,} bytes saved, target {SAVED_AT_LEAST:,}")
    if static.code != ONLY_STATIC:
        missed.append(f"{target}: the static verdict is {static.code}\n{static.output}")
    if static.seconds > SLOWEST_VERDICT:
        missed.append(f"{target}: the static verdict takes {static.seconds:.1f} s, target {SLOWEST_VERDICT}")
    return row, missed


def build(bench: Bench, folder: Path, *options: str) -> tuple[Any, dict[str, Any]]:
    """Build the recipe; give how it ran, and its document."""
    ran = bench.measure(layercraft("build", "layer", *options), folder)
    (document,) = json.loads(ran.output)["layers"]
    return ran, document


def differing(plain: Path, stripped: Path, folder: Path) -> Iterator[str]:
    """Name the files of which something else is loaded than before, or that readelf complains about."""
    with ZipFile(plain) as before, ZipFile(stripped) as after:
        if set(before.namelist()) != set(after.namelist()):
            yield "the layers hold different files"
        for name in before.namelist():
            old, new = before.read(name), after.read(name)
            if old == new or name.endswith("/RECORD"):
                continue
            if not (old.startswith(MAGIC) and loads_the_same(old, new)):
                yield f"{name} is not what it was"
            if complaints := complaints_of(folder / "file.so", new):
                yield f"readelf says of {name}: {complaints}"


def complaints_of(path: Path, data: bytes) -> str:
    """Give the warnings and errors of `readelf -lS`."""
    path.write_bytes(data)
    ran = subprocess.run([tool("readelf"), "-lSW", path], capture_output=True, encoding="utf-8", check=False)
    return ran.stderr + "".join(line for line in ran.stdout.splitlines() if "arning" in line)


def run(bench: Bench, folder: Path) -> list[str]:
    """Import and use the layer with a Python of its version, read-only and without a network."""
    options = (*for_target(TARGETS[0]), "--engine", "native", "--cache-dir", str(folder / "cache"))
    ran = bench.run(layercraft("verify", "layer", *options), folder)
    print("", ran.output, sep="\n")
    if ran.code == 0:
        return []
    return [f"imports and use of the stripped layer: exit code {ran.code}\n{ran.output}{ran.errors}"]


if __name__ == "__main__":
    sys.exit(main())
