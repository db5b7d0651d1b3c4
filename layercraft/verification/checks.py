"""What is to be proved of a layer: which imports must work, and which script."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from layercraft.errors import BadWheelError
from layercraft.formats.record_file import read_record
from layercraft.verification.metadata_paths import paths_of
from layercraft.verification.zip_contents import open_zip

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from layercraft.verification.layer import LayerUnderTest
    from layercraft.verification.zip_contents import ZipContents

DEFAULT_TIMEOUT = 120.0
"""Seconds that one import, or the script, may take."""
DEFAULT_MEMORY = 512 << 20
"""Bytes of memory, enough for most imports; AWS Lambda gives between 128 MB and 10,240 MB."""

_LARGEST_RECORD = 32 << 20
# Folders that distributions bring by mistake beside their package.
_STRAYS = frozenset(
    {"test", "tests", "testing", "doc", "docs", "example", "examples", "benchmarks", "scripts"}
)
_PROGRAMS = frozenset({"conftest", "setup"})  # to import them is to run them


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """What an engine that runs code shall try.

    `imports` are modules, each imported in a process of its own. `script` is the text of a program
    that ends with 0 when the layer works, `script_name` how messages call it. With `deep`, every
    module of the distributions in `modules` is imported too. `timeout` is in seconds for each import
    and for the script, `memory` in bytes for each.
    """

    imports: tuple[str, ...] = ()
    script: str | None = None
    script_name: str = ""
    deep: bool = False
    modules: tuple[str, ...] = ()
    timeout: float = DEFAULT_TIMEOUT
    memory: int = DEFAULT_MEMORY


def default_imports(layer: LayerUnderTest, requested: Sequence[str]) -> tuple[str, ...]:
    """Give for each requested distribution the package that users import it by, in their order.

    `requested` are normalized names. That is the package or module, of those that its RECORD in the zip
    lists, which is named like the distribution, else the first one outside of any other that is no
    namespace: google.cloud.storage, not google. A distribution without modules, or without RECORD and
    a folder of its name, has none. Where nothing is requested, as no distribution is known, it is what
    lies at the top of the layer.

    Raises:
        UsageError: the zip is missing or broken.
    """
    with open_zip(layer.zip) as contents:
        records = dict(_records(contents))
        if not requested:
            return _outermost(contents)
        found = (_main_module(name, records.get(name) or _beside(name, contents)) for name in requested)
        return tuple(dict.fromkeys(module for module in found if module))


def _outermost(contents: ZipContents) -> tuple[str, ...]:
    """Give the packages and modules of a layer without distributions, but for what seems no part of it."""
    roots = ("python", *_versioned_roots(contents))
    inside = ((f"{root}/", path) for root in roots for path in contents.listed)
    modules = outermost_modules(path.removeprefix(root) for root, path in inside if path.startswith(root))
    top = {module for module in modules if "." not in module and not module.startswith("_")}
    return tuple(sorted((top or modules) - _STRAYS - _PROGRAMS))


def _records(contents: ZipContents) -> Iterator[tuple[str, set[str]]]:
    """Give each distribution's modules by its normalized name."""
    for name, path in paths_of("RECORD", contents.listed):
        if contents.listed[path].size > _LARGEST_RECORD:
            continue
        try:
            listed = read_record(contents.read(path), archive=path)
        except BadWheelError:
            continue
        yield name, outermost_modules(listed)


def outermost_modules(paths: Iterable[str]) -> set[str]:
    """Give the modules and packages among a distribution's files that lie in no other package of it.

    Folders without `__init__` are namespaces (PEP 420): what is in them counts, not they.
    """
    modules: dict[str, bool] = {}
    for path in paths:
        folder, _, base = path.rpartition("/")
        stem, _, suffix = base.partition(".")
        if suffix not in ("py", "pyc") and not (suffix.endswith("so") and not stem.startswith("lib")):
            continue
        if stem == "__init__":
            modules[folder] = True
        else:
            modules.setdefault(f"{folder}/{stem}".lstrip("/"), False)
    packages = {path for path, is_package in modules.items() if is_package}
    outermost = (path for path in modules if not _parents(path) & packages)
    return {path.replace("/", ".") for path in outermost if _importable(path)}


def _parents(path: str) -> set[str]:
    parts = path.split("/")
    return {"/".join(parts[:count]) for count in range(1, len(parts))}


def _importable(path: str) -> bool:
    return bool(path) and all(part.isidentifier() for part in path.split("/"))


def _beside(name: str, contents: ZipContents) -> set[str]:
    """Give the module named like a distribution whose RECORD is gone, if the layer has it."""
    module = name.replace("-", "_")
    for root in ("python", *_versioned_roots(contents)):
        for path in (f"{root}/{module}/__init__.py", f"{root}/{module}.py"):
            if path in contents.listed:
                return {module}
    return set()


def _versioned_roots(contents: ZipContents) -> set[str]:
    end = "/site-packages/"
    return {
        name.partition(end)[0] + end[:-1] for name in contents.listed if name.startswith("python/lib/python")
    }


def _main_module(name: str, modules: set[str]) -> str | None:
    def rank(module: str) -> tuple[bool, bool, bool, int, str]:
        last = module.rpartition(".")[2]
        return (
            canonicalize_name(module.replace(".", "-")) != name,
            module.startswith("_") or "._" in module,
            last in _STRAYS,
            module.count("."),
            module,
        )

    return min(modules, key=rank, default=None)
