from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from wheelhouse import WheelDraft

from layercraft.console import Console, columns
from layercraft.errors import LayercraftError

if TYPE_CHECKING:
    from command_line import CommandLine
    from local_index import LocalIndex

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no pty")

ESCAPE = "\033["


def on_terminal(layercraft: CommandLine, *arguments: str, **environment: str) -> str:
    """Run a command whose stdout and stderr are one terminal, and give what that shows."""
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "layercraft", *arguments],
        cwd=layercraft.folder,
        env=layercraft.environment | {"TERM": "xterm", "COLUMNS": "120"} | environment,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = bytearray()
    with process:
        while True:
            try:
                piece = os.read(ours, 1 << 16)
            except OSError:  # how Linux tells that the other side is closed
                break
            if not piece:
                break
            shown += piece
    os.close(ours)
    return shown.decode()


@posix
def test_a_terminal_shows_colours(layercraft: CommandLine) -> None:
    shown = on_terminal(layercraft, "build", "--require", "plain")
    assert "\033[1mWheels\033[0m" in shown
    assert re.search(r"\033\[32m░+\033\[0m", shown)
    assert "\033[31;1merror\033[0m: unknown recipe" in on_terminal(layercraft, "build", "jinj")


@posix
def test_no_color_is_heeded(layercraft: CommandLine) -> None:
    assert ESCAPE not in on_terminal(layercraft, "build", "jinj", NO_COLOR="1")
    shown = on_terminal(layercraft, "build", "--require", "plain", NO_COLOR="1")
    assert not re.search(r"\033\[[0-9;]*[1-9][0-9;]*m", shown)


def test_a_pipe_shows_no_colours(layercraft: CommandLine) -> None:
    ran = layercraft.must("build", "--require", "plain")
    assert ESCAPE not in ran.out + ran.err


@posix
def test_a_terminal_shows_a_bar_that_goes_away(layercraft: CommandLine, index: LocalIndex) -> None:
    index.add(WheelDraft(name="noise", files={"noise.bin": os.urandom(500_000)}))
    index.fail("/files/", pace=0.05)
    shown = on_terminal(layercraft, "build", "--require", "noise")
    assert "downloading" in shown
    assert "━" in shown
    assert "downloading" not in shown.rpartition("Wheels")[2]


@posix
def test_quiet_shows_results_only(layercraft: CommandLine, index: LocalIndex) -> None:
    index.fail("/files/", delay=0.3)
    shown = on_terminal(layercraft, "build", "--require", "native", "-q")
    assert "downloading" not in shown
    assert "note" not in shown
    assert "native_3_13_x86_64.zip" in shown


def test_a_pipe_gets_a_plain_line_when_a_job_is_slow(layercraft: CommandLine, index: LocalIndex) -> None:
    index.add(WheelDraft(name="noise", files={"noise.bin": os.urandom(900_000)}))
    index.fail("/files/noise-1.0-py3-none-any.whl.metadata")  # answered as it should be
    index.fail("/files/", pace=0.1)
    ran = layercraft.must("build", "--require", "noise")
    told = [line for line in ran.err.splitlines() if line.startswith("downloading")]
    assert len(told) == 1
    assert re.fullmatch(r"downloading: 0\.\d+ MB of 0\.86 MB", told[0])
    assert "\r" not in ran.err


def test_a_pipe_gets_no_line_when_all_is_quick(layercraft: CommandLine) -> None:
    assert layercraft.must("build", "--require", "plain", "-q").err == ""


def test_under_json_stderr_holds_words_and_stdout_one_document(layercraft: CommandLine) -> None:
    ran = layercraft.must("build", "--require", "native", "--json")
    assert list(ran.document) == ["layers"]
    assert {line.partition(":")[0] for line in ran.err.splitlines()} == {"note"}


def test_a_gauge_is_plain_where_the_encoding_is(layercraft: CommandLine) -> None:
    shown = layercraft.must("build", "--require", "plain", PYTHONIOENCODING="ascii").out
    assert f"unzipped {'-' * 30} " in shown
    assert shown.isascii()


def test_names_that_cannot_be_shown_are_escaped(layercraft: CommandLine) -> None:
    ran = layercraft("build", "größe", PYTHONIOENCODING="ascii")
    assert ran.code == 2
    assert r"error: unknown recipe 'gr\xf6\xdfe'" in ran.err


@posix
@pytest.mark.parametrize(
    ("script", "code"),
    [
        ('"$@" >&-', 0),
        ('"$@" 2>&-', 0),
        ('{ "$@"; echo $? > code; } | true; exit $(cat code)', 1),
    ],
)
def test_streams_that_nobody_reads_cause_no_traceback(
    layercraft: CommandLine, script: str, code: int
) -> None:
    ran = layercraft("build", "--require", "plain", within=script)
    assert ran.code == code, ran.err
    assert "plain_3_13_x86_64.zip" in layercraft.made()


def test_help_and_version_are_printed(layercraft: CommandLine) -> None:
    commands = re.findall(r"^  ([a-z]+) {2}", layercraft.must("--help").out, re.MULTILINE)
    assert {"build", "lock", "analyze", "list", "new", "cache"} <= set(commands)
    assert layercraft.must().out == layercraft.must("-h").out
    assert re.fullmatch(r"layercraft \S+\n", layercraft.must("--version").out)


def test_columns_are_aligned_to_the_right_but_for_those_named() -> None:
    rows = [("a", "1", "x"), ("long", "200", "y")]
    assert columns(rows, left=(0, 2)) == ["a       1  x", "long  200  y"]
    assert columns([]) == []


def test_what_a_terminal_would_obey_is_escaped_in_columns() -> None:
    assert columns([["\x1b[31mred\n", "1"], ["ä", "2"]]) == ["\\x1b[31mred\\n  1", f"{'ä':13}  2"]


def test_an_error_and_its_hint_are_two_lines(capsys: pytest.CaptureFixture[str]) -> None:
    Console().error(LayercraftError("it broke", hint="mend it"))
    assert capsys.readouterr() == ("", "error: it broke\nhint: mend it\n")
    Console(as_json=True).error(LayercraftError("it broke"))
    out, err = capsys.readouterr()
    assert out.splitlines()[2:4] == ['    "kind": "LayercraftError",', '    "message": "it broke",']
    assert err == ""
