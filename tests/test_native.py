"""The native engine on small layers that are broken in all ways, and on good ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from engine_fixtures import unavailable
from probed_layers import HERE, METADATA, PYTHON, layer_of, native_engine, pyenv_root, pythons

from layercraft.errors import UsageError
from layercraft.events import SILENT
from layercraft.target import Target
from layercraft.verification.checks import Checks
from layercraft.verification.engines import Absent
from layercraft.verification.local_engine import LocalEngine
from layercraft.verification.native import find_native
from layercraft.verification.probe_channel import LABEL
from layercraft.verification.report import KINDS
from layercraft.verification.sandbox import PROTECTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from layercraft.verification.report import Finding, Outcome

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="layers run on Linux")

RULE = "rule **/tests/ of layers/x/layer.toml"
BROKEN: Mapping[str, tuple[str, str, str]] = {
    "segfaults": ("import ctypes\nctypes.string_at(0)", "import-crashed", "SIGSEGV, at python/segfaults.py"),
    "exits": ("import os\nos._exit(0)", "import-exited", "it ends the process with exit code 0"),
    "calls_exit": ("import sys\nsys.exit(0)", "import-exited", "it calls sys.exit(0) (at python/calls_exit"),
    "sleeps": (
        "import time\ntime.sleep(60)",
        "import-timeout",
        "within 1 seconds, at python/sleeps.py, line 2",
    ),
    "eats": ("x = []\nwhile True: x.append(bytearray(1 << 20))", "out-of-memory", "more than 200 MB"),
    "shares": ("from multiprocessing import Lock\nLock()", "no-shared-memory", "it needs /dev/shm"),
    "writes": (
        "from pathlib import Path\nPath(__file__).with_name('cache').write_text('x')",
        "read-only",
        "it writes python/cache (at python/writes.py, line 2)",
    ),
    "writes_here": ("open('x', 'w')", "read-only", "it writes x (at python/writes_here.py, line 1)"),
    "floods": ("print('spam ' * 400_000)", "import-flooded", "it prints without end: spam spam"),
    "calls_out": (
        "import socket\nsocket.create_connection(('192.0.2.1', 9), 20)",
        "import-failed",
        "Network is unreachable",
    ),
    "closes": ("import os\nos.closerange(3, 1024)", "import-exited", "closes file descriptors"),
    "secret": ("", "bad-mode", "python/secret.py has mode 0600"),
    "wants_tests": ("import kept.tests", "removed-module", "no module named kept.tests"),
    "wants_more": ("import not_there", "import-failed", "no module named not_there"),
    "hollow": ("", "removed-module", "hollow is an empty namespace"),
    "kills_all": (
        "import os, time\nos.kill(os.getppid(), 9)\nos.kill(os.getpid(), 9)",
        "import-crashed",
        "killed by SIGKILL",
    ),
}
"""A module each: its source, and the kind and cause by which it must be found."""

GOOD: Mapping[str, str] = {
    "plain": "x = 1",
    "uses_tmp": "import os, tempfile\nwith tempfile.NamedTemporaryFile() as f: f.write(b'x')\n"
    "open('/tmp/known', 'w').write('x')\nassert os.listdir('/tmp').count('known') == 1",
    "at_home": "import os\nopen(os.path.expanduser('~/x'), 'w').close()",
    "talks_to_itself": "import socket\ns = socket.create_server(('127.0.0.1', 0))\n"
    "socket.create_connection(s.getsockname()).close()",
    "has_children": "import subprocess\nassert subprocess.run(['true']).returncode == 0",
    "leaves_children": "import os, time\nif not os.fork():\n    os.setsid()\n    time.sleep(600)",
    "is_nobody": "import os\nassert (os.getuid(), os.getgid()) == (993, 990)",
    "at_task": "import os\nassert os.listdir('.') == []",
}


def found(outcome: Outcome, subject: str) -> Finding:
    """Give the one finding about a module."""
    (finding,) = [each for each in outcome.findings if each.subject == subject]
    return finding


def no_trace(folder: Path) -> bool:
    """Tell whether neither a scratch folder nor a labelled process is left that works in `folder`."""
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            environment = (path / "environ").read_bytes()
            if LABEL.encode() in environment and str(folder).encode() in environment:
                return False
    return list(folder.iterdir()) == []


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Verify one layer with all of BROKEN and GOOD in it."""
    folder, scratch = tmp_path_factory.mktemp("layer"), tmp_path_factory.mktemp("scratch")
    files = {f"{name}.py": source for name, (source, _, _) in BROKEN.items() if name != "hollow"}
    files |= {f"{name}.py": source for name, source in GOOD.items()}
    layer = layer_of(
        folder,
        files | {"kept/__init__.py": "", "hollow/data.txt": "x"},
        modes={"secret.py": 0o600},
        removed={"python/kept/tests/__init__.py": RULE, "python/hollow/__init__.py": RULE},
    )
    checks = Checks(imports=(*BROKEN, *GOOD), timeout=1, memory=200 << 20)
    outcome = native_engine(scratch).verify(layer, checks)
    assert no_trace(scratch)
    return outcome


