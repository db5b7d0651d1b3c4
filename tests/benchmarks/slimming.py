"""The preset small: layers below the reference tool's, in which all still imports that did before."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from commands import zip_folder
from measuring import MB, machine, open_bench, table, verdict
from slimmed_layers import SAFE, SMALL, built_with, original, prove, recipe_of

from layercraft import Target, find_recipe, shipped_layers
from layercraft.layer.unpacked import write_files
from layercraft.sources import open_sources

if TYPE_CHECKING:
    from measuring import Bench
    from slimmed_layers import Proof

    from layercraft import Recipe
    from layercraft.sources import Sources

SCRIPTS = Path(__file__).parents[1] / "data" / "cleanup_scripts"
RUNTIMES = ("3.12", "3.13")
RECIPES = ("sklearn", "xgboost")
DISTRIBUTIONS = (
    "cryptography",
    "lightgbm",
    "lxml",
    "matplotlib",
    "onnxruntime",
    "pandas",
    "pillow",
    "polars",
    "pyarrow",
    "pydantic",
    "scikit-image",
    "scipy",
    "shapely",
    "spacy",
    "sqlalchemy",
    "statsmodels",
)
NAMED = "/tmp/layer"  # noqa: S108 (the name that these scripts use; nothing is there)
SLOWEST = ("statsmodels", "scikit-image", "spacy", "sklearn", "matplotlib", "scipy")
"""Those with the most modules or the slowest imports: begun first, so that they do not end last."""

LEAST_SAVED = 0.15
"""Part of what `safe` leaves unzipped that `small` must save for each of RECIPES."""

USES = {
    "sklearn": """
from sklearn.datasets import (
    fetch_20newsgroups, load_breast_cancer, load_diabetes, load_digits, load_iris, load_linnerud, load_wine,
    make_classification,
)
from sklearn.ensemble import RandomForestClassifier
for load in (load_breast_cancer, load_diabetes, load_digits, load_iris, load_linnerud, load_wine):
    found = load()
    assert found.DESCR and len(found.data) == len(found.target)
assert load_iris(as_frame=True).frame.shape == (150, 5)
x, y = make_classification(random_state=0)
assert RandomForestClassifier(n_estimators=5).fit(x, y).score(x, y) > 0.9
""",
}
"""Small real uses, which must work in the finished layer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Bytes of one recipe's layer for python3.13 x86_64: the reference tool's, and ours."""

    recipe: str
    reference: tuple[int, int]
    safe: int
    small: tuple[int, int]

    def row(self) -> list[str]:
        """Give the recipe's row of the table."""
        saved = 1 - self.small[0] / self.safe
        figures = (*self.reference, self.safe, *self.small)
        return [self.recipe, *(f"{size:,}" for size in figures), f"{saved:.1%}"]

    @property
    def missed(self) -> list[str]:
        """Give a line for each target that was missed."""
        lines = []
        if self.small[0] >= self.reference[0] or self.small[1] >= self.reference[1]:
            lines.append(f"{self.recipe}: not smaller than the reference tool's")
        if self.small[0] > (1 - LEAST_SAVED) * self.safe:
            lines.append(f"{self.recipe}: saves less than {LEAST_SAVED:.0%} of what safe leaves")
        return lines


def main() -> int:
    """Build, compare and import all of it, print both tables, and tell which targets were missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", metavar="NAME", nargs="+", help="only these recipes and distributions")
    parser.add_argument("--runtime", metavar="VERSION", nargs="+", default=RUNTIMES, help="import with these")
    options = parser.parse_args()
    names = [name for name in (*RECIPES, *DISTRIBUTIONS) if name in (options.only or (name,))]
    print(machine())
    with open_bench() as bench, open_sources(cache_dir=bench.fresh("cache")) as sources:
        sizes = [measured(bench, sources, name) for name in names if name in RECIPES]
        head = ["recipe", "reference", "zipped", "safe", "small", "zipped", "saved of safe"]
        print(f"\nbytes for python3.13 x86_64\n\n{table(head, [each.row() for each in sizes])}\n")
        missed = [line for each in sizes for line in each.missed]
        slowest_first = sorted(
            names, key=lambda name: SLOWEST.index(name) if name in SLOWEST else len(SLOWEST)
        )
        layers = [(name, runtime) for name in slowest_first for runtime in options.runtime]
        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            for lines in pool.map(lambda layer: imported(bench, sources, *layer), layers):
                missed += lines
    print()
    return verdict(missed)


def recipe(name: str) -> Recipe:
    """Give a shipped recipe, or one of this distribution alone."""
    return find_recipe(name, [shipped_layers()]) if name in RECIPES else recipe_of(name)


def measured(bench: Bench, sources: Sources, name: str) -> Sizes:
    """Build one recipe with both presets, and let the reference tool's script work on the same wheels."""
    target = Target.parse("3.13", "x86_64")
    with bench.brief("sizes") as folder:
        safe = built_with(SAFE, recipe(name), target, sources, folder / "safe").sizes
        small = built_with(SMALL, recipe(name), target, sources, folder / "small")
        layer = folder / "reference"
        layer.mkdir()
        write_files(original(small.record, sources.cache), layer)
        unzipped, zipped = reference_sizes(bench, name, layer)
    return Sizes(
        recipe=name,
        reference=(unzipped, zipped),
        safe=safe.unzipped,
        small=(small.sizes.unzipped, small.sizes.zipped),
    )


def reference_sizes(bench: Bench, name: str, layer: Path) -> tuple[int, int]:
    """Run the reference tool's cleanup on a folder and pack it as that tool does; bytes before and after."""
    script = (SCRIPTS / f"{name}.sh").read_text(encoding="utf-8")
    shell = shutil.which("sh") or "sh"
    text = script.replace(NAMED, str(layer))
    subprocess.run([shell, "-c", text], check=True, cwd=layer, stdout=subprocess.DEVNULL)
    unzipped = sum(path.stat().st_size for path in layer.rglob("*") if path.is_file())
    archive = layer.with_suffix(".zip")
    bench.measure(zip_folder(archive, "python", "-9"), layer)
    return unzipped, archive.stat().st_size


def imported(bench: Bench, sources: Sources, name: str, runtime: str) -> list[str]:
    """Import every module of one layer for one runtime; give what is missed."""
    target = Target.parse(runtime, "x86_64")
    start = time.perf_counter()
    with bench.brief(f"{name}-{runtime}") as folder:
        built = built_with(SMALL, recipe(name), target, sources, folder)
        proof = prove(built, recipe(name), sources, USES.get(name))
    print(told(name, runtime, proof, time.perf_counter() - start), flush=True)
    return [f"{name} python{runtime}: {line}" for line in proof.problems]


def told(name: str, runtime: str, proof: Proof, seconds: float) -> str:
    """Say in one line how a proof ended."""
    sizes = f"{proof.before / MB:.1f} -> {proof.built.sizes.unzipped / MB:.1f} MB"
    return f"{name} python{runtime}: {sizes}, {proof.modules}, {seconds:.0f} s"


if __name__ == "__main__":
    sys.exit(main())
