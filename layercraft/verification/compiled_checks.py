"""What is wrong with a compiled file by itself: its machine, its ABI, its shape."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from layercraft.verification.installed import pure_files
from layercraft.verification.report import STATIC, Finding, Unchecked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from layercraft.target import Target
    from layercraft.verification.compiled_files import CompiledFiles
    from layercraft.verification.importable import Importable
    from layercraft.verification.installed import Installed

# The tags that CPython and PyPy put into names of extension modules (PEP 3149), on any system.
_ABI = re.compile(r"\.(?:cpython-\w+|pypy\d+-\w+|cp\d+\w*)(?:-[\w-]+)?\.(?:so|pyd)$")


def check_compiled(
    compiled: CompiledFiles,
    paths: Iterable[str],
    importable: Importable,
    installed: Sequence[Installed],
    target: Target,
) -> Iterator[Finding | Unchecked]:
    """Judge each compiled file by itself, and of all `paths` those named like extension modules.

    A distribution whose tags are for any machine may hold files for several machines, and choose
    among them when it runs.
    """
    foreign = {path: elf.machine for path, elf in compiled.files.items() if elf.machine != target.machine}
    pure = pure_files(installed) if foreign else frozenset()
    for path, machine in foreign.items():
        yield from _wrong_machine(path, machine, importable, pure, target)
    for path, why in compiled.damaged.items():
        yield _broken(path, why)
    for path, elf in compiled.files.items():
        if path not in foreign and elf.broken:
            yield _broken(path, elf.broken)
        elif path not in foreign and not elf.aligned:
            yield _misaligned(path)
    for path in compiled.too_large:
        yield Unchecked(subject=path, why="it is larger than a whole layer may be, and was not read")
    for path in paths:
        if path.endswith((".so", ".pyd")) and path not in foreign:
            yield from _named_like_an_extension(path, compiled, importable, target)


def _broken(path: str, why: str) -> Finding:
    return Finding(
        engine=STATIC,
        kind="broken-file",
        subject=path,
        cause=f"it cannot be loaded: {why}",
        remedy="build the layer again, from the wheel as its index has it",
    )


def _misaligned(path: str) -> Finding:
    return Finding(
        engine=STATIC,
        kind="misaligned-segment",
        subject=path,
        cause='it cannot be mapped: the loader says "ELF load command address/offset not page-aligned"',
        remedy="take the file as its wheel has it: `strip` breaks some libraries this way",
    )


def _wrong_machine(
    path: str, machine: str, importable: Importable, pure: frozenset[str], target: Target
) -> Iterator[Finding | Unchecked]:
    if path in pure:
        why = f"it is for {machine}, in a distribution for any machine that may leave it alone"
        yield Unchecked(subject=path, why=why)
    elif not _has_twin(path, importable):
        yield Finding(
            engine=STATIC,
            kind="wrong-machine",
            subject=path,
            cause=f"it is for {machine}, and the layer is for {target.machine}",
            remedy=f"build the layer for {target.architecture} (-a {target.architecture})",
        )


def _named_like_an_extension(
    path: str, compiled: CompiledFiles, importable: Importable, target: Target
) -> Iterator[Finding]:
    suffix = importable.extension_suffixes[0]
    if path.endswith((suffix, ".abi3.so")):
        if path in compiled.others:
            yield _broken(path, "it is no ELF file")
    elif _ABI.search(path) and not _has_twin(path, importable):
        yield Finding(
            engine=STATIC,
            kind="foreign-abi",
            subject=path,
            cause=f"it is for another Python: {target.runtime.name} looks for the suffix {suffix}",
            remedy=f"build the layer for {target.runtime.name}, from wheels for it",
        )


def _has_twin(path: str, importable: Importable) -> bool:
    """Tell whether the import system takes another file of the layer for the same module."""
    match = _ABI.search(path)
    named = importable.named(path[: match.start()] + ".so") if match else None
    return named is not None and importable.file(named.module) not in (None, path)
