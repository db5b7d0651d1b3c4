"""What the C library keeps of freed memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import layercraft

KEPT = """
import resource
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from layercraft.host.memory import map_large_buffers

if {asked}:
    map_large_buffers()
first = bytearray(30 << 20)
del first  # from here on glibc would serve 20 MB from a heap of the thread
together = Barrier(4)

def work(_):
    together.wait()
    large, small = bytearray(20 << 20), bytearray(50_000)
    together.wait()
    del large
    return small  # lies behind the hole

with ThreadPoolExecutor(4) as pool:
    kept = list(pool.map(work, range(4)))
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    print(pages * resource.getpagesize() >> 20)
"""


def resident(*, asked: bool) -> int:
    """Give the MB that a process holds after it has freed all large buffers."""
    ran = subprocess.run(
        [sys.executable, "-c", KEPT.format(asked=asked)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(layercraft.__file__).parents[1],
    )
    return int(ran.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator is meant")
def test_what_threads_have_freed_is_given_back_at_once() -> None:
    assert resident(asked=True) < 40
