"""The probe's own promises, with every Python of this machine and without any confinement."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
from probed_layers import METADATA, PYTHON, pythons

import layercraft.verification
from layercraft.events import SilentReporter
from layercraft.verification.probe_channel import Answers, Job, Result, ask_probe, program

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from layercraft.events import Progress
    from layercraft.verification.probe_channel import Item

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="layers run on Linux")

TOKEN = f"token-of-{os.getpid()}"
PROBE = Path(layercraft.verification.__file__).with_name("probe.py")

DEAF = """
import signal, time
for number in range(1, 32):
    try: signal.signal(number, signal.SIG_IGN)
    except OSError: pass
time.sleep(60)
"""
LIAR = """
import os
lie = b'{"ok": true, "seconds": 0, "peak": 0, "pid": %d, "token": "x"}\\n' % os.getpid()
for descriptor in range(1, 300):
    try: os.write(descriptor, lie)
    except OSError: pass
os._exit(0)
"""
SPEAKER = """
import os
for descriptor in range(1, 300):
    try: os.write(descriptor, b'{"bye": true}\\n')
    except OSError: pass
os._exit(0)
"""
TELLER = """
import json, os
print(json.dumps({"ok": True, "pid": os.getpid()}), flush=True)
raise ImportError("true")
"""
ODD = """
class Odd(BaseException):
    def __str__(self): raise ValueError
raise Odd
"""
CLOSER = """
import os
os.closerange(3, 1024)
kept = [open(os.devnull, "wb") for _ in range(400)]
"""
ENDINGS: dict[str, tuple[str, dict[str, object]]] = {
    "good": ("x = 1", {"code": 0, "succeeded": True}),
    "prints": ("print('hello')", {"code": 0, "succeeded": True, "output": "hello\n"}),
    "exits": ("import os\nos._exit(0)", {"code": 0, "verdict": None}),
    "exits_badly": ("import os\nos._exit(3)", {"code": 3, "verdict": None}),
    "leaves": ("raise SystemExit(0)", {"code": 0, "verdict.ok": False}),
    "crashes": ("import ctypes\nctypes.string_at(0)", {"signal": 11}),
    "kills_itself": ("import os\nos.kill(os.getpid(), 9)", {"signal": 9, "stopped": ""}),
    "hangs": ("import time\ntime.sleep(60)", {"signal": 9, "stopped": "timeout"}),
    "spins": ("while True: pass", {"signal": 9, "stopped": "timeout"}),
    "is_deaf": (DEAF, {"signal": 9, "stopped": "timeout"}),
    "eats": ("eaten = []\nwhile True: eaten.append(bytearray(1 << 20))", {"stopped": "memory"}),
    "floods": ("while True: print('x' * 1000)", {"signal": 9, "stopped": "flood"}),
    "floods_errors": ("import os\nwhile True: os.write(2, b'x' * 1000)", {"stopped": "flood"}),
    "closes": ("import os\nos.closerange(3, 1024)", {"code": 113, "verdict": None}),
    "closes_and_opens": (CLOSER, {"code": 113, "verdict": None}),
    "detaches": ("import os\nif os.fork(): os._exit(0)\nos.setsid()", {"code": 0, "verdict": None}),
    "splits": ("import os\nif not os.fork(): raise ImportError('in the child alone')", {"succeeded": True}),
    "tells_lies": (TELLER, {"code": 0, "verdict.ok": False}),
    "lies_everywhere": (LIAR, {"code": 0, "verdict": None}),
    "speaks_for_the_probe": (SPEAKER, {"code": 0, "verdict": None}),
    "patches": (
        "import json, os\njson.dumps = os.write = os.getpid = None",
        {"succeeded": True},
    ),
    "cannot_leave": ("import os\nos._exit = print\nraise ImportError", {"code": 0, "verdict.ok": False}),
    "replaces_itself": ("import sys\nsys.modules[__name__] = object()", {"code": 0, "succeeded": True}),
    "breaks_stdout": ("import sys\nsys.stdout = None", {"code": 0, "succeeded": True}),
    "raises_oddly": (ODD, {"code": 0, "verdict.ok": False}),
    "recurses": ("def f(): f()\nf()", {"verdict.ok": False}),
}
"""A module each: its source, and how the probe must tell its end."""


class Counting(SilentReporter):
    """Counts how far each job came."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()

    @contextmanager
    def progress(
        self,
        label: str,
        total: int | None,
        unit: Literal["bytes", "items"],
    ) -> Iterator[Progress]:
        """Give a progress that counts."""
        del total, unit
        counter = self.done

        class Counted:
            def advance(self, amount: int) -> None:
                counter[label] += amount

        yield Counted()


