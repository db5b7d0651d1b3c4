"""All recipes for all runtimes and architectures: versions and sizes, or why there is no layer."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from commands import for_target, layercraft
from measuring import MB, machine, open_bench, table, verdict

from layercraft import Target, list_recipes, runtimes, shipped_layers
from layercraft.target import architectures

if TYPE_CHECKING:
    from pathlib import Path

    from measuring import Bench

    from layercraft import Recipe

EXPLAINED = ("NoSolutionError", "LayerTooLargeError")
"""Refusals that say exactly why there can be no layer; every other failure is one of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One recipe for one target: what was built, or the error."""

    recipe: Recipe
    target: Target
    document: dict[str, Any]

    @property
    def error(self) -> dict[str, str] | None:
        """Kind, message and hint of the failure."""
        return self.document.get("error")

    def row(self) -> list[str]:
        """Give the outcome's row of the table."""
        where = [self.recipe.name, str(self.target)]
        if self.error:
            return [*where, "", "", self.error["kind"]]
        (layer,) = self.document["layers"]
        versions = {pin["name"]: pin["version"] for pin in layer["build"]["pins"]}
        asked = [requested.name for requested in self.recipe.requirements.requirements]
        sizes = layer["sizes"]
        main = ", ".join(f"{name} {versions[name]}" for name in asked)
        return [*where, f"{sizes['unzipped'] / MB:.1f}", f"{sizes['zipped'] / MB:.1f}", main]


def main() -> int:
    """Build all of it, print the table, then why some have no layer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", metavar="RECIPE", help="only this recipe")
    only = parser.parse_args().only
    print(machine())
    recipes = [recipe for recipe in list_recipes([shipped_layers()]) if only in (None, recipe.name)]
    with open_bench() as bench:
        cache = bench.fresh("cache")
        outcomes = [
            build(bench, cache, recipe, Target(runtime=runtime, architecture=architecture))
            for recipe in recipes
            for runtime in runtimes()
            for architecture in architectures()
            if not runtime.preview
        ]
    print(f"\n{len(outcomes)} results; sizes in MB of 2^20 bytes\n")
    head = ["recipe", "target", "unzipped", "zipped", "versions"]
    print(table(head, [each.row() for each in outcomes], left=(0, 1, 4)))
    for each in outcomes:
        if each.error:
            print(f"\n{each.recipe.name} for {each.target}: {each.error['message']}")
            print(f"  hint: {each.error['hint']}")
    unexplained = [each for each in outcomes if each.error and each.error["kind"] not in EXPLAINED]
    print()
    return verdict([f"{each.recipe.name} for {each.target}: unexpected failure" for each in unexplained])


def build(bench: Bench, cache: Path, recipe: Recipe, target: Target) -> Outcome:
    """Build one recipe for one target; the zip is gone afterwards."""
    with bench.brief("layer") as folder:
        where = ("--cache-dir", str(cache), "--output", str(folder), "--json", "--quiet")
        run = bench.run(layercraft("build", recipe.name, *for_target(target), *where))
    try:
        document = json.loads(run.output)
    except json.JSONDecodeError:
        document = {"error": {"kind": "none", "message": run.errors, "hint": f"exit {run.code}"}}
    outcome = Outcome(recipe=recipe, target=target, document=document)
    print("  ".join(outcome.row()), flush=True)
    return outcome


if __name__ == "__main__":
    sys.exit(main())
