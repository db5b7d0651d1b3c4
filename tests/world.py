"""A small world of wheels, for an index on the loopback.

plain 1.0, 1.1      pure Python, with a tests folder, a type stub and a console script
native 2.0, 2.1     an extension module for python3.12 and 3.13 on both architectures; 2.1 for 3.14 alone
toolkit 1.0         requires plain; its extra `fast` requires native
space-alpha, -beta  two halves of the namespace package `space`
twin-one, -two      both bring tests/__init__.py, and not the same one
lib 1.0, 2.0        with old-app, which requires lib<2, and new-app, which requires lib>=2
source-only 1.0     no wheel, only a source archive
huge 1.0            zeros, one byte over Lambda's limit when unzipped
"""

from __future__ import annotations

from functools import cache

from elf_files import AARCH64, X86_64, ElfDraft
from wheelhouse import WheelDraft

from layercraft.target import UNZIPPED_LIMIT

_MACHINES = {"x86_64": X86_64, "aarch64": AARCH64}
_ENTRY_POINTS = "[console_scripts]\nplain = plain:main\n"


def _plain(version: str) -> WheelDraft:
    return WheelDraft(
        name="plain",
        version=version,
        files={
            "plain/__init__.py": f"__version__ = {version!r}\n".encode() * 40,
            "plain/__init__.pyi": b"__version__: str\n",
            "plain/data.json": b"[]\n",
            "plain/tests/__init__.py": b"",
            "plain/tests/test_plain.py": b"assert True\n" * 100,
        },
        data={"scripts/plain-tool": b"#!python\nprint('plain')\n"},
        entry_points=_ENTRY_POINTS,
    )


def _native(version: str, python: str, machine: str) -> WheelDraft:
    module = f"native/_speed.cpython-{python[2:]}-{machine}-linux-gnu.so"
    return WheelDraft(
        name="native",
        version=version,
        files={
            "native/__init__.py": b"from native import _speed\n",
            "native/_speed.c": b"int x;\n",
            module: ElfDraft(
                machine=_MACHINES[machine], modules=("_speed",), tail=machine.encode() * 500
            ).packed(),
        },
        tag=f"{python}-{python}-manylinux_2_17_{machine}",
    )


def _twin(name: str) -> WheelDraft:
    module = name.replace("-", "_")
    return WheelDraft(
        name=name, files={f"{module}.py": b"x = 1\n", "tests/__init__.py": f"# {name}\n".encode()}
    )


_DRAFTS = (
    _plain("1.0"),
    _plain("1.1"),
    *(_native("2.0", python, machine) for python in ("cp312", "cp313") for machine in _MACHINES),
    *(_native("2.1", "cp314", machine) for machine in _MACHINES),
    WheelDraft(name="toolkit", requires=["plain"], extras={"fast": ["native"]}),
    WheelDraft(name="space-alpha", files={"space/alpha.py": b"a = 1\n"}),
    WheelDraft(name="space-beta", files={"space/beta.py": b"b = 2\n"}, requires=["space-alpha"]),
    _twin("twin-one"),
    _twin("twin-two"),
    WheelDraft(name="lib", version="1.0"),
    WheelDraft(name="lib", version="2.0"),
    WheelDraft(name="old-app", requires=["lib<2"]),
    WheelDraft(name="new-app", requires=["lib>=2"]),
)


@cache
def wheels() -> tuple[tuple[str, bytes], ...]:
    """Give file name and bytes of all but the huge one."""
    packed = tuple((draft.filename, draft.packed()) for draft in _DRAFTS)
    return (*packed, ("source_only-1.0.tar.gz", b"no wheel"))


@cache
def huge() -> tuple[str, bytes]:
    """Give file name and bytes of the wheel that no Lambda takes."""
    draft = WheelDraft(name="huge", files={"huge/zeros.bin": bytes(UNZIPPED_LIMIT + 1)}, requires=["plain"])
    return draft.filename, draft.packed()
