"""Memory that was freed, and that the C library keeps for later."""

from __future__ import annotations

import sys
from contextlib import suppress


def give_back_freed() -> None:
    """Let glibc hand freed memory back to the system; elsewhere nothing happens.

    It keeps what threads have freed for their next allocations, so buffers of some 20 MB, used by one
    thread after another, would add up. `malloc_trim` is documented in glibc's manual page malloc_trim(3).
    """
    if sys.platform != "linux":
        return
    import ctypes

    with suppress(OSError, AttributeError):  # another C library, such as musl
        ctypes.CDLL(None).malloc_trim(0)
