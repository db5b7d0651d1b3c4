"""Programs for arm64 on a machine that is none: the kernel is told to hand them to qemu."""

from __future__ import annotations

import platform
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_BINFMT = Path("/proc/sys/fs/binfmt_misc")
_ENTRY = _BINFMT / "qemu-aarch64"
_RULE = Path("/usr/lib/binfmt.d/qemu-aarch64.conf")  # of Debian's qemu-user-static


@contextmanager
def arm64_programs() -> Iterator[None]:
    """Register qemu for arm64 where nothing is registered, and take it back when the block ends.

    Debian's rule opens the emulator at once (flag F), so containers need not have it.

    Raises:
        OSError: qemu is not installed, or this is not root.
    """
    if platform.machine() == "aarch64" or _ENTRY.exists():
        yield
        return
    rule = _RULE.read_bytes()
    mounted = not (_BINFMT / "register").exists()
    if mounted and subprocess.run(["mount", "-t", "binfmt_misc", "none", _BINFMT], check=False).returncode:
        raise OSError("binfmt_misc cannot be mounted")
    try:
        (_BINFMT / "register").write_bytes(rule)
        try:
            yield
        finally:
            _ENTRY.write_bytes(b"-1")
    finally:
        if mounted:
            subprocess.run(["umount", _BINFMT], check=True)
