"""Containers: confined as Lambda confines, and gone afterwards, whatever happened."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from engine_fixtures import image_name

import layercraft
from layercraft.errors import EngineError
from layercraft.host.processes import run
from layercraft.host.scratch import scratch_folder
from layercraft.verification.container_engines import Client, find_client
from layercraft.verification.container_lifetime import Blueprint, Container, created, sweep

if TYPE_CHECKING:
    from container_daemons import PrivateEngine
    from engine_fixtures import Engines

    from layercraft.host.processes import Ended

pytestmark = pytest.mark.engines

PYTHON = "/var/lang/bin/python3"
MB = 1 << 20

LOOK_AROUND = """
import json, os, socket, sys
def tried(path):
    try:
        open(os.path.join(path, "written"), "w").close()
        return "written"
    except OSError as error:
        return error.strerror
def reached():
    try:
        socket.create_connection(("192.0.2.1", 80), 2)
        return "reached"
    except OSError as error:
        return error.strerror
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({
    "written": {path: tried(path) for path in ("/", "/opt", "/var/task", "/run", "/usr", "/tmp")},
    "shm": os.path.exists("/dev/shm"),
    "network": reached(),
    "user": [os.getuid(), os.getgid()],
    "capabilities": [int(status[key], 16) for key in ("CapEff", "CapPrm", "CapBnd")],
    "new privileges": int(status["NoNewPrivs"]),
    "layer": sorted(os.listdir("/opt")),
    "told": os.environ["TOLD"],
    "stdin": sys.stdin.read(),
}))
"""


@pytest.fixture
def engine(engines: Engines, engine_name: str) -> PrivateEngine:
    """Give a running engine with an image in it."""
    return engines(engine_name, "3.12")


@pytest.fixture
def client(engine: PrivateEngine) -> Client:
    """Give the engine's client."""
    return find_client(engine.name, os.environ | engine.environment)


def blueprint(scratch: Path, *command: str, **changes: Any) -> Blueprint:  # noqa: ANN401 (fields)
    """Give a container that runs Python on a layer of one file."""
    layer = scratch / "layer"
    layer.mkdir(exist_ok=True)
    (layer / "file").touch()
    plain = Blueprint(
        image=image_name("3.12"),
        platform="linux/amd64",
        scratch=scratch,
        mounts={"/opt": layer},
        environment={"TOLD": "a=b c"},
        entrypoint=PYTHON,
        command=("-I", "-c", *command),
        memory=128 * MB,
        lifetime=60.0,
    )
    return replace(plain, **changes)


def started(container: Container, stdin: bytes = b"", timeout: float = 60.0) -> Ended:
    environment = container.client.environment
    return run(
        container.start, environment=environment, timeout=timeout, folder=container.folder, stdin=stdin
    )


def test_a_container_can_do_no_more_than_a_function(client: Client) -> None:
    with scratch_folder() as scratch, created(client, blueprint(scratch, LOOK_AROUND)) as container:
        ended = started(container, b"a job")
    seen = json.loads(ended.out)
    read_only = dict.fromkeys(("/", "/opt", "/var/task", "/run", "/usr"), "Read-only file system")
    assert seen == {
        "written": {**read_only, "/tmp": "written"},  # noqa: S108 (Lambda's own)
        "shm": False,
        "network": "Network is unreachable",
        "user": [993, 990],
        "capabilities": [0, 0, 0],
        "new privileges": 1,
        "layer": ["file"],
        "told": "a=b c",
        "stdin": "a job",
    }


def test_memory_and_processes_are_limited(client: Client) -> None:
    memory = "open('/tmp/x', 'wb').write(bytes(90 << 20)); bytearray(90 << 20); print('survived')"
    threads = """
import os, threading
count, end = 1, threading.Event()
try:
    while count < 2000:
        threading.Thread(target=end.wait).start()
        count += 1
except RuntimeError:
    os.write(1, str(count).encode())
    os._exit(0)
"""
    with scratch_folder() as scratch, created(client, blueprint(scratch, memory)) as container:
        ended = started(container)
        assert (ended.out, ended.code) == (b"", 137)
    with scratch_folder() as scratch, created(client, blueprint(scratch, threads)) as container:
        assert 1000 < int(started(container).out) <= 1024


def test_nothing_is_written_where_layercraft_is_called(
    engine: PrivateEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Podman's conmon leaves a file `oom` where it is begun."""
    monkeypatch.chdir(tmp_path)
    wrapper = Path("tools", engine.name)
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which(engine.name)} "$@"\n', encoding="utf-8")
    wrapper.chmod(0o755)
    client = find_client(str(wrapper), os.environ | engine.environment)
    assert client.name == str(wrapper)
    eats = "eaten = []\nwhile True: eaten.append(bytearray(1 << 20))"
    with scratch_folder() as scratch, created(client, blueprint(scratch, eats)) as container:
        assert started(container).code == 137
    assert [str(path) for path in Path().rglob("*")] == ["tools", str(wrapper)]


def test_only_stdout_of_the_container_is_on_stdout(client: Client) -> None:
    script = "import sys; sys.stderr.write('complaint\\n'); print('answer'); sys.exit(7)"
    with scratch_folder() as scratch, created(client, blueprint(scratch, script)) as container:
        ended = started(container)
    assert (ended.out, ended.err, ended.code) == (b"answer\n", b"complaint\n", 7)


def test_nothing_is_left_after_the_block(client: Client, engine: PrivateEngine) -> None:
    with scratch_folder() as scratch, created(client, blueprint(scratch, "print()")) as container:
        started(container)
        assert len(engine.containers()) == 1
    assert engine.containers() == []
    assert left_running(engine) == []
    assert not scratch.exists()


