"""The probe: runs what shall work in a layer, and tells a supervisor on the outside how it went.

A program of its own for Python 3.8 to 3.15, with nothing but the standard library; layercraft never
imports it. `python -I -B -S probe.py [JOB]` reads one JSON document from the file JOB or from stdin:

    token     a random word; each line of the answer carries it
    path      folders put in front of sys.path, in this order
    sites     folders whose .pth files run (`site.addsitedir`)
    items     what to do, one after the other; see ITEMS
    timeout   seconds for each item; for "modules" the seconds for each module
    deadline  seconds for all of it
    memory    bytes that an item's processes may occupy, 0 for no limit

and answers with JSON lines on what was its stdout: `hello`, then for each item a line when it starts
and one when it ends, then `bye`. What imports the layer is a child, forked for each item, that shares
neither stdin nor stdout nor the answer: its output is captured, and its verdict comes through a pipe
of its own. A child that ends without a verdict, or with one of another process, has failed.
The supervisor imports nothing of the layer; when it is process 1, all that an item left dies with it.
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import os
import resource
import select
import signal
import site
import sys
import time
import traceback
from contextlib import suppress

TYPE_CHECKING = False  # typing itself is not loaded: the layer shall find as little there as in Lambda
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    Message = dict[str, Any]
    Tell = Callable[..., None]

FIRST_OUTPUT, LAST_OUTPUT = 16 << 10, 48 << 10  # bytes that are kept of an item's output
MOST_OUTPUT = 1 << 20  # bytes; who prints more while it is imported is stopped
MOST_VERDICT = 32 << 20  # bytes
LONGEST_TEXT = 4000  # characters of an error's message
MOST_FRAMES, MOST_CAUSES = 8, 6
TICK = 0.05  # seconds between two looks at time and memory
LAST_WORDS = 0.5  # seconds for a child that is out of time to say where it is
LEAVE = os._exit  # the layer may put something else in its place
PIPE_GONE = 113  # exit code of a child that found its verdict's pipe closed

# Modules that some builds of Python lack, for versions that have no sys.stdlib_module_names.
OFTEN_LEFT_OUT = "_bz2 _ctypes _curses _dbm _gdbm _hashlib _lzma _sqlite3 _ssl _tkinter _uuid readline"


def main() -> None:
    """Do the job."""
    if len(sys.argv) > 1:
        with open(sys.argv[1], encoding="utf-8") as file:  # noqa: PTH123 (pathlib is not loaded here)
            job = json.load(file)
    else:
        job = json.load(sys.stdin)
    end = time.monotonic() + job["deadline"]
    answer = _high(1)
    _point_at_null(0, 1)

    def tell(**message: object) -> None:
        _write(answer, json.dumps({"token": job["token"], **message}).encode() + b"\n")

    tell(hello={"version": "{}.{}.{}".format(*sys.version_info[:3]), "machine": os.uname().machine})
    for number, item in enumerate(job["items"]):
        if time.monotonic() >= end:
            break
        tell(item=number, started=True)
        tell(item=number, **_supervised(item, job, end, answer))
    else:
        tell(bye=True)


def _supervised(item: Message, job: Message, end: float, answer: int) -> Message:
    """Run one item in a child; give how it ended, its verdict if there is one, and its output."""
    verdict, told = os.pipe()
    output, said = os.pipe()
    token = os.urandom(16).hex()
    kills = _kernel_kills()
    child = os.fork()
    if not child:
        os.close(answer)
        os.close(verdict)
        os.close(output)
        _be_child(item, job, token, told, said)
    os.close(told)
    os.close(said)
    try:
        watch = _Watch(child, item, job, end, (verdict, output))
        watch.run()
    finally:
        _sweep()
        os.close(verdict)
        os.close(output)
    ended = watch.end
    if ended == {"signal": signal.SIGKILL} and (_kernel_kills() > kills or watch.was_large):
        ended["stopped"] = "memory"
    messages = [line for line in _messages(bytes(watch.verdict)) if line.pop("token", "") == token]
    result: Message = {"end": ended, "output": watch.output_text(), "printed": watch.printed}
    if item["kind"] == "modules":
        return dict(result, passed=_passed(messages), raised=_raised(messages))
    own = [message for message in messages if message.pop("pid", 0) == child]
    return dict(result, verdict=own[-1] if own else None)


class _Watch:
    """Waits for a child, reads its pipes, and ends it when it takes too much of anything.

    `end` is {"code": n} or {"signal": n}, with "stopped" (timeout, memory, flood) when it was us.
    """

    def __init__(self, child: int, item: Message, job: Message, end: float, pipes: tuple[int, int]) -> None:
        self.child = child
        self.patience = job["timeout"]
        self.until = min(time.monotonic() + self.patience, end)
        self.last = end
        self.memory = job["memory"]
        self.in_steps = item["kind"] == "modules"
        self.pipes = dict(zip(pipes, (self._take_verdict, self._take_output)))  # noqa: B905 (Python 3.10)
        self.verdict = bytearray()
        self.first, self.rest, self.printed = bytearray(), bytearray(), 0
        self.stopped = ""
        self.was_large = False
        self.status: int | None = None

    @property
    def end(self) -> Message:
        status = self.status or 0
        ended: Message = {"code": os.WEXITSTATUS(status)}
        if os.WIFSIGNALED(status):
            ended = {"signal": os.WTERMSIG(status)}
        return dict(ended, stopped=self.stopped) if self.stopped else ended

    def run(self) -> None:
        looked = time.monotonic()
        while not self._ended():
            self._read(TICK if self.pipes else 0)
            if not self.pipes:
                time.sleep(TICK / 10)
            now = time.monotonic()
            if now >= looked + TICK:
                looked = now
                self._check(now)
        drained = time.monotonic() + LAST_WORDS  # who else holds a pipe may write for ever
        while self._read(0) and time.monotonic() < drained:
            pass
        if self.printed > MOST_OUTPUT and not self.in_steps:
            self.stopped = self.stopped or "flood"

    def _ended(self) -> bool:
        if self.status is None:
            done, status = os.waitpid(self.child, os.WNOHANG)
            self.status = status if done else None
        return self.status is not None

    def _read(self, wait: float) -> bool:
        """Take what lies in the pipes; tell whether there was anything."""
        ready, _, _ = select.select(list(self.pipes), [], [], wait) if self.pipes else ([], [], [])
        for pipe in ready:
            data = os.read(pipe, 1 << 16)
            if data:
                self.pipes[pipe](data)
            else:
                del self.pipes[pipe]
        return bool(ready)

    def _take_verdict(self, data: bytes) -> None:
        if self.in_steps:
            self.until = min(time.monotonic() + self.patience, self.last)
        if len(self.verdict) + len(data) <= MOST_VERDICT:
            self.verdict += data

    def _take_output(self, data: bytes) -> None:
        self.printed += len(data)
        room = FIRST_OUTPUT - len(self.first)
        self.first += data[:room]
        self.rest = (self.rest + data[room:])[-LAST_OUTPUT:] if room < len(data) else self.rest
        if self.printed > MOST_OUTPUT and not self.in_steps:
            self._stop("flood")

    def _check(self, now: float) -> None:
        if now >= self.until:
            self._time_is_up()
        elif self.memory and not self.in_steps:
            used = _occupied(self.child, self.memory)
            self.was_large = used > self.memory // 2
            if used > self.memory:
                self._stop("memory")

    def _time_is_up(self) -> None:
        """End the child; of modules in steps only the one that hangs, unless all time is up."""
        running = _running(_messages(bytes(self.verdict))) if self.in_steps else 0
        if running and time.monotonic() < self.last:
            _kill(running)
            self.until = min(time.monotonic() + self.patience, self.last)
            return
        if not self.in_steps:
            # faulthandler writes down where it is.
            _kill(-1 if os.getpid() == 1 else self.child, signal.SIGUSR2)
            last = time.monotonic() + LAST_WORDS
            while time.monotonic() < last and not self._ended():
                self._read(TICK)
        self._stop("timeout")

    def _stop(self, why: str) -> None:
        if not self._ended():
            self.stopped = why
            _kill(self.child)
            _, self.status = os.waitpid(self.child, 0)

    def output_text(self) -> str:
        gap = self.printed - len(self.first) - len(self.rest)
        between = f"\n[... {gap} bytes left out ...]\n" if gap else ""
        return self.first.decode("utf-8", "replace") + between + self.rest.decode("utf-8", "replace")


def _occupied(child: int, limit: int) -> int:
    """Give the bytes of memory that an item occupies: all of us where we are process 1, else the child."""
    pids = {child, *_pids()} - {1} if os.getpid() == 1 else {child}  # qemu may hide /proc's folders
    total = sum(_resident(pid) for pid in pids)
    if total > limit and len(pids) > 1:  # what forked processes share was counted for each
        return sum(_share(pid) for pid in pids)
    return total


def _resident(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm") as file:  # noqa: PTH123 (pathlib is not loaded here)
            return int(file.read().split()[1]) * resource.getpagesize()
    except (OSError, IndexError):
        return 0


def _share(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:  # noqa: PTH123 (pathlib is not loaded here)
            return sum(int(line.split()[1]) << 10 for line in file if line.startswith("Pss:"))
    except OSError:
        return _resident(pid)


def _kernel_kills() -> int:
    """Give how many processes of this control group the kernel killed for lack of memory."""
    for name in ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"):
        try:
            with open(name) as file:  # noqa: PTH123 (pathlib is not loaded here)
                return sum(int(line.split()[1]) for line in file if line.startswith("oom_kill "))
        except (OSError, IndexError, ValueError):
            continue
    return 0


def _sweep() -> None:
    """End all that an item left running, and collect the dead.

    Where others share our processes, those are ours that were started with our environment's label.
    """
    if os.getpid() == 1:
        _kill(-1)
    else:
        label = os.environb.get(b"LAYERCRAFT_PROBE", b"")
        for pid in _pids():
            if label and pid != os.getpid() and b"LAYERCRAFT_PROBE=" + label in _environment(pid):
                _kill(pid)
    with suppress(OSError):  # no child is left
        while os.waitpid(-1, 0 if os.getpid() == 1 else os.WNOHANG)[0]:
            pass


def _environment(pid: int) -> list[bytes]:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:  # noqa: PTH123 (pathlib is not loaded here)
            return file.read().split(b"\0")
    except OSError:
        return []


def _pids() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 (as above)
    except OSError:
        return []


def _kill(pid: int, number: int = signal.SIGKILL) -> None:
    with suppress(OSError):  # gone already
        os.kill(pid, number)


def _messages(data: bytes) -> list[Message]:
    """Give the JSON objects among the lines; what else somebody wrote there is passed over."""
    found = []
    for line in data.split(b"\n"):
        try:
            message = json.loads(line)
        except ValueError:
            continue
        if isinstance(message, dict):
            found.append(message)
    return found


# --- the child ---------------------------------------------------------------------------------------------


def _be_child(item: Message, job: Message, token: str, told: int, said: int) -> NoReturn:
    """Do one item and tell how it went; never returns."""
    code = 70
    try:
        _point_at_null(0)
        for stream in (1, 2):
            os.dup2(said, stream)
        os.close(said)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        faulthandler.enable()
        faulthandler.register(signal.SIGUSR2, all_threads=False)
        tell = _teller(_high(told), token)
        do = ITEMS[item["kind"]]
        _lay_path(job["path"], job["sites"])
        job.clear()
        sys.argv = [""]
        sys.modules["__main__"] = type(sys)("__main__")  # the layer's code shall not see the probe's
        do(item, tell)
        code = 0
    except BaseException:  # noqa: BLE001 (nothing may leave the child but its exit code)
        traceback.print_exc()
    finally:
        try:
            _flush()
        finally:
            LEAVE(code)


def _lay_path(path: list[str], sites: list[str]) -> None:
    """Lay sys.path as AWS's bootstrap does: the layer before the standard library, .pth files run."""
    if sys.flags.no_site:
        site.setquit()
        site.setcopyright()
        site.sethelper()
    sys.path[:0] = path
    for folder in sites:
        site.addsitedir(folder)