def asked(
    items: tuple[Item, ...], path: Path | str, *, python: Path = PYTHON, timeout: float = 20, memory: int = 0
) -> Answers:
    """Have a probe do some items with this folder on sys.path."""
    job = Job(items=items, path=(str(path),), sites=(str(path),), timeout=timeout, memory=memory)
    return ask_probe([python, "-I", "-B", "-S", PROBE], job, environment={"PATH": os.defpath}, token=TOKEN)


def imported(folder: Path, sources: Mapping[str, str], **how: object) -> dict[str, Result | None]:
    """Import some modules; give how each went."""
    for name, source in sources.items():
        path = folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source + "\n", encoding="utf-8")
    names = [name.replace("/", ".").replace(".__init__", "") for name in sources]
    items = tuple({"kind": "import", "name": name} for name in names)
    answers = asked(items, folder, **how)  # type: ignore[arg-type]
    return dict(zip(names, answers.results, strict=True))


@pytest.fixture(scope="module")
def endings(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Result | None]:
    """Import all of ENDINGS in one run."""
    folder = tmp_path_factory.mktemp("modules")
    sources = {name: source for name, (source, _) in ENDINGS.items()}
    return imported(folder, sources, timeout=2, memory=200 << 20)


@pytest.mark.parametrize("name", ENDINGS)
def test_each_end_is_told_and_only_true_success_is_success(
    endings: Mapping[str, Result | None], name: str
) -> None:
    result = endings[name]
    assert result is not None
    expected = dict(ENDINGS[name][1])
    assert result.succeeded == expected.pop("succeeded", False)
    for key, value in expected.items():
        if key == "verdict.ok":
            assert result.verdict
            assert result.verdict["ok"] is value
        else:
            assert getattr(result, key) == value


def test_nothing_of_a_probe_outlives_it(endings: Mapping[str, Result | None]) -> None:
    assert endings
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            assert TOKEN.encode() not in path.read_bytes()


def test_where_a_crash_and_a_hang_were_is_kept(endings: Mapping[str, Result | None]) -> None:
    for name, line in (("crashes", 2), ("hangs", 2), ("spins", 1)):
        result = endings[name]
        assert result
        assert f'{name}.py", line {line} in <module>' in result.output


def test_who_is_left_behind_and_writes_for_ever_holds_up_nobody(tmp_path: Path) -> None:
    left = (
        "import os\nfor _ in range(4):\n    if not os.fork():\n        while True: os.write(1, b'x' * 65536)"
    )
    started = time.monotonic()
    results = imported(tmp_path, {"left": left, "next": ""}, timeout=5)
    assert time.monotonic() < started + 5
    assert results["next"]
    assert results["next"].succeeded


def test_of_much_output_begin_and_end_are_kept(tmp_path: Path) -> None:
    source = "print('begin')\nprint('x' * 500_000)\nprint('end', end='')"
    result = imported(tmp_path, {"much": source})["much"]
    assert result
    assert result.output.startswith("begin\nxxx")
    assert result.output.endswith("xxx\nend")
    assert "bytes left out" in result.output
    assert len(result.output) < 70_000
    assert result.succeeded


