from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from layercraft.errors import OutputError
from layercraft.host.processes import Ended, deferred_signals, kill_labelled, run
from layercraft.host.scratch import SCRATCH, remove_tree, scratch_folder

pytestmark = pytest.mark.skipif(os.name == "nt", reason="process groups and signals of POSIX")

ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
IS_LINUX = sys.platform.startswith("linux")


def shell(text: str, *, timeout: float = 20.0, most_output: int = 1 << 20) -> Ended:
    return run(["/bin/sh", "-c", text], environment=ENVIRONMENT, timeout=timeout, most_output=most_output)


def is_gone(pid: int) -> bool:
    """Tell whether a process ended within some seconds; a zombie that init has yet to reap has ended."""
    for _ in range(100):
        try:
            os.kill(pid, 0)
            if "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text(encoding="utf-8"):
                return True
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.05)
    return False


# Running


def test_output_code_and_input_of_a_command_are_given(tmp_path: Path) -> None:
    ended = run(
        ["/bin/sh", "-c", "cat; pwd; echo $WORD; echo oops >&2; exit 3"],
        environment={**ENVIRONMENT, "WORD": "known"},
        timeout=20,
        folder=tmp_path,
        stdin=b"given\n",
    )
    assert (ended.code, ended.out.decode().split(), ended.err) == (
        3,
        ["given", str(tmp_path), "known"],
        b"oops\n",
    )
    assert (ended.timed_out, ended.flooded) == (False, False)


def test_a_command_sees_no_other_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "of the caller")
    assert b"SECRET" not in shell("env").out


def test_a_signal_that_ended_a_command_is_told() -> None:
    assert shell("kill -11 $$").code == -signal.SIGSEGV


def test_a_command_that_takes_too_long_dies_with_its_children() -> None:
    started = time.monotonic()
    ended = shell("sleep 60 & echo $!; wait", timeout=0.3)
    assert ended.timed_out
    assert time.monotonic() - started < 5
    assert is_gone(int(ended.out))


def test_a_command_that_never_stops_printing_is_ended() -> None:
    ended = shell("yes", most_output=1 << 16)
    assert (ended.flooded, ended.timed_out) == (True, False)
    assert len(ended.out) < 1 << 19


def test_endless_errors_cost_no_memory() -> None:
    ended = shell("head -c 3000000 /dev/zero >&2; echo end >&2")
    assert (len(ended.err), ended.err[-4:]) == (1 << 16, b"end\n")


def test_a_child_that_keeps_the_pipe_open_keeps_nobody_waiting() -> None:
    started = time.monotonic()
    ended = shell("sleep 60 & echo $!")
    assert time.monotonic() - started < 10
    assert is_gone(int(ended.out))


def test_output_is_heard_while_the_command_runs() -> None:
    times: list[float] = []
    started = time.monotonic()
    run(
        ["/bin/sh", "-c", "echo one; sleep 0.5; echo two"],
        environment=ENVIRONMENT,
        timeout=20,
        heard=lambda _: times.append(time.monotonic() - started),
    )
    assert times[0] < 0.4 < times[-1]


def test_what_cannot_be_started_is_an_os_error() -> None:
    with pytest.raises(FileNotFoundError):
        run(["/no/such/program"], environment={}, timeout=1)