def _teller(pipe: int, token: str) -> Tell:
    """Give what writes a message into the verdict's pipe, and needs nothing that the layer may replace."""
    write, status, process, encode, leave = os.write, os.fstat, os.getpid, json.dumps, LEAVE
    own = status(pipe)

    def tell(**message: object) -> None:
        data = encode(dict(message, token=token, pid=process())).encode() + b"\n"
        try:
            now = status(pipe)
            if (now.st_dev, now.st_ino) != (own.st_dev, own.st_ino):
                leave(PIPE_GONE)
            while data:
                data = data[write(pipe, data) :]
        except OSError:
            leave(PIPE_GONE)

    return tell


def _import(item: Message, tell: Tell) -> None:
    """Import one module; tell seconds, the bytes that it added to memory at its peak, and its kind."""
    clock, usage, name = time.perf_counter, resource.getrusage, item["name"]
    before, started = _resident(os.getpid()), clock()
    try:
        module = importlib.import_module(name)
    except BaseException as error:  # noqa: BLE001 (whatever it is, it is the verdict)
        tell(ok=False, errors=_errors(error))
        return
    seconds = clock() - started
    peak = max(0, (usage(resource.RUSAGE_SELF).ru_maxrss << 10) - before)
    tell(ok=True, seconds=seconds, peak=peak, namespace=_is_namespace(module))