@pytest.mark.parametrize("minor", range(8, 16))
def test_every_python_can_run_it(tmp_path: Path, minor: int) -> None:
    if minor not in pythons():
        pytest.skip(f"this machine has no Python 3.{minor}")
    (tmp_path / "pack/inner").mkdir(parents=True)
    for name, text in {
        "pack/__init__.py": "",
        "pack/good.py": "import pack",
        "pack/bad.py": "import missing_module",
        "pack/inner/__init__.py": "",
        "pack/inner/exits.py": "import os\nos._exit(0)",
        "pack/inner/leaf.py": "",
        "crash.py": "import ctypes\nctypes.string_at(0)",
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "dist-1.5.dist-info").mkdir()
    (tmp_path / "dist-1.5.dist-info/METADATA").write_text(METADATA.format("dist", "1.5"), encoding="utf-8")
    modules = ["pack", "pack.bad", "pack.good", "pack.inner", "pack.inner.exits", "pack.inner.leaf"]
    items: tuple[Item, ...] = (
        {"kind": "import", "name": "pack.inner"},
        {"kind": "import", "name": "pack.bad"},
        {"kind": "import", "name": "crash"},
        {"kind": "script", "name": "smoke.py", "text": "import pack\nassert pack.__name__ == 'pack'"},
        {"kind": "versions", "names": ["dist", "other"]},
        {"kind": "modules", "names": modules},
    )
    answers = asked(items, tmp_path, python=pythons()[minor].executable)
    assert answers.problem == ""
    assert answers.python == pythons()[minor].full_version
    good, bad, crash, script, versions, deep = answers.results
    assert good
    assert good.succeeded
    assert bad
    assert bad.verdict
    assert bad.verdict["errors"][0]["name"] == "missing_module"
    assert crash
    assert crash.signal == 11
    assert script
    assert script.succeeded
    assert versions
    assert versions.verdict
    assert versions.verdict["versions"] == {"dist": {"version": "1.5"}, "other": {"missing": True}}
    assert deep
    assert deep.passed == ("pack", "pack.good", "pack.inner", "pack.inner.leaf")


def test_seconds_and_memory_are_those_of_the_import_alone(tmp_path: Path) -> None:
    sources = {
        "slow": "import time\ntime.sleep(0.3)",
        "large": "kept = bytearray(50 << 20)",
        "peak": "passing = bytearray(50 << 20)\ndel passing",
        "small": "",
    }
    told = {name: result.verdict for name, result in imported(tmp_path, sources).items() if result}
    assert all(told.values())
    assert 0.3 <= told["slow"]["seconds"] < 2  # type: ignore[index]
    for name, least, most in (("large", 50, 60), ("peak", 50, 60), ("small", 0, 5), ("slow", 0, 5)):
        assert least << 20 <= told[name]["peak"] < most << 20  # type: ignore[index]


def test_each_import_has_a_process_of_its_own(tmp_path: Path) -> None:
    sources = {
        "first": "import builtins\nbuiltins.seen = 1",
        "second": "import builtins\nassert not hasattr(builtins, 'seen')",
    }
    results = imported(tmp_path, sources)
    assert [result.succeeded for result in results.values() if result] == [True, True]


def test_the_path_is_laid_as_lambda_lays_it(tmp_path: Path) -> None:
    """The layer stands before the standard library, its `.pth` files run, the host's packages are out."""
    task, site = tmp_path / "task", tmp_path / "python"
    extra = site / "extra"
    extra.mkdir(parents=True)
    (site / "more.pth").write_text("extra\nimport sys; sys.ran_pth = True\n", encoding="utf-8")
    script = (
        "import sys, site\n"
        f"assert sys.path[:2] == [{str(task)!r}, {str(site)!r}], sys.path\n"
        f"assert {str(extra)!r} in sys.path and sys.ran_pth\n"
        "assert not any('site-packages' in path for path in sys.path), sys.path\n"
        "assert exit and __name__ == '__main__' and __file__ == 'smoke.py'\n"
        "assert sys.flags.isolated and sys.flags.dont_write_bytecode\n"
        "assert sys.stdin.read() == ''\n"
    )
    job = Job(
        items=({"kind": "script", "name": "smoke.py", "text": script},),
        path=(str(task), str(site)),
        sites=(str(task), str(site)),
        timeout=20,
        memory=0,
    )
    (result,) = ask_probe([PYTHON, "-I", "-B", "-S", PROBE], job).results
    assert result
    assert result.succeeded, result


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("raise SystemExit", {"ok": True}),
        ("import sys\nsys.exit(0)", {"ok": True}),
        ("raise SystemExit(3)", {"ok": False, "exit": 3}),
        ("raise SystemExit('in words')", {"ok": False, "exit": "in words"}),
        ("1 / 0", {"ok": False}),
        ("def broken(:", {"ok": False}),
    ],
)
def test_a_script_passes_when_it_ends_well(tmp_path: Path, text: str, verdict: dict[str, object]) -> None:
    (result,) = asked(({"kind": "script", "name": "smoke.py", "text": text},), tmp_path).results
    assert result
    assert result.verdict
    assert {key: result.verdict[key] for key in verdict} == verdict


