"""The directions of imports, as a table over the syntax trees, and other rules that hold for all modules."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import layercraft

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(layercraft.__file__).parent
MODULES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))
LONGEST = 320  # lines

GROUND = ("errors", "events", "spelling", "target", "formats", "host")
STAGES = ("recipe", "resolution", "wheels", "layer", "verification", "aws")

MAY_IMPORT: dict[str, tuple[str, ...]] = {
    # the ground floor, which knows no stage
    "errors": (),
    "events": (),
    "spelling": (),
    "target": ("errors", "spelling"),
    "formats": ("errors",),
    "host": ("errors", "events", "formats"),
    # the stages: only those to their left
    **{stage: (*GROUND, *STAGES[:position]) for position, stage in enumerate(STAGES)},
    # what joins them
    "inputs": (*GROUND, "recipe"),
    "sources": (*GROUND, "recipe", "resolution"),
    "guards": (*GROUND, *STAGES, "sources"),
    "supply": (*GROUND, *STAGES, "sources", "guards"),
    "transformations": (*GROUND, *STAGES, "supply"),
    "pipeline": (*GROUND, *STAGES, "inputs", "sources", "supply", "transformations"),
    "forecast": (*GROUND, *STAGES, "pipeline", "sources", "supply", "transformations"),
    "conversion": (*GROUND, *STAGES, "sources", "supply", "transformations"),
    "runtime_packages": (*GROUND, *STAGES, "sources", "pipeline"),
    "every_target": (*GROUND, *STAGES, "sources", "pipeline"),
    # what people see
    "console": (*GROUND, *STAGES),
    "cli": (
        *GROUND,
        *STAGES,
        "inputs",
        "sources",
        "pipeline",
        "conversion",
        "forecast",
        "runtime_packages",
        "every_target",
        "console",
    ),
    "__init__": (*GROUND, *STAGES, "inputs", "sources", "pipeline", "forecast"),
    "__main__": ("cli",),
}


def tree(module: str) -> ast.Module:
    return ast.parse((PACKAGE / module).read_text(encoding="utf-8"))


def is_program(module: str) -> bool:
    """Tell whether other interpreters run this file, without the package around it."""
    ends = [ast.unparse(node.test) for node in tree(module).body if isinstance(node, ast.If)]
    return "__name__ == '__main__'" in ends


def part(module: str) -> str:
    """Give the folder or the module at the top of the package that a file belongs to."""
    return module.partition("/")[0].removesuffix(".py")


def imported(module: str) -> Iterator[tuple[str, int]]:
    """Give the dotted names that a module imports anywhere, each with its line."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: imports are absolute"
            yield str(node.module), node.lineno


def at_import(module: str) -> set[str]:
    """Give what a module imports, by top name, as soon as it is imported itself."""
    found = set()
    for node in tree(module).body:
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module).partition(".")[0])
    return found


def calls(module: str) -> Iterator[tuple[str, int]]:
    """Give what a module calls, as it is written, each with its line."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node.lineno


def attributes(module: str) -> Iterator[tuple[str, int]]:
    """Give the attributes that a module uses, as they are written, each with its line."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Attribute):
            yield ast.unparse(node), node.lineno


def test_imports_go_to_the_left_and_down_only() -> None:
    wrong = [
        f"layercraft/{module}:{line} must not import {name}"
        for module in MODULES
        for name, line in imported(module)
        if name.startswith("layercraft.")
        and (other := name.split(".")[1]) != part(module)
        and other not in MAY_IMPORT[part(module)]
    ]
    assert wrong == []


def test_every_part_of_the_package_has_its_place() -> None:
    assert {part(module) for module in MODULES} <= set(MAY_IMPORT)


def test_only_the_console_prints() -> None:
    printing = {"print", "sys.stdout.write", "sys.stderr.write", "sys.stdout.buffer.write"}
    wrong = [
        f"layercraft/{module}:{line}"
        for module in MODULES
        for called, line in calls(module)
        if called in printing and module != "console.py" and not is_program(module)
    ]
    assert wrong == []


def test_only_the_command_line_reads_the_environment() -> None:
    wrong = [
        f"layercraft/{module}:{line}"
        for module in MODULES
        for used, line in attributes(module)
        if used in {"os.environ", "os.getenv", "sys.argv"}
        and part(module) != "cli"
        and not is_program(module)
    ]
    assert wrong == []


def test_formats_touch_nothing_of_this_machine() -> None:
    touching = {"os", "pathlib", "shutil", "socket", "subprocess", "tempfile", "time", "httpx"}
    wrong = [module for module in MODULES if part(module) == "formats" and at_import(module) & touching]
    assert wrong == []


def test_heavy_libraries_are_loaded_when_they_are_needed() -> None:
    heavy = {"httpx", "rich", "typer", "boto3", "botocore", "platformdirs"}
    wrong = [module for module in MODULES if part(module) != "cli" and at_import(module) & heavy]
    assert wrong == []


def test_no_module_has_the_name_of_a_public_function() -> None:
    functions = {name for name in layercraft.__all__ if name.islower()}
    stems = {Path(module).stem for module in MODULES} | {part(module) for module in MODULES}
    assert functions.isdisjoint(stems)


def test_modules_are_short() -> None:
    lengths = {module: len((PACKAGE / module).read_text("utf-8").splitlines()) for module in MODULES}
    long = {module: length for module, length in lengths.items() if length > LONGEST}
    assert [module for module in long if not is_program(module)] == []


def test_every_module_says_what_it_is() -> None:
    assert [module for module in MODULES if not ast.get_docstring(tree(module))] == []


def test_no_module_is_a_mixed_bag() -> None:
    stems = {Path(module).stem for module in MODULES}
    assert stems.isdisjoint({"utils", "util", "helpers", "common", "misc", "core"})