def _is_namespace(module: Any) -> bool:  # noqa: ANN401 (modules put all sorts of objects in their place)
    with suppress(Exception):  # such as that object may raise
        spec = module.__spec__
        return spec.origin is None and spec.submodule_search_locations is not None
    return False


def _script(item: Message, tell: Tell) -> None:
    """Run a program as `__main__`; to raise anything but SystemExit(0) is to fail."""
    import linecache

    name, text, clock = item["name"], item["text"], time.perf_counter
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    namespace = sys.modules["__main__"].__dict__
    namespace.update(__file__=name, __builtins__=__builtins__)
    started = clock()
    try:
        exec(compile(text, name, "exec"), namespace)  # noqa: S102 (what was asked for)
    except SystemExit as error:
        if error.code not in (None, 0):
            tell(ok=False, exit=error.code if isinstance(error.code, int) else str(error.code))
            return
    except BaseException as error:  # noqa: BLE001 (whatever it is, it is the verdict)
        tell(ok=False, errors=_errors(error))
        return
    tell(ok=True, seconds=clock() - started)


def _versions(item: Message, tell: Tell) -> None:
    """Tell what importlib.metadata answers for each distribution: its version, None, or an error."""
    from importlib import metadata

    found: Message = {}
    for name in item["names"]:
        try:
            found[name] = {"version": metadata.version(name)}
        except metadata.PackageNotFoundError:
            found[name] = {"missing": True}
        except Exception as error:  # noqa: BLE001 (a broken METADATA may raise anything)
            found[name] = {"error": f"{type(error).__name__}: {error}"}
    tell(ok=True, versions=found)