@pytest.mark.skipif(not IS_LINUX, reason="needs /proc")
def test_processes_are_found_by_their_label_wherever_they_hid() -> None:
    label = f"LABEL=layercraft-{os.getpid()}"
    name, _, value = label.partition("=")
    with subprocess.Popen(
        ["sh", "-c", "setsid sleep 60 & echo started; wait"],
        env={**ENVIRONMENT, name: value},
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdout
        process.stdout.readline()
        time.sleep(0.1)
        kill_labelled(label)
        assert process.wait(timeout=5) == -signal.SIGKILL
    listed = subprocess.run(["ps", "axe"], capture_output=True, check=True).stdout
    assert label.encode() not in listed


# Signals that wait


def test_a_signal_waits_until_the_block_ends() -> None:
    steps: list[str] = []

    def hold() -> None:
        with deferred_signals():
            signal.raise_signal(signal.SIGINT)
            steps.append("after the signal")

    with pytest.raises(KeyboardInterrupt):
        hold()
    assert steps == ["after the signal"]


def test_a_signal_comes_through_where_the_deferral_is_lifted() -> None:
    steps: list[str] = []

    def hold_and_lift() -> None:
        with deferred_signals() as deferral:
            try:
                signal.raise_signal(signal.SIGINT)
                steps.append("held")
                with deferral.lifted():
                    steps.append("never")
            finally:
                signal.raise_signal(signal.SIGINT)
                steps.append("held again")

    with pytest.raises(KeyboardInterrupt):
        hold_and_lift()
    assert steps == ["held", "held again"]


def test_what_was_ignored_stays_ignored_and_handlers_come_back() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with deferred_signals():
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_threads_need_no_deferral() -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with deferred_signals():
                pass
        except BaseException as error:  # noqa: BLE001 (told below)
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert failures == []


# Folders


def test_a_scratch_folder_goes_with_all_that_is_in_it(tmp_path: Path) -> None:
    with scratch_folder(tmp_path) as folder:
        locked = folder / "locked"
        locked.mkdir()
        (locked / "file").write_text("x")
        (locked / "file").chmod(0o400)
        locked.chmod(0o500)
    assert list(tmp_path.iterdir()) == []


def test_a_scratch_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"no temporary folder can be made in .*: no such file"):  # noqa: SIM117
        with scratch_folder(tmp_path / "missing"):
            pass


def test_folders_of_killed_processes_are_swept_and_those_of_living_ones_are_not(tmp_path: Path) -> None:
    program = textwrap.dedent("""
        import sys, time
        from pathlib import Path
        from layercraft.host.scratch import scratch_folder

        with scratch_folder(Path(sys.argv[1])) as folder:
            print(folder, flush=True)
            time.sleep(60)
    """)
    command = [sys.executable, "-c", program, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdout
        left = Path(process.stdout.readline().strip())
        with scratch_folder(tmp_path):
            assert left.is_dir()
        process.kill()
        process.wait()
    assert left.is_dir()
    with scratch_folder(tmp_path):
        assert not left.exists()


def test_folders_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / f"{SCRATCH}without-lock").mkdir()
    (tmp_path / "another").mkdir()
    with scratch_folder(tmp_path):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["another", f"{SCRATCH}without-lock"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_no_signal_leaves_a_process_or_a_folder(tmp_path: Path, number: signal.Signals) -> None:
    """At moments spread over start, run and end: whatever was begun is gone."""
    program = textwrap.dedent("""
        import signal, sys, time
        from pathlib import Path
        from layercraft.host.processes import run
        from layercraft.host.scratch import scratch_folder

        def interrupt(number, frame):
            raise KeyboardInterrupt

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, interrupt)
        print("ready", flush=True)
        while True:
            with scratch_folder(Path(sys.argv[1])) as folder:
                run(["/bin/sh", "-c", "sleep 60 & sleep 0.01"], environment={"MARK": sys.argv[1]}, timeout=5)
    """)
    command = [sys.executable, "-c", program, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    for moment in range(6):
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            assert process.stdout
            process.stdout.readline()
            time.sleep(0.013 * moment)
            process.send_signal(number)
            process.wait(timeout=10)
        assert list(tmp_path.iterdir()) == []
        if IS_LINUX:
            assert f"MARK={tmp_path}".encode() not in b"".join(_environments())


def _environments() -> list[bytes]:
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            found.append(path.read_bytes())
        except OSError:
            continue
    return found


def test_a_tree_goes_whatever_its_modes_and_links_in_it_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir(mode=0o500)
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    (folder / "c").write_text("x")
    (folder / "link").symlink_to(tmp_path / "outside")
    for path in (folder, folder.parent):
        path.chmod(0o000)
    remove_tree(tmp_path / "a")
    assert not (tmp_path / "a").exists()
    assert (tmp_path / "outside").stat().st_mode & 0o777 == 0o500