def test_a_script_that_ends_the_process_did_not_pass(tmp_path: Path) -> None:
    item = {"kind": "script", "name": "smoke.py", "text": "import os\nos._exit(0)"}
    (result,) = asked((item,), tmp_path).results
    assert result
    assert not result.succeeded


def test_the_lines_of_a_script_are_told(tmp_path: Path) -> None:
    item = {"kind": "script", "name": "smoke.py", "text": "def work():\n    return 1 / 0\nwork()"}
    (result,) = asked((item,), tmp_path).results
    assert result
    assert result.verdict
    (error,) = result.verdict["errors"]
    assert error["type"] == "ZeroDivisionError"
    assert error["frames"][-1] == ["smoke.py", 2, "work", "return 1 / 0"]


def test_errors_are_told_with_their_causes(tmp_path: Path) -> None:
    source = (
        "try:\n    import missing\nexcept ImportError as error:\n    raise ImportError('wrapped') from error"
    )
    result = imported(tmp_path, {"wraps": source})["wraps"]
    assert result
    assert result.verdict
    outer, inner = result.verdict["errors"]
    assert (outer["text"], outer["explicit"], inner["name"]) == ("wrapped", True, "missing")
    assert inner["bases"][:2] == ["ModuleNotFoundError", "ImportError"]
    assert not inner["stdlib"]


def test_a_namespace_is_told_from_a_package(tmp_path: Path) -> None:
    (tmp_path / "hollow").mkdir()
    (tmp_path / "hollow/data.txt").write_text("x", encoding="utf-8")
    results = imported(tmp_path, {"whole/__init__": ""})
    (hollow,) = asked(({"kind": "import", "name": "hollow"},), tmp_path).results
    whole = results["whole"]
    assert hollow
    assert whole
    assert hollow.verdict
    assert whole.verdict
    assert (hollow.verdict["namespace"], whole.verdict["namespace"]) == (True, False)


# Many modules


def modules(folder: Path, sources: Mapping[str, str], **how: object) -> tuple[str, ...]:
    """Import some modules from warm processes; give which passed."""
    for name, source in sources.items():
        path = folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source + "\n", encoding="utf-8")
    names = [name.replace("/", ".").replace(".__init__", "") for name in sources]
    (result,) = asked(({"kind": "modules", "names": names},), folder, **how).results  # type: ignore[arg-type]
    assert result
    return result.passed


def test_a_package_is_imported_once_for_all_its_modules(tmp_path: Path) -> None:
    count = f"open({str(tmp_path / 'count')!r}, 'a').write('x')"
    sources = {"pack/__init__": count, "pack/one": "", "pack/two": "import pack.one", "pack/three": ""}
    assert modules(tmp_path, sources) == ("pack", "pack.one", "pack.three", "pack.two")
    assert (tmp_path / "count").read_text(encoding="utf-8") == "x"


