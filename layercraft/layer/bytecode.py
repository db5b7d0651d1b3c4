"""Bytecode in the layer: Lambda can cache none, for /opt is read-only, and compiles at each cold start."""

from __future__ import annotations

import os
import tomllib
import zlib
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from layercraft.errors import OutputError, reason_of
from layercraft.events import SILENT
from layercraft.host.processes import run
from layercraft.layer.change import Change, Reason
from layercraft.layer.output import writing
from layercraft.layer.tree import DiskFile, Entry
from layercraft.layer.unpacked import folders_of, write_files

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from layercraft.events import Reporter
    from layercraft.host.interpreters import Interpreter
    from layercraft.layer.tree import Tree

LONGEST = 900.0
"""Seconds that compiling a layer may take."""

_PROGRAM = "compiler.py"


def compile_sources(  # noqa: PLR0913 (what compiling needs)
    tree: Tree,
    mode: str,
    interpreter: Interpreter,
    staging: Path,
    *,
    requires: Mapping[str, Collection[str]],
    reporter: Reporter = SILENT,
) -> Change:
    """Add the bytecode of all sources below `python/`, in files that are never compared with them (PEP 552).

    With `mode` "only" it takes the sources' place, but for those that are read at run time (see
    sources_read.toml; `requires` gives what each distribution requires). The interpreter must be of the
    target's minor version; it compiles, and runs no package's code. `staging` is an empty folder that
    the caller keeps until the layer is written. Sources that cannot be compiled stay as they are, and so
    do those whose bytecode would lie where a folder is, or below a file.

    Raises:
        OutputError: the staging folder cannot be written, or the interpreter failed.
    """
    kept = _kept(tree, requires) if mode == "only" else tree.distributions.keys() | {""}
    places = _places(tree, kept, interpreter.version)
    sources = {path: tree.entries[path] for path in places}
    with writing(staging):
        folder, results = staging / "sources", staging / "compiled"
        folder.mkdir()
        results.mkdir()
    write_files(tree.with_entries(sources), folder, reporter=reporter)
    seconds = _compiled(interpreter, sources, staging)
    entries = dict(tree.entries)
    count = 0
    for path, source in sources.items():
        compiled = results / f"{path}c"
        if not compiled.is_file():
            continue
        count += 1
        place = places[path]
        if source.owner not in kept:
            del entries[path]
        entries[place] = _entry(place, compiled, source.owner)
    reporter.notice(
        f"Python {interpreter.full_version} compiled {count:,} modules in {seconds:.1f} s of CPU: each cold "
        "start is spared this for what it imports"
    )
    reporter.notice("the layer is only as reproducible as the Python that compiled it: releases differ")
    return Change.between(tree, entries, Reason(source="bytecode", rule=mode))


def _places(tree: Tree, kept: Collection[str], version: tuple[int, int, int]) -> dict[str, str]:
    """Give each source with the free place of its bytecode: beside it where its owner is in `kept`."""
    folders = folders_of(tree.entries)
    places = {}
    for path in filter(_is_source, tree.entries):
        place = _cached(path, version) if tree.entries[path].owner in kept else f"{path}c"
        # While compiling, all bytecode lies at f"{path}c".
        if folders.isdisjoint((place, f"{path}c")) and folders_of([place]).isdisjoint(tree.entries):
            places[path] = place
    return places


def _is_source(path: str) -> bool:
    inside = path.startswith("python/") and not path.startswith("python/bin/")
    return inside and path.endswith(".py") and ".dist-info/" not in path and "\n" not in path


def _compiled(interpreter: Interpreter, paths: Collection[str], staging: Path) -> float:
    """Let the interpreter compile what lies in `staging`; give the seconds of CPU that it took."""
    program = staging / _PROGRAM
    with writing(program):
        program.write_bytes(resources.files(__package__).joinpath(_PROGRAM).read_bytes())
    environment = {"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"}
    if interpreter.libraries:
        environment["LD_LIBRARY_PATH"] = interpreter.libraries
    command: list[str | Path] = [
        interpreter.executable,
        "-s",
        "-S",
        "-B",
        program,
        staging / "sources",
        staging / "compiled",
    ]
    command.append(str(os.cpu_count() or 1))
    try:
        ended = run(
            command,
            environment=environment,
            timeout=LONGEST,
            stdin="\n".join(sorted(paths)).encode(),
        )
    except OSError as error:
        raise OutputError(f"{interpreter} cannot be run: {reason_of(error)}") from error
    if ended.timed_out or ended.code:
        words = ended.err.decode("utf-8", "replace").strip().rpartition("\n")[2]
        why = f"took more than {LONGEST:.0f} seconds" if ended.timed_out else f"failed: {words}"
        raise OutputError(f"compiling with {interpreter} {why}")
    return float(ended.out)


def _cached(path: str, version: tuple[int, int, int]) -> str:
    """Give the place of a module's bytecode beside its source (PEP 3147)."""
    place = PurePosixPath(path)
    return str(place.parent / "__pycache__" / f"{place.stem}.cpython-{version[0]}{version[1]}.pyc")


def _entry(path: str, compiled: Path, owner: str) -> Entry:
    data = compiled.read_bytes()
    content = DiskFile(path=compiled, size=len(data), crc=zlib.crc32(data))
    return Entry(path=path, content=content, executable=False, owner=owner)


def _kept(tree: Tree, requires: Mapping[str, Collection[str]]) -> set[str]:
    """Give the distributions whose sources are read at run time."""
    return {
        name
        for name in tree.distributions
        for globs, users in _read_at_run_time()
        if _any(name, globs) or (users and any(_any(needed, globs) for needed in requires.get(name, ())))
    }


def _any(name: str, globs: Collection[str]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)


@cache
def _read_at_run_time() -> tuple[tuple[tuple[str, ...], bool], ...]:
    return tuple(_entries(resources.files(__package__).joinpath("sources_read.toml").read_text("utf-8")))


def _entries(text: str) -> Iterator[tuple[tuple[str, ...], bool]]:
    for each in tomllib.loads(text)["kept"]:
        yield tuple(each["names"]), each.get("users", False)