def test_a_container_that_still_runs_is_ended_with_the_block(client: Client, engine: PrivateEngine) -> None:
    script = "import time; time.sleep(300)"
    before = time.monotonic()
    with scratch_folder() as scratch, created(client, blueprint(scratch, script)) as container:
        assert started(container, timeout=1.0).timed_out
    assert engine.containers() == []
    assert time.monotonic() - before < 30


def test_what_the_engine_refuses_is_told_in_its_words(client: Client, engine: PrivateEngine) -> None:
    with (
        scratch_folder() as scratch,
        pytest.raises(EngineError, match=rf"^{client.name} create failed: .*no such file|does not exist"),
        created(client, blueprint(scratch, "", mounts={"/opt": scratch / "nowhere"})),
    ):
        pytest.fail("the mount's folder is missing")
    assert engine.containers() == []


def test_a_folder_with_a_comma_is_mounted(client: Client, tmp_path: Path) -> None:
    layer = tmp_path / 'a,b "c"'
    layer.mkdir()
    (layer / "file").touch()
    script = "import os; print(os.listdir('/opt'))"
    with (
        scratch_folder() as scratch,
        created(client, blueprint(scratch, script, mounts={"/opt": layer})) as container,
    ):
        assert started(container).out == b"['file']\n"


MAKER = """
import os, signal, sys, time
sys.path[:0] = {path!r}
import test_container_lifetime as tests
from pathlib import Path
from layercraft.host.scratch import scratch_folder
from layercraft.verification.container_engines import find_client
from layercraft.verification.container_lifetime import created

def interrupt(*_):
    raise KeyboardInterrupt

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, interrupt)
try:
    client = find_client({engine!r}, os.environ)
    print("ready", flush=True)
    with scratch_folder(Path({folder!r})) as scratch:
        with created(client, tests.blueprint(scratch, "import time; time.sleep(300)")) as container:
            print("created", flush=True)
            tests.started(container, timeout=300.0)
except KeyboardInterrupt:
    sys.exit(130)
"""


class Maker:
    """A process that makes a container and waits for it."""

    def __init__(self, engine: PrivateEngine, folder: Path) -> None:
        path = [str(Path(__file__).parent), str(Path(layercraft.__file__).parents[1])]
        script = MAKER.format(path=path, engine=engine.name, folder=str(folder))
        self.process = subprocess.Popen(
            [sys.executable, "-c", script],
            env=os.environ | engine.environment,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def wait_for(self, word: str) -> None:
        """Read the next line, which must be this one."""
        assert self.process.stdout
        assert self.process.stdout.readline().strip() == word

    def signalled(self, number: int) -> int:
        """Send a signal, and give the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(60)
        assert self.process.stdout
        self.process.stdout.close()
        return code


def left_running(engine: PrivateEngine, patience: float = 5.0) -> list[str]:
    """Give the processes that still work for containers after some seconds, the daemon left out."""
    deadline = time.monotonic() + patience
    while (found := _working_for(engine)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def _working_for(engine: PrivateEngine) -> list[str]:
    mark = str(engine.folder).encode()
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (path / "cmdline").read_bytes().split(b"\0")
            is_client = words[0].endswith(engine.name.encode()) and mark in (path / "environ").read_bytes()
            is_daemon = words[0].endswith((b"dockerd", b"containerd"))
            if is_client or (mark in b" ".join(words) and not is_daemon):
                found.append(b" ".join(words).decode())
    return found


@pytest.mark.parametrize(
    ("moment", "signal_name"),
    [
        *((0.0, "SIGINT"), (0.05, "SIGTERM"), (0.1, "SIGHUP"), (0.15, "SIGINT"), (0.2, "SIGTERM")),
        *((0.3, "SIGHUP"), (0.5, "SIGINT"), (1.0, "SIGTERM")),
    ],
)
def test_a_signal_at_any_moment_leaves_nothing(
    engine: PrivateEngine, tmp_path: Path, moment: float, signal_name: str
) -> None:
    maker = Maker(engine, tmp_path)
    maker.wait_for("ready")
    time.sleep(moment)
    assert maker.signalled(getattr(signal, signal_name)) == 130
    assert engine.containers() == []
    assert list(tmp_path.iterdir()) == []
    assert left_running(engine) == []


def test_what_a_killed_maker_left_is_swept_by_the_next_run(
    engine: PrivateEngine, client: Client, tmp_path: Path
) -> None:
    maker = Maker(engine, tmp_path)
    maker.wait_for("ready")
    maker.wait_for("created")
    time.sleep(0.5)
    maker.signalled(signal.SIGKILL)
    assert len(engine.containers()) == 1
    with scratch_folder(tmp_path) as scratch:
        assert sweep(client) == 1
        assert list(tmp_path.iterdir()) == [scratch]
    assert engine.containers() == []


def test_containers_of_others_that_still_work_are_left_alone(
    engine: PrivateEngine, client: Client, tmp_path: Path
) -> None:
    with scratch_folder(tmp_path) as scratch, created(client, blueprint(scratch, "pass")):
        assert sweep(client) == 0
        # A folder of another machine cannot be seen: its containers stay until their time is over.
        assert sweep(client, host="another") == 0
        shutil.move(scratch / "layer", tmp_path)
        assert sweep(client, host="another", now=time.time() + 3600) == 1
    assert engine.containers() == []


def test_a_container_that_only_bears_our_label_is_left_alone(engine: PrivateEngine, client: Client) -> None:
    engine("create", "--pull=never", "--label=layercraft=mine", "--name=foreign", image_name("3.12"))
    try:
        assert sweep(client, now=time.time() + 10**9) == 0
        assert len(engine.containers()) == 1
    finally:
        engine("rm", "--force", "foreign")