def _handler(item: Message, tell: Tell) -> None:
    """Have awslambdaric call a handler once; the Runtime API is here, and the layer in a child.

    Tells the outcome that `runtime_api.py` describes, seconds, and the bytes that the child took.
    """
    library: Message = {"__name__": "runtime_api"}
    exec(compile(item["api"], "runtime_api.py", "exec"), library)  # noqa: S102 (our own text)
    api = library["RuntimeApi"](item["event"], item["timeout"])
    started = time.monotonic()
    child = os.fork()
    if not child:
        _be_runtime(item, api.address)
    faulthandler.unregister(signal.SIGUSR2)
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)  # where the child is, is the question
    api.start()
    statuses: list[int] = []

    def is_running() -> bool:
        if not statuses:
            done, status = os.waitpid(child, os.WNOHANG)
            statuses.extend([status] if done else [])
        return not statuses

    outcome = api.wait(is_running)
    status = None if is_running() else statuses[0]
    if status is None:
        _kill(child)
        os.waitpid(child, 0)
    tell(
        ok=outcome is not None,
        outcome=outcome,
        status=status,
        init=max(0.0, api.asked - started),
        seconds=max(0.0, api.answered - api.asked) if api.asked else 0.0,
        peak=resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10,
    )


def _be_runtime(item: Message, address: str) -> NoReturn:
    """Be what AWS's bootstrap is in Lambda; never returns."""
    code = 1
    try:
        task = item["environment"]["LAMBDA_TASK_ROOT"]
        os.environ.update(item["environment"], AWS_LAMBDA_RUNTIME_API=address)
        os.chdir(task)
        _lay_path(item["path"], item["sites"])
        from awslambdaric.__main__ import main as serve  # type: ignore[import-not-found]  # Lambda's own

        serve([task, item["environment"]["_HANDLER"]])
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:  # noqa: BLE001 (what it is, is printed, and the exit code tells the rest)
        traceback.print_exc()
    finally:
        LEAVE(code)