@pytest.fixture(scope="module")
def confined(outcome: Outcome) -> Outcome:
    """Give the outcome where the system lets us take away what Lambda has not."""
    lacking = [each for each in outcome.unchecked if each.subject in PROTECTIONS.values()]
    if lacking:
        unavailable(f"{lacking[0].subject}: {lacking[0].why}")
    return outcome


@pytest.mark.parametrize("name", BROKEN)
def test_each_broken_module_is_found_with_its_cause(confined: Outcome, name: str) -> None:
    _, kind, cause = BROKEN[name]
    if name == "secret" and os.geteuid() != 0:
        pytest.skip("only root can give files to another user; the static engine reads their modes")
    finding = found(confined, name)
    assert finding.kind == kind
    assert finding.kind in KINDS
    assert cause in finding.cause
    assert finding.engine == "native"


def test_what_took_a_module_is_blamed(confined: Outcome) -> None:
    for name in ("wants_tests", "hollow"):
        assert found(confined, name).blame == f"removed by {RULE}"


@pytest.mark.parametrize("name", GOOD)
def test_what_lambda_allows_is_no_finding(confined: Outcome, name: str) -> None:
    assert [each for each in confined.findings if each.subject == name] == []
    (timing,) = [each for each in confined.imports if each.module == name]
    assert 0 <= timing.seconds < 1
    assert timing.peak < 50 << 20


def test_what_was_done_is_told(confined: Outcome) -> None:
    assert confined.checked[0] == f"ran with {native_engine(Path()).description}"
    assert confined.checked[1].startswith("made sure that nothing but /tmp is written")
    assert f"{len(confined.imports)} of {len(BROKEN) + len(GOOD)} imports passed" in confined.checked[2]
    assert confined.ran_imports


def test_nothing_reaches_the_machines_own_tmp(confined: Outcome) -> None:
    assert confined
    assert not Path("/tmp/known").exists()  # noqa: S108 (Lambda's own)


