from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import CancelledError, wait

import pytest

from layercraft.resolution.background import Background

NAME = "background-test"


def alive() -> int:
    return sum(thread.name == NAME for thread in threading.enumerate())


def wait_until_none_is_alive() -> None:
    end = time.monotonic() + 5
    while alive() and time.monotonic() < end:
        time.sleep(0.005)
    assert alive() == 0


def test_jobs_give_their_results_and_errors() -> None:
    pool = Background(2, name=NAME)
    fine, broken = pool.submit(divmod, 7, 2), pool.submit(divmod, 1, 0)
    assert fine.result(5) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        broken.result(5)
    assert pool.submit(divmod, 9, 2).result(5) == (4, 1), "a job's error ends no thread"
    pool.close()
    wait_until_none_is_alive()


def test_many_jobs_run_at_once_but_no_more_than_allowed() -> None:
    pool = Background(3, name=NAME)
    barrier, gate = threading.Barrier(4), threading.Event()

    def job() -> None:
        barrier.wait(5)
        gate.wait(5)

    jobs = [pool.submit(job) for _ in range(3)]
    late = pool.submit(int, "7")
    barrier.wait(5)
    assert alive() == 3
    assert not late.done()
    gate.set()
    assert late.result(5) == 7
    wait(jobs, 5)
    pool.close()
    wait_until_none_is_alive()


def test_threads_are_used_again_before_more_are_started() -> None:
    pool = Background(20, name=NAME)
    for number in range(50):
        assert pool.submit(abs, -number).result(5) == number
        time.sleep(0.001)
    assert alive() < 5
    pool.close()
    wait_until_none_is_alive()


def test_closing_cancels_what_waits_and_waits_for_nothing() -> None:
    pool = Background(1, name=NAME)
    running, gate = threading.Event(), threading.Event()

    def job() -> bool:
        running.set()
        return gate.wait(5)

    first = pool.submit(job)
    running.wait(5)
    waiting = pool.submit(abs, 1)
    pool.close()
    assert waiting.cancelled()
    assert pool.submit(abs, 1).cancelled()
    with pytest.raises(CancelledError):
        waiting.result(0)
    assert not first.done()
    gate.set()
    assert first.result(5)
    wait_until_none_is_alive()


def test_a_job_that_hangs_keeps_no_process_alive() -> None:
    code = (
        "import time\n"
        "from layercraft.resolution.background import Background\n"
        "pool = Background(4, name='x')\n"
        "jobs = [pool.submit(time.sleep, 60) for _ in range(8)]\n"
        "time.sleep(0.05)\n"
        "raise SystemExit(3)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], timeout=20, check=False).returncode == 3
