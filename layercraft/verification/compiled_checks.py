"""What is wrong with a compiled file by itself: its machine, its ABI, its shape."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from layercraft.verification.report import STATIC, Finding, Unchecked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from layercraft.layer.importable import Importable
    from layercraft.target import Target
    from layercraft.verification.compiled_files import CompiledFiles

# The tags that CPython and PyPy put into names of extension modules (PEP 3149), on any system.
_ABI = re.compile(r"\.(?:cpython-\w+|pypy\d+-\w+|cp\d+\w*)(?:-[\w-]+)?\.(?:so|pyd)$")


class CompiledChecks:
    """Judges compiled files one by one.

    `is_pure` tells of a path whether its distribution is for any machine by its tags. Such a one may
    hold files for several machines and Pythons, and choose when it runs.
    """

    def __init__(
        self,
        compiled: CompiledFiles,
        importable: Importable,
        is_pure: Callable[[str], bool],
        target: Target,
    ) -> None:
        self._compiled = compiled
        self._importable = importable
        self._is_pure = is_pure
        self._target = target

    def check(self, paths: Iterable[str]) -> Iterator[Finding | Unchecked]:
        """Judge each compiled file, and of all `paths` those that are named like extension modules."""
        files = self._compiled.files
        foreign = {path: elf.machine for path, elf in files.items() if elf.machine != self._target.machine}
        for path, machine in foreign.items():
            yield from self._wrong_machine(path, machine)
        for path, why in self._compiled.damaged.items():
            yield _broken(path, why)
        for path, elf in files.items():
            if path not in foreign and elf.broken:
                yield _broken(path, elf.broken)
            elif path not in foreign and not elf.aligned:
                yield _misaligned(path)
        for path in self._compiled.too_large:
            yield Unchecked(subject=path, why="it is larger than a whole layer may be, and was not read")
        for path in paths:
            if path.endswith((".so", ".pyd")) and path not in foreign:
                yield from self._named_like_an_extension(path)

    def _wrong_machine(self, path: str, machine: str) -> Iterator[Finding | Unchecked]:
        if self._is_pure(path):
            why = f"it is for {machine}, in a distribution for any machine that may leave it alone"
            yield Unchecked(subject=path, why=why)
        elif not self._has_twin(path):
            yield Finding(
                engine=STATIC,
                kind="wrong-machine",
                subject=path,
                cause=f"it is for {machine}, and the layer is for {self._target.machine}",
                remedy=f"build the layer for {self._target.architecture} (-a {self._target.architecture})",
            )

    def _named_like_an_extension(self, path: str) -> Iterator[Finding]:
        suffix = self._importable.extension_suffixes[0]
        if path.endswith((suffix, ".abi3.so")):
            if path in self._compiled.others:
                yield _broken(path, "it is no ELF file")
        elif _ABI.search(path) and not self._has_twin(path) and not self._is_pure(path):
            runtime = self._target.runtime.name
            yield Finding(
                engine=STATIC,
                kind="foreign-abi",
                subject=path,
                cause=f"it is for another Python: {runtime} looks for the suffix {suffix}",
                remedy=f"build the layer for {runtime}, from wheels for it",
            )

    def _has_twin(self, path: str) -> bool:
        """Tell whether the import system takes another file of the layer for the same module."""
        match = _ABI.search(path)
        named = self._importable.named(path[: match.start()] + ".so") if match else None
        return named is not None and self._importable.file(named.module) not in (None, path)


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
