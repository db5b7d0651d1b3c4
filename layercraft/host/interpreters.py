"""The Pythons of this machine that can load what was built for a Lambda runtime."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layercraft.errors import UsageError, reason_of
from layercraft.host.processes import run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

LONGEST_ANSWER = 20.0
"""Seconds that an interpreter may take to tell what it is; under emulation it is slow."""

QUESTION = """
import json, os, sys, sysconfig
print(json.dumps({
    "executable": os.path.realpath(sys.executable),
    "implementation": sys.implementation.name,
    "version": list(sys.version_info[:3]),
    "abi": sysconfig.get_config_var("SOABI") or "",
    "folders": [sys.base_prefix, sys.base_exec_prefix, os.path.dirname(os.__file__)],
}))
"""

# cpython-313-x86_64-linux-gnu; `t` behind the version is the free-threaded ABI (PEP 703), `d` a debug build.
_ABI = re.compile(r"cpython-(\d+)([a-z]*)-(\w+)-linux-(\w+)")
_UNWANTED = re.compile("[td]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A CPython on this machine. `executable` is the program itself, behind all links.

    `folders` are those that it needs, `libraries` the folder that LD_LIBRARY_PATH must name for it
    to start, "" when none. `source` tells where it was found: PATH, pyenv, uv or --python.
    """

    executable: Path
    version: tuple[int, int, int]
    machine: str
    source: str
    folders: tuple[Path, ...] = ()
    libraries: str = ""

    @property
    def full_version(self) -> str:
        """The version as the marker `python_full_version` has it (PEP 508)."""
        return "{}.{}.{}".format(*self.version)

    def __str__(self) -> str:
        return f"Python {self.full_version} ({self.executable}, from {self.source})"


class _UnfitError(Exception):
    """Why a program is no interpreter for the purpose; `str` is the reason."""


def find_interpreters(
    version: tuple[int, int],
    machine: str | None,
    *,
    search_path: str = os.defpath,
    pyenv_root: Path | None = None,
    uv_root: Path | None = None,
) -> tuple[Interpreter, ...]:
    """Give the Pythons of this minor version, machine and glibc, the newest patch release first.

    Without `machine`, any CPython will do that runs here: it shall load nothing that was compiled.
    They are looked for as `python3.X` in the folders of `search_path`, among the versions of pyenv
    below `pyenv_root`, and among those that uv manages below `uv_root`. Programs that do not start,
    other implementations, debug builds and free-threaded ones are passed over.
    """
    found: dict[Path, Interpreter] = {}
    for source, path in _candidates(version, search_path, pyenv_root, uv_root):
        try:
            interpreter = _asked(path, source, search_path, any_build=machine is None)
        except _UnfitError:
            continue
        if interpreter.version[:2] == version and machine in (interpreter.machine, None):
            found.setdefault(interpreter.executable, interpreter)
    return tuple(sorted(found.values(), key=lambda each: each.version, reverse=True))


def read_interpreter(
    path: Path, version: tuple[int, int], machine: str | None, *, search_path: str = os.defpath
) -> Interpreter:
    """Give the interpreter that a user named. Without `machine`, any CPython of the version will do.

    Raises:
        UsageError: it does not run here, or is not what the layer was built for.
    """
    wanted = "Python {}.{}".format(*version) + (f" for {machine} and glibc" if machine else "")
    try:
        interpreter = _asked(path, "--python", search_path, any_build=machine is None)
    except _UnfitError as error:
        raise UsageError(f"{path} {error}", hint=f"name a {wanted}") from None
    if interpreter.version[:2] != version or machine not in (interpreter.machine, None):
        raise UsageError(
            f"{path} is Python {interpreter.full_version} for {interpreter.machine}, "
            f"and the layer needs {wanted}"
        )
    return interpreter


