"""Ctrl-C and SIGTERM at any moment: soon over, nothing half-written, and the next build works."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import TYPE_CHECKING

import pytest
from wheelhouse import WheelDraft

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from command_line import CommandLine
    from local_index import LocalIndex

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")

SOON = 3  # seconds
PAGE = 50_000  # bytes; all but the wheel has less
OLD = {
    "pylock.noise_3_13_x86_64.toml": b"the old lock",
    "noise_3_13_x86_64.json": b"the old record",
    "noise_3_13_x86_64.zip": b"the old zip",
}
BUILD = ("build", "--require", "noise")
NOISE = "/files/noise-1.0-py3-none-any.whl"


def noise(size: int) -> WheelDraft:
    """Give a wheel that takes long to download, and long to deflate."""
    return WheelDraft(name="noise", files={"noise.bin": os.urandom(size)}, stored=["noise.bin"])


@pytest.fixture
def before(layercraft: CommandLine) -> CommandLine:
    """Give a command line in whose output folder an older layer lies."""
    # An interrupt may come between the opening of a file and the `with` that would close it.
    layercraft.environment["PYTHONWARNINGS"] = "error,ignore::ResourceWarning"
    layercraft.outputs.mkdir()
    for name, data in OLD.items():
        (layercraft.outputs / name).write_bytes(data)
    return layercraft


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def downloading(layercraft: CommandLine) -> list[Path]:
    """Give the temporary files of the cache that hold a part of the wheel."""
    return [path for path in layercraft.cache.glob("temporary/*") if _size(path) > PAGE]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # renamed since
        return 0


def interrupted(
    layercraft: CommandLine,
    *arguments: str,
    when: Callable[[], object],
    signals: tuple[signal.Signals, ...] = (signal.SIGINT,),
) -> tuple[str, str]:
    """Start a command, signal it at some moment, and see that it ends as it should; give its output."""
    with layercraft.started(*arguments) as process:
        wait_for(when)
        for number in signals:
            process.send_signal(number)
            time.sleep(0.02)
        start = time.monotonic()
        out, err = process.communicate(timeout=20)
        assert time.monotonic() - start < SOON
    assert process.returncode == 130, (out, err)
    assert "Traceback" not in err
    assert {path.name: path.read_bytes() for path in layercraft.outputs.iterdir()} == OLD
    assert downloading(layercraft) == []
    return out, err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_download_can_be_interrupted(
    before: CommandLine, index: LocalIndex, number: signal.Signals
) -> None:
    index.add(noise(1_000_000))
    index.fail(f"{NOISE}.metadata")  # answered as it should be
    index.fail(NOISE, pace=0.2)
    out, err = interrupted(
        before,
        *BUILD,
        signals=(number,),
        when=lambda: downloading(before),
    )
    assert out == ""
    assert err.endswith("error: interrupted\nhint: nothing is half-written\n")
    index.forget()
    before.must(*BUILD)
    assert (before.outputs / "noise_3_13_x86_64.zip").stat().st_size > 1_000_000


def test_a_resolution_can_be_interrupted(before: CommandLine, index: LocalIndex) -> None:
    index.fail("/pypi/", delay=10)
    interrupted(before, *BUILD, signals=(signal.SIGTERM,), when=lambda: index.count("/pypi/noise"))


def test_a_host_that_never_answers_holds_nobody_back(before: CommandLine, index: LocalIndex) -> None:
    index.add(noise(1000))
    index.fail(NOISE, delay=10)
    interrupted(before, *BUILD, when=lambda: index.count(NOISE))


def test_a_pause_between_two_tries_can_be_interrupted(before: CommandLine, index: LocalIndex) -> None:
    index.fail("/pypi/", status=503, headers={"retry-after": "30"})
    interrupted(before, *BUILD, when=lambda: index.count("/pypi/noise"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_zip_can_be_interrupted(before: CommandLine, index: LocalIndex, number: signal.Signals) -> None:
    index.add(noise(40_000_000))
    interrupted(
        before,
        *BUILD,
        "--no-check",
        signals=(number,),
        when=lambda: list(before.outputs.glob(".noise_3_13_x86_64.zip.*")),
    )


def test_a_script_dies_with_the_build(before: CommandLine, index: LocalIndex, tmp_path: Path) -> None:
    index.add(noise(1000))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    before.environment["TMPDIR"] = str(temporary)
    script = f"echo $$ > {tmp_path}/pid.new; mv {tmp_path}/pid.new {tmp_path}/pid; sleep 60 & wait\n"
    before.write({"layers/noise/requirements.txt": "noise\n", "layers/noise/cleanup.sh": script})
    interrupted(before, "build", "noise", when=(tmp_path / "pid").exists)
    assert list(temporary.iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_impatience_does_not_disturb_the_tidying_up(before: CommandLine, index: LocalIndex) -> None:
    index.add(noise(2_000_000))
    index.fail(f"{NOISE}.metadata")
    index.fail(NOISE, pace=0.2)
    interrupted(before, *BUILD, signals=(signal.SIGINT,) * 5, when=lambda: downloading(before))


def test_an_interruption_is_one_document_under_json(before: CommandLine, index: LocalIndex) -> None:
    index.fail("/pypi/", delay=10)
    out, err = interrupted(before, *BUILD, "--json", when=lambda: index.count("/pypi/noise"))
    error = json.loads(out)["error"]
    assert (error["kind"], error["message"]) == ("InterruptionError", "interrupted")
    assert "interrupted" not in err


def test_a_signal_that_the_caller_lets_us_ignore_is_ignored(
    layercraft: CommandLine, index: LocalIndex
) -> None:
    index.fail("/pypi/", delay=0.5)
    ignoring = 'trap "" HUP; "$@"'
    with layercraft.started("build", "--require", "lib", within=ignoring) as process:
        wait_for(lambda: index.count("/pypi/lib"))
        os.killpg(process.pid, signal.SIGHUP)
        process.communicate(timeout=20)
    assert process.returncode == 0