def test_a_good_layer_passes_with_script_and_versions(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    layer = layer_of(
        tmp_path,
        {
            "pack/__init__.py": "from pack import inner",
            "pack/inner.py": "",
            "more.pth": "import sys; sys.more = 1\n",
            "dist-1.0.dist-info/METADATA": METADATA.format("dist", "1.0"),
        },
        distributions=(("dist", "1.0"),),
    )
    script = "import pack, sys\nassert pack.inner and sys.more"
    checks = Checks(imports=("pack",), script=script, script_name="smoke.py", timeout=20)
    outcome = native_engine(tmp_path / "scratch").verify(layer, checks)
    assert outcome.findings == ()
    assert outcome.ran_imports
    assert outcome.checked[-3] == "1 of 1 imports passed, each in a process of its own"
    assert outcome.checked[-2].startswith("smoke.py ran to its end in ")
    assert outcome.checked[-1] == "importlib.metadata tells the version of 1 of 1 distributions"
    assert no_trace(tmp_path / "scratch")


def test_what_runs_nothing_is_no_pass(tmp_path: Path) -> None:
    layer = layer_of(
        tmp_path,
        {"space/more.py": "", "dist-1.0.dist-info/METADATA": METADATA.format("dist", "1.0")},
        distributions=(("dist", "1.0"),),
    )
    nothing, space = (
        native_engine(tmp_path).verify(layer, Checks(imports=each)) for each in ((), ("space",))
    )
    assert (nothing.findings, nothing.ran_imports) == ((), False)
    assert (space.findings, space.imports, space.ran_imports) == ((), (), False)
    assert "space" in [each.subject for each in space.unchecked]


def test_metadata_that_are_gone_empty_or_of_another_version_are_found(tmp_path: Path) -> None:
    layer = layer_of(
        tmp_path,
        {
            "empty-1.0.dist-info/RECORD": "",
            "older-1.0.dist-info/METADATA": METADATA.format("older", "1.0"),
            "same-1.0.dist-info/METADATA": METADATA.format("same", "1.0.0"),
        },
        distributions=(("empty", "1.0"), ("gone", "1.0"), ("older", "2.0"), ("same", "1.0")),
        removed={"python/gone-1.0.dist-info/METADATA": RULE},
    )
    outcome = native_engine(tmp_path).verify(layer, Checks())
    assert [(each.subject, each.kind, each.blame) for each in outcome.findings] == [
        ("empty", "metadata-missing", None),
        ("gone", "metadata-missing", f"removed by {RULE}"),
        ("older", "metadata-version", None),
    ]


def test_a_failing_script_is_found_by_its_own_words(tmp_path: Path) -> None:
    layer = layer_of(tmp_path, {"pack.py": ""})
    for script, cause in (
        ("print('no good')\nraise SystemExit(2)", "it ends with exit code 2, its last words: no good"),
        ("import pack\npack.missing()", "AttributeError: module 'pack' has no attribute 'missing'"),
        ("import os\nos._exit(0)", "it ends the process with exit code 0"),
    ):
        checks = Checks(script=script, script_name="smoke.py", timeout=20)
        (finding,) = native_engine(tmp_path).verify(layer, checks).findings
        assert (finding.kind, finding.subject, finding.cause) == ("script-failed", "smoke.py", cause)


def test_what_lambda_brings_and_this_python_lacks_is_not_checked(tmp_path: Path) -> None:
    layer = layer_of(tmp_path, {"uses_sdk.py": "import boto3.session"})
    outcome = native_engine(tmp_path).verify(layer, Checks(imports=("uses_sdk",), timeout=20))
    assert outcome.findings == ()
    (unchecked,) = [each for each in outcome.unchecked if each.subject == "uses_sdk"]
    assert "it imports boto3, which Lambda's" in unchecked.why
    assert not outcome.ran_imports


def test_a_dependency_of_other_patch_versions_is_told(tmp_path: Path) -> None:
    full = Target.parse(HERE.runtime.name).runtime.python_full_version
    wants = f"Requires-Dist: young; python_full_version < '{full}'\n"
    layer = layer_of(
        tmp_path,
        {
            "redis.py": "import young",
            "redis-8.0.dist-info/METADATA": METADATA.format("redis", "8.0") + wants,
        },
        distributions=(("redis", "8.0"),),
    )
    engine = native_engine(tmp_path)
    if engine.python.interpreter.full_version == full:
        pytest.skip("this Python is of the patch version that Lambda has")
    outcome = engine.verify(layer, Checks(imports=("redis",), timeout=20))
    assert outcome.findings == ()
    assert [each.subject for each in outcome.unchecked if "young" in each.why] == ["redis", "redis 8.0"]


def test_a_broken_zip_is_found(tmp_path: Path) -> None:
    layer = layer_of(tmp_path, {"pack.py": "x = 1\n" * 1000})
    data = bytearray(layer.zip.read_bytes())
    data[60] ^= 0xFF
    layer.zip.write_bytes(data)
    (finding,) = native_engine(tmp_path).verify(layer, Checks(imports=("pack",))).findings
    assert (finding.kind, finding.subject) == ("broken-file", "layer.zip")


def test_without_namespaces_the_verdicts_are_the_same_and_what_is_not_made_sure_is_told(
    tmp_path: Path,
) -> None:
    """In a user namespace that allows no further ones, as hardened systems do."""
    program = textwrap.dedent("""
        import sys
        from pathlib import Path
        from probed_layers import layer_of, native_engine
        from layercraft.verification.checks import Checks

        folder = Path(sys.argv[1])
        files = {"good.py": "", "exits.py": "import os; os._exit(0)", "leaves.py": sys.argv[2], "last.py": ""}
        layer = layer_of(folder, files)
        checks = Checks(imports=("good", "exits", "leaves", "last"), timeout=20)
        outcome = native_engine(folder).verify(layer, checks)
        for each in (*outcome.findings, *outcome.imports, *outcome.unchecked):
            print(each)
    """)
    leaves = "import os, time\nif not os.fork():\n    os.setsid()\n    time.sleep(600)"
    command = ["unshare", "--user", "--map-root-user", "sh", "-c", FORBIDDING, "sh", sys.executable]
    ran = subprocess.run(
        [*command, "-c", program, str(tmp_path), leaves],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "MARK": str(tmp_path)},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    if ran.returncode == CANNOT_FORBID:
        unavailable("user namespaces cannot be switched off here")
    assert "Finding" in ran.stdout, ran.stderr
    assert ran.stdout.count("Finding(") == 1
    assert ran.stdout.count("ImportTiming(") == 3
    for subject in PROTECTIONS.values():
        assert f"subject={subject!r}" in ran.stdout or f'subject="{subject}"' in ran.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["layer.zip"]


CANNOT_FORBID = 77
FORBIDDING = f'echo 0 > /proc/sys/user/max_user_namespaces || exit {CANNOT_FORBID}; exec "$@"'


# The interpreter


@pytest.mark.parametrize("minor", range(8, 15))
def test_every_python_of_this_machine_is_an_engine(tmp_path: Path, minor: int) -> None:
    if minor not in pythons():
        pytest.skip(f"this machine has no Python 3.{minor}")
    target = Target.parse(f"3.{minor}", HERE.architecture)
    engine = find_native(
        target,
        search_path=os.environ.get("PATH", os.defpath),
        pyenv_root=pyenv_root(),
        scratch=tmp_path / "scratch",
    )
    (tmp_path / "scratch").mkdir()
    assert isinstance(engine, LocalEngine)
    version = f"import sys\nassert sys.version_info[:2] == (3, {minor})"
    layer = layer_of(tmp_path, {"good.py": version, "bad.py": "import nothing_here"}, target=target)
    outcome = engine.verify(layer, Checks(imports=("good", "bad"), timeout=20))
    assert [(each.subject, each.kind) for each in outcome.findings] == [("bad", "import-failed")]
    assert [each.module for each in outcome.imports] == ["good"]
    assert no_trace(tmp_path / "scratch")


def test_without_a_fitting_python_the_engine_is_absent(tmp_path: Path) -> None:
    absent = find_native(Target.parse("3.8", "arm64"), search_path=str(tmp_path))
    assert isinstance(absent, Absent)
    assert absent.why == "no python3.8 for aarch64 and glibc on PATH, in pyenv or in uv"
    assert absent.remedy


def test_a_named_python_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(UsageError, match=r"and the layer needs Python 3\.8"):
        find_native(Target.parse("3.8"), python=PYTHON)


# Ends


VERIFYING = """
import signal, sys
from pathlib import Path
from probed_layers import layer_of, native_engine
from layercraft.verification.checks import Checks

def interrupt(number, frame):
    raise KeyboardInterrupt

for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, interrupt)
folder = Path(sys.argv[1])
layer = layer_of(folder, {"waits.py": sys.argv[2]})
print("ready", flush=True)
(folder / "scratch").mkdir(exist_ok=True)
native_engine(folder / "scratch").verify(layer, Checks(imports=("waits",), timeout=30))
"""
WAITS = """
import os, subprocess, time
if not os.fork():
    os.setsid()
    time.sleep(600)
subprocess.Popen(["sleep", "600"], start_new_session=True)
time.sleep(600)
"""


def started(folder: Path) -> subprocess.Popen[str]:
    """Start a verification that will take long; it prints a line when it begins."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "MARK": str(folder)}
    return subprocess.Popen(
        [sys.executable, "-c", VERIFYING, str(folder), WAITS],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    )


def processes_of(folder: Path) -> list[int]:
    """Give the processes that see a scratch folder below `folder`, or that are in its probe."""
    pids = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str(folder).encode() in (path / "environ").read_bytes() + (path / "cmdline").read_bytes():
                pids.append(int(path.name))
    return pids


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("delay", [0.0, 0.05, 0.15, 0.4, 0.9])
def test_no_signal_at_any_moment_leaves_anything(
    tmp_path: Path, number: signal.Signals, delay: float
) -> None:
    with started(tmp_path) as process:
        assert process.stdout
        process.stdout.readline()
        time.sleep(delay)
        process.send_signal(number)
        assert process.wait(timeout=10) != 0
    assert [path.name for path in tmp_path.glob("scratch/*")] == []
    assert processes_of(tmp_path) == []


def test_after_kill_all_processes_end_and_the_next_run_sweeps_the_folder(tmp_path: Path) -> None:
    with started(tmp_path) as process:
        assert process.stdout
        process.stdout.readline()
        end = time.monotonic() + 20
        while len(processes_of(tmp_path)) < 4 and time.monotonic() < end:
            time.sleep(0.05)
        process.kill()
    end = time.monotonic() + 10
    while processes_of(tmp_path) and time.monotonic() < end:
        time.sleep(0.05)
    assert processes_of(tmp_path) == []
    (left,) = (tmp_path / "scratch").iterdir()
    layer = layer_of(tmp_path, {"fine.py": ""})
    outcome = native_engine(tmp_path / "scratch").verify(layer, Checks(imports=("fine",), timeout=20), SILENT)
    assert outcome.findings == ()
    assert not left.exists()
