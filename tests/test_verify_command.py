"""`layercraft verify` as people run it, with the Python of these tests as the engine."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from probed_layers import zipped

if TYPE_CHECKING:
    from command_line import CommandLine

HERE = "{}.{}".format(*sys.version_info)
NATIVE = ("--engine", "native", "--python", sys.executable)
SMOKE = "import time\ntime.sleep(300)\n"

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="layers run on Linux")


def built(layercraft: CommandLine, *requirements: str) -> str:
    """Build a layer for this Python, and give its path."""
    wanted = [word for each in requirements for word in ("--require", each)]
    layercraft.must("build", *wanted, "-r", HERE, "--name", "made")
    (name,) = [name for name in layercraft.made() if name.endswith(".zip")]
    return f"outputs/{name}"


@linux
def test_what_was_asked_for_is_imported_and_no_dependency(layercraft: CommandLine) -> None:
    path = built(layercraft, "toolkit")
    document = layercraft.must("verify", path, *NATIVE, "--deep", "--json").document["layers"][0]
    assert [each["module"] for each in document["imports"]] == ["toolkit"]
    assert "1 of 1 modules import" in document["checked"]
    assert document["exit_code"] == 0


@linux
def test_a_failing_import_is_told_with_the_words_of_python(layercraft: CommandLine) -> None:
    path = built(layercraft, "plain")
    ran = layercraft("verify", path, *NATIVE, "--import", "plain.nowhere")
    assert ran.code == 1
    assert "import-failed: plain.nowhere: no module named plain.nowhere" in ran.out
    assert "\n    ModuleNotFoundError: No module named 'plain.nowhere'\n" in ran.out
    assert ran.out.splitlines()[-1].endswith(": 1 finding, engine native")

    ran = layercraft("verify", path, *NATIVE, "--import", "plain.nowhere", "--json")
    (finding,) = ran.document["layers"][0]["findings"]
    assert finding["said"] == "ModuleNotFoundError: No module named 'plain.nowhere'"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (("--import", ""), "error: --import '' is no module's name"),
        (("--import", "plain; import os"), "error: --import 'plain; import os' is no module's name"),
        (("--timeout", "nan"), "error: --timeout nan is no number of seconds"),
        (("--handler", "nowhere.py:handler"), "there is no Python file nowhere.py"),
        (("--engine", "dokcer"), "error: --engine dokcer: no such choice"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_read(
    layercraft: CommandLine, options: tuple[str, ...], error: str
) -> None:
    ran = layercraft("verify", "nowhere.zip", *options)
    assert ran.code == 2
    assert error in ran.err


def test_a_script_that_is_no_text_is_refused_by_name(layercraft: CommandLine) -> None:
    layercraft.write(
        {
            "layers/own/requirements.txt": "plain\n",
            "layers/own/layer.toml": '[verify]\nscript = "smoke.py"\n',
        }
    )
    (layercraft.folder / "layers/own/smoke.py").write_bytes(b"\xff\xfe")
    ran = layercraft("verify", "own", "-r", HERE, "--engine", "static")
    assert ran.code == 2
    assert "error: layers/own/smoke.py cannot be read: " in ran.err


def test_what_half_a_target_leaves_open_the_layer_tells(layercraft: CommandLine) -> None:
    layercraft.must("build", "--require", "plain", "-r", "3.12", "-a", "arm64", "--name", "made")
    (name,) = [name for name in layercraft.made() if name.endswith(".zip")]
    for given, told in (("-r", "3.12"), "python3.12 arm64"), (("-a", "x86_64"), "python3.12 x86_64"):
        ran = layercraft("verify", f"outputs/{name}", "--engine", "static", *given)
        assert f"nothing found for {told};" in ran.out


def test_names_from_a_zip_reach_the_terminal_as_one_line_of_text(layercraft: CommandLine) -> None:
    path = layercraft.folder / "LAYER.ZIP"
    zipped(path, {"python/a\n\x1b[31m.py": ""}, {"python/a\n\x1b[31m.py": 0o600})
    ran = layercraft("verify", path, "-r", HERE, "--engine", "static")
    assert "bad-mode: python/a [31m.py: its mode is 0600" in ran.out


def test_a_static_pass_has_an_exit_code_of_its_own(layercraft: CommandLine) -> None:
    ran = layercraft("verify", built(layercraft, "plain"), "--engine", "static")
    assert ran.code == 3
    assert ran.out.splitlines()[-1].endswith("no import was run, engine static")


@linux
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_no_process_no_mount_and_no_folder(
    layercraft: CommandLine, tmp_path: Path, number: signal.Signals
) -> None:
    layercraft.write(
        {
            "layers/slow/requirements.txt": "plain\n",
            "layers/slow/layer.toml": '[verify]\nscript = "smoke.py"\n',
            "layers/slow/smoke.py": SMOKE,
        }
    )
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    layercraft.environment["TMPDIR"] = str(scratch)
    layercraft.must("build", "slow", "-r", HERE)
    with layercraft.started("verify", "slow", "-r", HERE, *NATIVE) as process:
        end = time.monotonic() + 20
        while not probes_in(scratch) and time.monotonic() < end:
            time.sleep(0.05)
        assert probes_in(scratch)
        os.kill(process.pid, number)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert err.splitlines()[-2:] == ["error: interrupted", "hint: nothing is half-written"]
    assert list(scratch.iterdir()) == []
    assert probes_in(scratch) == []
    assert str(scratch) not in Path("/proc/self/mounts").read_text(encoding="utf-8")


def probes_in(folder: Path) -> list[str]:
    """Give the processes of probes whose scratch folder is in this one."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            environment = (path / "environ").read_bytes()
            if b"LAYERCRAFT_PROBE=" in environment and bytes(folder) in environment:
                found.append(path.name)
    return found
