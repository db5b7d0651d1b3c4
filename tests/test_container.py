"""The container engine: real layers in Lambda-like images, in docker and in podman."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from engine_fixtures import image_name
from probed_layers import METADATA, layer_of
from test_container_lifetime import left_running

import layercraft as package
from layercraft.errors import EngineError
from layercraft.target import Target
from layercraft.verification.checks import Checks
from layercraft.verification.container import ContainerEngine, find_container
from layercraft.verification.engines import Absent

if TYPE_CHECKING:
    from container_daemons import PrivateEngine
    from engine_fixtures import Engines

    from layercraft.verification.layer import LayerUnderTest
    from layercraft.verification.report import Outcome

pytestmark = pytest.mark.engines

TARGET = Target.parse("3.12", "x86_64")
MB = 1 << 20

# What each module does, and the kind of finding that comes of it.
MODULES = {
    "good": ("import boto3", ""),
    "sleeper": ("import time; time.sleep(300)", "import-timeout"),
    "crasher": ("import ctypes; ctypes.string_at(0)", "import-crashed"),
    "leaver": ("import os; os._exit(0)", "import-exited"),
    "liar": (
        'import os\nos.write(1, b\'{"item": 3, "verdict": {"ok": true}}\\n\')\nos._exit(0)',
        "import-exited",
    ),
    "killer": ("import os; os.kill(1, 9); os.kill(1, 19)", ""),  # process 1 takes no such signal
    "glutton": ("eaten = []\nwhile True: eaten.append(bytearray(1 << 20))", "out-of-memory"),
    "hoarder": (
        "with open('/tmp/hoard', 'wb') as file:\n while True: file.write(bytes(1 << 20))",
        "import-failed",
    ),
    "flooder": ("while True: print('x' * 1000)", "import-flooded"),
    "writer": ("open(__file__ + '.cache', 'w')", "read-only"),
    "sharer": ("import multiprocessing; multiprocessing.Lock()", "no-shared-memory"),
    "caller": ("import socket; socket.create_connection(('192.0.2.1', 80), 5)", "import-failed"),
    "hidden": ("x = 1", "bad-mode"),
    "lacking": ("import requests", "import-failed"),
    "after": ("x = 1", ""),
}

SURROUNDINGS = """
import os, subprocess, sys
packages = "lib/python3.12/site-packages"
assert sys.path[:4] == [
    "/var/task", f"/opt/python/{packages}", "/opt/python", f"/var/lang/{packages}"
], sys.path
assert sys.path[-1] == "/opt/python/extra", sys.path  # by a .pth file
import from_extra, boto3
assert os.getcwd() == "/var/task"
assert os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "512"
assert os.environ["LAMBDA_TASK_ROOT"] == "/var/task"
assert os.environ["LD_LIBRARY_PATH"].endswith(":/opt/lib")
assert os.environ["PATH"].endswith(":/opt/bin")
assert "LAYERCRAFT_PROBE" not in os.environ and "DOCKER_HOST" not in os.environ
child = "import sys; assert '/var/runtime' in sys.path and '/opt/python' not in sys.path"
subprocess.run([sys.executable, "-c", child], check=True)
open("/tmp/scratch", "w").close()
"""


def found_in(
    engine: PrivateEngine, target: Target = TARGET, *, image: str | None = None, command: str | None = None
) -> ContainerEngine | Absent:
    """Give what the command line would find; nothing is pulled."""
    return find_container(
        target,
        environment=os.environ | engine.environment,
        command=command or engine.name,
        image=image,
        pull=False,
    )


def container(
    engine: PrivateEngine, target: Target = TARGET, *, image: str | None = None, command: str | None = None
) -> ContainerEngine:
    """Give the engine, which must be found."""
    found = found_in(engine, target, image=image, command=command)
    assert isinstance(found, ContainerEngine), found
    return found


def kinds(outcome: Outcome) -> dict[str, str]:
    """Give the kind of finding for each subject."""
    return {finding.subject: finding.kind for finding in outcome.findings}


@pytest.fixture
def engine(engines: Engines, engine_name: str) -> PrivateEngine:
    """Give each engine in turn, with the image for python3.12 in it."""
    return engines(engine_name, "3.12")


@pytest.fixture
def docker(engines: Engines) -> PrivateEngine:
    """Give docker with the image for python3.12, where engines do not differ."""
    return engines("docker", "3.12")


def test_every_defect_is_found_with_its_cause(engine: PrivateEngine, tmp_path: Path) -> None:
    files = {f"{name}.py": text for name, (text, _) in MODULES.items()}
    metadata = {"good-1.0.dist-info/METADATA": METADATA.format("good", "1.0")}
    layer = layer_of(
        tmp_path,
        files | metadata,
        target=TARGET,
        modes={"hidden.py": 0o600},
        distributions=(("good", "1.0"), ("gone", "2.0")),
    )
    checks = Checks(imports=tuple(MODULES), timeout=4.0, memory=128 * MB)
    outcome = container(engine).verify(layer, checks)
    expected = {name: kind for name, (_, kind) in MODULES.items() if kind}
    assert kinds(outcome) == {**expected, "gone": "metadata-missing"}
    assert {timing.module for timing in outcome.imports} == {"good", "killer", "after"}
    assert outcome.ran_imports
    assert engine.containers() == []


def test_code_finds_what_it_finds_in_lambda(engine: PrivateEngine, tmp_path: Path) -> None:
    files = {"extra.pth": "/opt/python/extra\n", "extra/from_extra.py": "x = 1\n"}
    layer = layer_of(tmp_path, files, target=TARGET)
    checks = Checks(script=SURROUNDINGS, script_name="smoke.py")
    outcome = container(engine).verify(layer, checks)
    assert (outcome.findings, outcome.ran_imports) == ((), True)
    assert outcome.checked[0].startswith("ran with Python 3.12.")
    assert f"AWS's image for python3.12 in {engine.name} " in outcome.checked[0]
    assert "512 MB of memory are enough" in outcome.checked[1]


def test_all_modules_are_imported_with_deep(docker: PrivateEngine, tmp_path: Path) -> None:
    files = {
        "deep/__init__.py": "",
        "deep/well.py": "",
        "deep/broken.py": "import nowhere",
        "deep-1.0.dist-info/METADATA": METADATA.format("deep", "1.0"),
        "deep-1.0.dist-info/RECORD": "deep/__init__.py,,\ndeep/well.py,,\ndeep/broken.py,,\n",
    }
    layer = layer_of(tmp_path, files, target=TARGET)
    outcome = container(docker).verify(layer, Checks(imports=("deep",), deep=True, modules=("deep",)))
    assert outcome.findings == ()
    assert "2 of 3 modules import" in outcome.checked
    assert [each.subject for each in outcome.unchecked] == ["1 modules, such as deep.broken"]


def test_a_broken_zip_is_a_finding(docker: PrivateEngine, tmp_path: Path) -> None:
    layer = layer_of(tmp_path, {"good.py": "x = 1\n" * 1000}, target=TARGET)
    data = bytearray(layer.zip.read_bytes())
    data[60:64] = b"oops"
    layer.zip.write_bytes(data)
    assert kinds(container(docker).verify(layer, Checks(imports=("good",)))) == {"layer.zip": "broken-file"}


def test_a_missing_image_is_one_line_with_the_way_out(engine: PrivateEngine) -> None:
    found = find_container(
        TARGET,
        environment=os.environ | engine.environment,
        command=engine.name,
        image="nowhere:1",
        pull=False,
    )
    assert found == Absent(
        name="container",
        why=f"{engine.name} has no image nowhere:1",
        remedy=f"`{engine.name} pull --platform linux/amd64 nowhere:1`, or name another with --image",
    )


def test_an_image_of_another_platform_is_refused_before_it_runs(engine: PrivateEngine) -> None:
    found = found_in(engine, Target.parse("3.12", "arm64"))
    assert isinstance(found, Absent)
    assert found.why == f"the image {image_name('3.12')} is for linux/amd64, and the layer is for linux/arm64"


def test_an_image_of_another_python_is_refused(engines: Engines, tmp_path: Path) -> None:
    engines("docker", "3.13")
    engine = engines("docker", "3.12")
    layer = layer_of(tmp_path, {"good.py": ""}, target=TARGET)
    with pytest.raises(EngineError, match=r"has Python 3\.13, and the layer is for python3\.12$"):
        container(engine, image=image_name("3.13")).verify(layer, Checks(imports=("good",)))


def test_an_image_without_lambdas_python_is_refused(engine: PrivateEngine, tmp_path: Path) -> None:
    (tmp_path / "hello").touch()
    archive = tmp_path / "bare.tar"
    subprocess.run(["tar", "-C", tmp_path, "-cf", archive, "hello"], check=True)
    engine("import", archive, "localhost/bare:1")
    layer = layer_of(tmp_path, {"good.py": ""}, target=TARGET)
    with pytest.raises(EngineError, match=r"has no /var/lang/bin/python3: it is none of Lambda's") as told:
        container(engine, image="localhost/bare:1").verify(layer, Checks(imports=("good",)))
    assert told.value.hint == "name one with --image, or leave the option out"
    assert engine.containers() == []


def test_a_machine_that_does_not_emulate_is_told_how(
    engines: Engines, engine_name: str, tmp_path: Path
) -> None:
    if platform.machine() != "x86_64" or Path("/proc/sys/fs/binfmt_misc/qemu-aarch64").exists():
        pytest.skip("this machine runs programs for arm64")
    engine = engines(engine_name, "3.13", "arm64")
    target = Target.parse("3.13", "arm64")
    layer = layer_of(tmp_path, {"good.py": ""}, target=target)
    with pytest.raises(EngineError, match=rf"^{engine_name} cannot run programs for arm64 here$") as told:
        container(engine, target).verify(layer, Checks(imports=("good",)))
    assert "qemu-user-static" in str(told.value.hint)
    assert engine.containers() == []


def test_a_folder_that_the_engine_does_not_see_is_named(docker: PrivateEngine, tmp_path: Path) -> None:
    # A docker command that removes the layer first, as a daemon on another machine would not have it.
    wrapper = tmp_path / "docker"
    wrapper.write_text(
        "#!/bin/sh\nfor word; do case $word in --mount=*dst=/opt,*) \n"
        'word=${word#*src=}; mv "${word%%,*}" "${word%%,*}.gone";; esac; done\nexec docker "$@"\n',
        encoding="utf-8",
    )
    wrapper.chmod(0o755)
    layer = layer_of(tmp_path, {"good.py": ""}, target=TARGET)
    with pytest.raises(EngineError, match=r"create failed: .*bind source path does not exist") as told:
        container(docker, command=str(wrapper)).verify(layer, Checks(imports=("good",)))
    assert "Point TMPDIR" in str(told.value.hint)


VERIFIER = """
import os, signal, sys
sys.path[:0] = {path!r}
from pathlib import Path
from layercraft.target import Target
from layercraft.verification.checks import Checks
from layercraft.verification.container import find_container
from layercraft.verification.layer import LayerUnderTest

