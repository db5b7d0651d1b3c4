"""The emulated engine: Python for the other architecture, from a root file system, under qemu-user."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from layercraft.errors import UsageError
from layercraft.host.interpreters import Interpreter, answer_of, described
from layercraft.verification.engines import Absent
from layercraft.verification.local_engine import LocalEngine
from layercraft.verification.report import Unchecked
from layercraft.verification.sandbox import LocalPython

if TYPE_CHECKING:
    from collections.abc import Sequence

    from layercraft.host.cache import Cache
    from layercraft.target import Target

SLOWNESS = 8.0
"""By how much longer an import takes under qemu-user: scikit-learn's, 14 s in place of 2."""
OVERHEAD = 256 << 20
"""Bytes that qemu itself may take for translated code, beside the program's own."""
EMULATED = Unchecked(subject="seconds and memory of imports", why="they are those of an emulation")
"""What a run under emulation leaves unsaid."""

_PLACES = ("var/lang/bin", "usr/local/bin", "usr/bin", "bin")
_LIBRARIES = "/var/lang/lib"  # as in Lambda's own LD_LIBRARY_PATH; qemu looks for it below the root


@dataclass(frozen=True, slots=True, kw_only=True)
class _Emulator:
    qemu: Path
    search_path: str

    def command(self, root: Path, python: Path) -> tuple[str, ...]:
        return (str(self.qemu), "-L", str(root), str(python))


def find_emulated(  # noqa: PLR0913 (where to look)
    target: Target,
    *,
    cache: Cache | None = None,
    qemu: Path | None = None,
    roots: Sequence[Path] = (),
    search_path: str = os.defpath,
    scratch: Path | None = None,
) -> LocalEngine | Absent:
    """Find qemu for the target's machine, and a root file system with the target's Python.

    `qemu` names the emulator, else it is looked for on `search_path`; `roots` are folders that may
    hold such a root: the first that does is taken.

    Raises:
        UsageError: the emulator named is not there.
    """
    if qemu and not qemu.is_file():
        raise UsageError(f"{qemu} is no file", hint=f"name qemu-{target.machine}-static")
    found = qemu or _qemu(target.machine, search_path)
    if found is None:
        return Absent(
            name="emulated",
            why=f"no qemu-{target.machine}-static or qemu-{target.machine} on PATH",
            remedy="install qemu-user-static",
        )
    emulator = _Emulator(qemu=found.resolve(), search_path=search_path)
    problems = []
    for root in roots:
        python = _python(root, target)
        if python is None:
            problems.append(f"{root} has no {target.runtime.name}")
            continue
        interpreter = _asked(emulator, root.resolve(), python, target)
        if isinstance(interpreter, Interpreter):
            return _engine(emulator, root.resolve(), interpreter, cache, scratch)
        problems.append(f"{python} {interpreter}")
    return Absent(
        name="emulated",
        why="; ".join(problems) or f"no root file system with {target.runtime.name} for {target.machine}",
        remedy="name one with --root, such as an unpacked container image",
    )


def _qemu(machine: str, search_path: str) -> Path | None:
    for name in (f"qemu-{machine}-static", f"qemu-{machine}"):
        found = shutil.which(name, path=search_path)
        if found:
            return Path(found)
    return None


def _python(root: Path, target: Target) -> Path | None:
    for place in _PLACES:
        path = root.resolve() / place / target.runtime.name
        if path.is_file():
            return path
    return None


def _asked(emulator: _Emulator, root: Path, python: Path, target: Target) -> Interpreter | str:
    """Ask the emulated Python what it is; give a reason where it does not fit."""
    environment = {"PATH": emulator.search_path, "LD_LIBRARY_PATH": _LIBRARIES}
    answer, problem = answer_of(emulator.command(root, python), environment)
    if not answer:
        return problem
    try:
        told = described(answer)
        major, minor, patch = map(int, told["version"])
    except (ValueError, KeyError, TypeError):
        return "is no Python"
    if told["unfit"]:
        return str(told["unfit"])
    if (major, minor) != target.runtime.version or told["machine"] != target.machine:
        return f"is Python {major}.{minor} for {told['machine']}"
    return Interpreter(
        executable=python,
        version=(major, minor, patch),
        machine=target.machine,
        source=f"{emulator.qemu.name} and {root}",
        libraries=_LIBRARIES,
    )


def _engine(
    emulator: _Emulator, root: Path, interpreter: Interpreter, cache: Cache | None, scratch: Path | None
) -> LocalEngine:
    python = LocalPython(
        interpreter=interpreter,
        command=emulator.command(root, interpreter.executable),
        needs=(emulator.qemu, root),
    )
    return LocalEngine(
        name="emulated",
        python=python,
        cache=cache,
        scratch=scratch,
        slowness=SLOWNESS,
        overhead=OVERHEAD,
        caveats=(EMULATED,),
    )