def described(answer: str) -> dict[str, Any]:
    """Read what an interpreter answered to `QUESTION`: adds "machine", and "unfit" with a reason or "".

    Raises:
        ValueError: that is no answer to it.
    """
    told = json.loads(answer)
    if not isinstance(told, dict):
        raise ValueError("not an object")  # noqa: TRY004 (a bad answer, not a bad call)
    abi = _ABI.fullmatch(str(told["abi"]))
    told["unfit"] = ""
    if told["implementation"] != "cpython":
        told["unfit"] = f"is {told['implementation']}, not CPython"
    elif abi is None or not abi[4].startswith("gnu"):
        told["unfit"] = f"is not built for Linux with glibc ({told['abi'] or 'no ABI told'})"
    elif _UNWANTED.search(abi[2]):
        told["unfit"] = f"has another ABI than Lambda's ({told['abi']})"
    told["machine"] = abi[3] if abi else ""
    return told


def _candidates(
    version: tuple[int, int], search_path: str, pyenv_root: Path | None, uv_root: Path | None
) -> Iterator[tuple[str, Path]]:
    name = "python{}.{}".format(*version)
    shims = pyenv_root / "shims" if pyenv_root else None  # scripts that start what is found below anyway
    for folder in dict.fromkeys(filter(None, search_path.split(os.pathsep))):
        if Path(folder) != shims:
            yield "PATH", Path(folder, name)
    for root, source, pattern in (
        (pyenv_root, "pyenv", f"versions/{name[6:]}.*"),
        (uv_root, "uv", f"cpython-{name[6:]}.*"),
    ):
        with suppress(OSError):  # another user's
            for found in sorted(root.glob(pattern)) if root else ():
                yield source, found / "bin" / name


def _asked(path: Path, source: str, search_path: str, *, any_build: bool) -> Interpreter:
    """Ask a program what it is; where it lacks its own library, with the folder beside it that has one."""
    try:
        if not path.is_file():
            raise _UnfitError("is not a file")
        beside = str(path.resolve().parent.parent / "lib")
    except OSError as error:
        raise _UnfitError(f"cannot be looked at: {reason_of(error)}") from error
    problem = ""
    for libraries in ("", beside):
        environment = {"PATH": search_path} | ({"LD_LIBRARY_PATH": libraries} if libraries else {})
        answer, problem = answer_of([path.absolute()], environment)  # a bare name is sought on PATH
        if answer:
            return _interpreter(answer, source, libraries, any_build=any_build)
    raise _UnfitError(problem)


def answer_of(command: Sequence[str | Path], environment: Mapping[str, str]) -> tuple[str, str]:
    """Ask the interpreter that a command starts `QUESTION`; give its answer, or "" and the problem."""
    try:
        ended = run(
            [*command, "-I", "-S", "-B", "-c", QUESTION], environment=environment, timeout=LONGEST_ANSWER
        )
    except OSError as error:
        return "", f"cannot be run: {reason_of(error)}"
    if ended.timed_out:
        return "", f"does not answer within {LONGEST_ANSWER:.0f} seconds"
    if ended.code:
        lines = _last_lines(ended.err)
        return "", f"does not run: {lines or f'exit code {ended.code}'}"
    return ended.out.decode("utf-8", "replace"), "" if ended.out else "is no Python: it said nothing"


def _interpreter(answer: str, source: str, libraries: str, *, any_build: bool) -> Interpreter:
    try:
        told = described(answer)
        major, minor, patch = map(int, told["version"])
        folders = _distinct(told["folders"])
        executable = Path(told["executable"])
    except (ValueError, KeyError, TypeError):
        raise _UnfitError("is no Python") from None
    if told["unfit"] and not (any_build and told["implementation"] == "cpython"):
        raise _UnfitError(told["unfit"])
    return Interpreter(
        executable=executable,
        version=(major, minor, patch),
        machine=told["machine"],
        source=source,
        folders=folders,
        libraries=libraries,
    )


def _distinct(folders: Iterable[str]) -> tuple[Path, ...]:
    return tuple(dict.fromkeys(Path(folder).resolve() for folder in folders))


def _last_lines(output: bytes) -> str:
    lines = output.decode("utf-8", "replace").split("\n")
    return "; ".join(line.strip() for line in lines[-3:] if line.strip())