def interrupt(*_):
    raise KeyboardInterrupt

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, interrupt)
target = Target.parse("3.12", "x86_64")
layer = LayerUnderTest(zip=Path({zip!r}), target=target)
try:
    engine = find_container(
        target, environment=os.environ, command={engine!r}, pull=False, scratch=Path({scratch!r})
    )
    print("ready", flush=True)
    engine.verify(layer, Checks(imports=("sleeper",), timeout={timeout}))
except KeyboardInterrupt:
    sys.exit(130)
"""


def verifier(
    engine: PrivateEngine, layer: LayerUnderTest, scratch: Path, timeout: float
) -> subprocess.Popen[str]:
    """Start a verification that takes `timeout` seconds, in a process of its own."""
    scratch.mkdir(exist_ok=True)
    script = VERIFIER.format(
        path=[str(Path(package.__file__).parents[1])],
        zip=str(layer.zip),
        engine=engine.name,
        scratch=str(scratch),
        timeout=timeout,
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        env=os.environ | engine.environment,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.fixture
def sleeping_layer(tmp_path: Path) -> LayerUnderTest:
    """Give a layer whose import takes for ever."""
    return layer_of(tmp_path, {"sleeper.py": MODULES["sleeper"][0]}, target=TARGET)


@pytest.mark.parametrize(
    ("moment", "signal_name"),
    [(0.0, "SIGINT"), (0.2, "SIGTERM"), (0.4, "SIGHUP"), (0.7, "SIGINT"), (1.5, "SIGTERM")],
)
def test_a_signal_during_a_verification_leaves_nothing(
    engine: PrivateEngine, sleeping_layer: LayerUnderTest, tmp_path: Path, moment: float, signal_name: str
) -> None:
    scratch = tmp_path / "scratch"
    mounts = engine.mounts()
    with verifier(engine, sleeping_layer, scratch, timeout=300.0) as process:
        time.sleep(moment)
        process.send_signal(getattr(signal, signal_name))
        assert process.wait(60) == 130
    assert engine.containers() == []
    assert list(scratch.iterdir()) == []
    assert left_running(engine) == []
    assert engine.mounts() == mounts


def test_after_a_kill_the_probe_ends_by_itself_and_the_next_run_sweeps(
    engine: PrivateEngine, sleeping_layer: LayerUnderTest, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    with verifier(engine, sleeping_layer, scratch, timeout=3.0) as process:
        while not engine("ps", "--quiet"):
            time.sleep(0.1)
        process.kill()
    assert len(engine.containers()) == 1
    deadline = time.monotonic() + 30
    while engine("ps", "--quiet"):
        assert time.monotonic() < deadline, "the container runs on"
        time.sleep(0.2)
    after = layer_of(tmp_path, {"good.py": ""}, target=TARGET)
    found = container(engine)
    sweeper = ContainerEngine(client=found.client, image=found.image, scratch=scratch)
    assert sweeper.verify(after, Checks(imports=("good",))).findings == ()
    assert engine.containers() == []
    assert list(scratch.iterdir()) == []