def test_what_hangs_or_crashes_takes_only_itself(tmp_path: Path) -> None:
    sources = {
        "pack/__init__": "",
        "pack/crashes": "import ctypes\nctypes.string_at(0)",
        "pack/exits": "import os\nos._exit(0)",
        "pack/floods": "print('x' * 2_000_000)",
        "pack/hangs": "import time\ntime.sleep(60)",
        "pack/inner/__init__": "import time\ntime.sleep(60)",
        "pack/inner/lost": "",
        "pack/lies": LIAR,
        "pack/zebra": "",
    }
    started = time.monotonic()
    assert modules(tmp_path, sources, timeout=0.5) == ("pack", "pack.floods", "pack.zebra")
    assert time.monotonic() - started < 8


# The channel


def test_what_never_answers_did_not_run(tmp_path: Path) -> None:
    item = {"kind": "import", "name": "json"}
    for command, problem in (
        (["/bin/true"], "it ended with exit code 0"),
        (["/bin/sh", "-c", "echo broken >&2; exit 3"], "broken"),
        (["/bin/sh", "-c", 'echo \'{"hello": {}, "bye": true}\'; echo \'{"item": 0}\''], '{"item": 0}'),
    ):
        job = Job(items=(item,), path=(), sites=(), timeout=5, memory=0)
        answers = ask_probe(command, job, folder=tmp_path)
        assert (answers.results, answers.python, answers.problem) == ((None,), "", problem)


def test_a_flood_or_a_hang_of_the_command_itself_ends() -> None:
    job = Job(items=(), path=(), sites=(), timeout=1, memory=0)
    answers = ask_probe(["/bin/sh", "-c", "yes"], job)
    assert answers.problem == "it printed without end"


def test_a_probe_that_is_killed_has_not_finished(tmp_path: Path) -> None:
    """Without namespaces, a module may end the probe itself: then nothing of it counts."""
    (tmp_path / "fine.py").touch()
    (tmp_path / "murders.py").write_text("import os\nos.kill(os.getppid(), 9)", encoding="utf-8")
    names = ("fine", "murders", "fine")
    answers = asked(tuple({"kind": "import", "name": name} for name in names), tmp_path)
    assert [result is not None for result in answers.results] == [True, False, False]
    assert answers.unfinished == 1
    assert answers.problem == "it ended with exit code -9"


def test_the_deadline_of_the_probe_ends_it_without_help(tmp_path: Path) -> None:
    (tmp_path / "hangs.py").write_text("import time\ntime.sleep(60)", encoding="utf-8")
    item = {"kind": "import", "name": "hangs"}
    job = Job(items=(item, item), path=(str(tmp_path),), sites=(), timeout=60, memory=0)
    document = json.loads(job.encoded("T")) | {"deadline": 0.5}
    started = time.monotonic()
    ran = subprocess.run(
        [PYTHON, "-I", "-B", "-S", PROBE],
        input=json.dumps(document).encode(),
        capture_output=True,
        check=True,
    )
    assert time.monotonic() - started < 5
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [line.get("item") for line in lines] == [None, 0, 0]
    assert lines[-1]["end"]["stopped"] == "timeout"


def test_the_job_may_lie_in_a_file(tmp_path: Path) -> None:
    job = Job(items=({"kind": "import", "name": "json"},), path=(), sites=(), timeout=20, memory=0)
    (tmp_path / "job.json").write_bytes(job.encoded("T"))
    run = partial(subprocess.run, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    ran = run([PYTHON, "-I", "-B", "-S", PROBE, tmp_path / "job.json"])
    assert json.loads(ran.stdout.splitlines()[-1]) == {"token": "T", "bye": True}


def test_progress_is_told_item_by_item(tmp_path: Path) -> None:
    reporter = Counting()
    items = tuple({"kind": "import", "name": name} for name in ("json", "re"))
    job = Job(items=items, path=(str(tmp_path),), sites=(), timeout=20, memory=0)
    ask_probe([PYTHON, "-I", "-B", "-S", PROBE], job, reporter=reporter, label="importing")
    assert reporter.done == {"importing": 2}


def test_the_programs_are_read_from_the_package() -> None:
    assert program() == PROBE.read_bytes()
    assert program("namespaces.py", "layercraft.host").startswith(b'"""A program that runs a command')