def _emulator(item: Message, tell: Tell) -> None:
    """Have AWS's emulator call a handler once; `emulator_client.py` describes what is told."""
    library: Message = {"__name__": "emulator_client"}
    exec(compile(item["client"], "emulator_client.py", "exec"), library)  # noqa: S102 (our own text)
    kills = _kernel_kills()
    verdict = library["call"](item)
    tell(ok=verdict["outcome"] is not None, starved=_kernel_kills() > kills, **verdict)


def _modules(item: Message, tell: Tell) -> None:
    """Import many modules, each in a process forked from one that has imported its package already."""
    tree: Message = {}
    for name in item["names"]:
        branch = tree
        for part in name.split("."):
            branch = branch.setdefault(part, {})
    _grow(tree, "", tell)


def _grow(branches: Message, package: str, tell: Tell) -> None:
    for part, inner in branches.items():
        name = package + part
        child = os.fork()
        if child:
            _, status = os.waitpid(child, 0)
            tell(ended=name, child=child, status=status)
            continue
        tell(started=name)
        code = 1
        try:
            importlib.import_module(name)
            tell(imported=name)
            _grow(inner, name + ".", tell)
            code = 0
        except BaseException:  # noqa: BLE001 (whatever it is, it is the verdict)
            tell(raised=name)
        finally:
            LEAVE(code)


def _passed(messages: list[Message]) -> list[str]:
    """Give the modules whose process told that it imported them, and then ended well."""
    imported = {(message["imported"], message["pid"]) for message in messages if "imported" in message}
    ended = {
        (message["ended"], message["child"])
        for message in messages
        if "ended" in message and message["status"] == 0
    }
    return sorted(name for name, _ in imported & ended)


def _raised(messages: list[Message]) -> list[str]:
    """Give the modules whose import raised an error."""
    return sorted({message["raised"] for message in messages if "raised" in message})


def _running(messages: list[Message]) -> int:
    """Give the process of the module that was started last and told nothing since; 0 if there is none."""
    last = messages[-1] if messages else {}
    return int(last["pid"]) if "started" in last else 0


def _errors(error: BaseException) -> list[Message]:
    """Describe an error and its causes, outermost first."""
    found: list[Message] = []
    each: BaseException | None = error
    while each is not None and len(found) < MOST_CAUSES:
        found.append(_described(each))
        each = each.__cause__ or each.__context__
    return found


def _described(error: BaseException) -> Message:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 (a broken __str__ must not hide the error)
        text = "an error that cannot be shown"
    frames = traceback.extract_tb(error.__traceback__)[-MOST_FRAMES:]
    described: Message = {
        "type": type(error).__name__,
        "bases": [base.__name__ for base in type(error).__mro__],
        "text": text[:LONGEST_TEXT],
        "explicit": error.__cause__ is not None,
        "frames": [[frame.filename, frame.lineno, frame.name, frame.line or ""] for frame in frames],
    }
    for key in ("name", "path", "errno", "filename"):
        value = getattr(error, key, None)
        if isinstance(value, (str, int)):
            described[key] = value
    missing = str(described.get("name", "")).partition(".")[0]
    described["stdlib"] = missing in getattr(sys, "stdlib_module_names", OFTEN_LEFT_OUT.split())
    return described


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):  # the layer may have put anything there
            stream.flush()


def _high(descriptor: int) -> int:
    """Move a descriptor out of the way of code that counts from 0."""
    import fcntl

    moved = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 100)
    os.close(descriptor)
    return moved


def _point_at_null(*descriptors: int) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in descriptors:
        os.dup2(null, descriptor)
    if null not in descriptors:
        os.close(null)


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


ITEMS = {
    "import": _import,
    "script": _script,
    "versions": _versions,
    "modules": _modules,
    "handler": _handler,
    "emulator": _emulator,
}

if __name__ == "__main__":
    main()
