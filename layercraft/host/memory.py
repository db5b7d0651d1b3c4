"""Memory that was freed, and that the C library keeps for later."""

from __future__ import annotations

import sys
from contextlib import suppress

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h


def give_back_freed() -> None:
    """Let glibc hand freed memory back to the system; elsewhere nothing happens.

    It keeps what threads have freed for their next allocations, so buffers of some 20 MB, used by one
    thread after another, would add up. `malloc_trim` is documented in glibc's manual page malloc_trim(3).
    """
    _in_glibc("malloc_trim", 0)


def map_large_buffers() -> None:
    """Let glibc map each buffer of 1 MiB and more by itself, and give it back the moment it is freed.

    Left alone it raises its limit with the largest buffer that was freed, and keeps up to twice as much
    in each thread. It holds for the whole process, so only a program of our own should ask for it.
    Both options are documented in glibc's manual page mallopt(3).
    """
    _in_glibc("mallopt", _M_MMAP_THRESHOLD, 1 << 20)
    _in_glibc("mallopt", _M_TRIM_THRESHOLD, 2 << 20)  # else the end of the heap would come and go


def _in_glibc(function: str, *arguments: int) -> None:
    if sys.platform != "linux":
        return
    import ctypes

    with suppress(OSError, AttributeError):  # another C library, such as musl
        getattr(ctypes.CDLL(None), function)(*arguments)
