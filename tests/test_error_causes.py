"""From what Python says to what is wrong with the layer."""

from __future__ import annotations

import errno
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest

from layercraft.target import Target
from layercraft.verification.error_causes import cause_of
from layercraft.verification.layer import LayerUnderTest
from layercraft.verification.report import KINDS
from layercraft.verification.surroundings import Cause, Surroundings

if TYPE_CHECKING:
    from collections.abc import Mapping

TESTS = "rule **/tests/ of layers/x/layer.toml"
REMOVED = {
    "python/numpy/_core/tests/_natype.py": TESTS,
    "python/pandas/io/formats/__init__.py": "rule pandas/io/formats of cleanup.sh",
    "python/fast/_speed.cpython-312-x86_64-linux-gnu.so": TESTS,
    "python/numpy.libs/libopenblas-abc.so": "rule *.libs/",
    "python/skimage/__init__.pyi": "rule *.pyi of the safe preset",
    "python/scikit_learn-1.9.1.dist-info/METADATA": "rule *.dist-info/",
    "python/old/data.json": TESTS,
}
FILES = {
    "python/fast/__init__.py": 0o644,
    "python/fast/_other.cpython-311-x86_64-linux-gnu.so": 0o644,
    "python/fast/_arm.cpython-312-aarch64-linux-gnu.so": 0o644,
    "python/fast/_arm.so": 0o644,
    "python/fast/secret.json": 0o600,
    "python/fast/open.json": 0o644,
    "python/deep/libthing.so.1": 0o644,
}
LAYER = LayerUnderTest(
    zip=Path("layer.zip"), target=Target.parse("3.12", "x86_64"), removed=MappingProxyType(REMOVED)
)
HERE = Surroundings(
    engine="native",
    layer=LAYER,
    files=FILES,
    root="/sandbox/layer",
    host="Python 3.12.1 here",
    patch_dependencies={"async_timeout": "redis 8 requires async-timeout on 3.12.1 only"},
)
IMAGE = Surroundings(engine="container", layer=LAYER, files=FILES, root="/opt", in_image=True)

BASES: Mapping[str, tuple[str, ...]] = {
    "ModuleNotFoundError": ("ImportError",),
    "PackageNotFoundError": ("ModuleNotFoundError", "ImportError"),
    "FileNotFoundError": ("OSError",),
    "PermissionError": ("OSError",),
    "_ArrayMemoryError": ("MemoryError",),
}


def error(kind: str, text: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 (any field of an error)
    """Describe an error as the probe does; `at` is the line of the layer that raised it."""
    frames = [["<frozen importlib._bootstrap>", 1, "_call", ""]]
    if "at" in more:
        path, _, line = more.pop("at").partition(":")
        frames.insert(0, [path, int(line), "<module>", "import something"])
    bases = [kind, *BASES.get(kind, ()), "Exception"]
    return {"type": kind, "bases": bases, "text": text, "frames": frames, **more}


def missing(name: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 (as above)
    return error("ModuleNotFoundError", f"No module named {name!r}", name=name, **more)


CASES: list[tuple[str, dict[str, Any], Cause]] = [
    (
        "a removed module, with the line that wants it",
        missing("numpy._core.tests._natype", at="/sandbox/layer/python/numpy/testing/utils.py:12"),
        Cause(
            kind="removed-module",
            text="no module named numpy._core.tests._natype (at python/numpy/testing/utils.py, line 12)",
            blame=f"removed by {TESTS}",
        ),
    ),
    (
        "a removed package",
        missing("pandas.io.formats"),
        Cause(
            kind="removed-module",
            text="no module named pandas.io.formats",
            blame="removed by rule pandas/io/formats of cleanup.sh",
        ),
    ),
    (
        "a folder whose modules were removed",
        missing("numpy._core.tests"),
        Cause(kind="removed-module", text="no module named numpy._core.tests", blame=f"removed by {TESTS}"),
    ),
    (
        "a removed extension module",
        missing("fast._speed"),
        Cause(kind="removed-module", text="no module named fast._speed", blame=f"removed by {TESTS}"),
    ),
    (
        "a name of a package that was a module",
        error("ImportError", "cannot import name 'formats' from 'pandas.io' (/sandbox/layer/python/pandas)"),
        Cause(
            kind="removed-module",
            text="no module named pandas.io.formats",
            blame="removed by rule pandas/io/formats of cleanup.sh",
        ),
    ),
    (
        "a module that no distribution brings",
        missing("yaml"),
        Cause(
            kind="import-failed",
            text="no module named yaml",
            remedy="add the distribution that brings yaml",
        ),
    ),
    (
        "an extension for another Python",
        missing("fast._other"),
        Cause(
            kind="foreign-abi",
            text="python/fast/_other.cpython-311-x86_64-linux-gnu.so is not for python3.12 x86_64",
        ),
    ),
    (
        "an extension for another machine",
        missing("fast._arm"),
        Cause(
            kind="wrong-machine",
            text="python/fast/_arm.cpython-312-aarch64-linux-gnu.so is not for python3.12 x86_64",
        ),
    ),
    (
        "a library that nobody has",
        error("OSError", "libgomp.so.1: cannot open shared object file: No such file or directory"),
        Cause(
            kind="missing-library",
            text="libgomp.so.1 is neither in the layer nor on Lambda",
            remedy="put libgomp.so.1 into lib/ of the layer",
        ),
    ),
    (
        "a library that was removed",
        error("ImportError", "libopenblas-abc.so: cannot open shared object file: No such file or directory"),
        Cause(
            kind="missing-library",
            text="libopenblas-abc.so is neither in the layer nor on Lambda",
            blame="removed by rule *.libs/",
        ),
    ),
    (
        "a library that lies where nobody looks",
        error("ImportError", "libthing.so.1: cannot open shared object file: No such file or directory"),
        Cause(
            kind="missing-library",
            text="libthing.so.1 is neither in the layer nor on Lambda, but at python/deep/libthing.so.1",
            remedy="put libthing.so.1 into lib/ of the layer",
        ),
    ),
    (
        "a file that the loader sees and will not have",
        error(
            "ImportError",
            "/sandbox/layer/python/fast/_arm.so: cannot open shared object file: No such file or directory",
        ),
        Cause(kind="wrong-machine", text="python/fast/_arm.so is not for python3.12 x86_64"),
    ),
    (
        "a glibc that Lambda has not",
        error(
            "ImportError",
            "/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.38' not found "
            "(required by /sandbox/layer/python/fast/_arm.so)",
        ),
        Cause(
            kind="glibc-too-new",
            text="python/fast/_arm.so needs GLIBC_2.38, and python3.12 has 2.34",
            remedy="build it with layercraft for python3.12 x86_64",
        ),
    ),
    (
        "a libstdc++ that Lambda has not",
        error("ImportError", "libstdc++.so.6: version `GLIBCXX_3.4.32' not found (required by x.so)"),
        Cause(
            kind="libstdcxx-too-new",
            text="x.so needs GLIBCXX_3.4.32, and python3.12 has 3.4.29",
            remedy="build it with layercraft for python3.12 x86_64",
        ),
    ),
    (
        "a library that strip broke",
        error(
            "ImportError",
            "/sandbox/layer/python/fast/_arm.so: ELF load command address/offset not page-aligned",
        ),
        Cause(
            kind="misaligned-segment",
            text="the loader refuses python/fast/_arm.so: its segments are not aligned, "
            "as after a strip that broke it",
            remedy="leave this file as its wheel has it",
        ),
    ),
    (
        "no ELF file",
        error("ImportError", "/sandbox/layer/python/fast/_arm.so: invalid ELF header"),
        Cause(kind="wrong-machine", text="python/fast/_arm.so is not for python3.12 x86_64"),
    ),
    (
        "half an ELF file",
        error("ImportError", "/sandbox/layer/python/fast/_arm.so: file too short"),
        Cause(kind="broken-file", text="python/fast/_arm.so is cut short"),
    ),
    (
        "metadata that were removed",
        error(
            "PackageNotFoundError",
            "No package metadata was found for scikit-learn",
            name="scikit-learn",
            at="/sandbox/layer/python/fast/__init__.py:3",
        ),
        Cause(
            kind="metadata-missing",
            text="importlib.metadata knows no scikit-learn (at python/fast/__init__.py, line 3)",
            blame="removed by rule *.dist-info/",
        ),
    ),
    (
        "shared memory",
        error(
            "FileNotFoundError",
            "[Errno 2] No such file or directory",
            errno=errno.ENOENT,
            frames=[["/usr/lib/python3.12/multiprocessing/synchronize.py", 57, "__init__", "sl = 1"]],
        ),
        Cause(
            kind="no-shared-memory",
            text="it needs /dev/shm, which Lambda has not",
            remedy="no multiprocessing locks, queues or pools at import; use threads or Pipe",
        ),
    ),
    (
        "a file that was removed, named by the error",
        error(
            "FileNotFoundError",
            "[Errno 2] No such file or directory: '/sandbox/layer/python/old/data.json'",
            filename="/sandbox/layer/python/old/data.json",
            errno=errno.ENOENT,
        ),
        Cause(kind="removed-file", text="python/old/data.json is missing", blame=f"removed by {TESTS}"),
    ),
    (
        "a stub that is read at import, named in the text alone",
        error(
            "ValueError",
            "Cannot load imports from non-existent stub '/sandbox/layer/python/skimage/__init__.pyi'",
        ),
        Cause(
            kind="removed-file",
            text="python/skimage/__init__.pyi is missing",
            blame="removed by rule *.pyi of the safe preset",
        ),
    ),
    (
        "a file that only its owner may read",
        error(
            "PermissionError",
            "[Errno 13] Permission denied",
            filename="/sandbox/layer/python/fast/secret.json",
            errno=errno.EACCES,
        ),
        Cause(
            kind="bad-mode",
            text="python/fast/secret.json has mode 0600, so Lambda cannot read it",
            remedy="files of a layer need mode 0644 or 0755",
        ),
    ),
    (
        "one that writes beside itself",
        error(
            "OSError",
            "[Errno 30] Read-only file system",
            filename="/sandbox/layer/python/fast/cache.bin",
            errno=errno.EROFS,
            at="/sandbox/layer/python/fast/__init__.py:7",
        ),
        Cause(
            kind="read-only",
            text="it writes python/fast/cache.bin (at python/fast/__init__.py, line 7), "
            "and on Lambda only /tmp can be written",
        ),
    ),
    (
        "too little memory",
        error("_ArrayMemoryError", "Unable to allocate 745. GiB"),
        Cause(kind="out-of-memory", text="_ArrayMemoryError: Unable to allocate 745. GiB"),
    ),
    (
        "an end by sys.exit",
        error("SystemExit", "3", at="/sandbox/layer/python/fast/__init__.py:2"),
        Cause(kind="import-exited", text="it calls sys.exit(3) (at python/fast/__init__.py, line 2)"),
    ),
    (
        "anything else, quoted",
        error("AttributeError", "module 'numpy' has no attribute 'float'"),
        Cause(kind="import-failed", text="AttributeError: module 'numpy' has no attribute 'float'"),
    ),
]


@pytest.mark.parametrize(("what", "told", "cause"), CASES, ids=[case[0] for case in CASES])
def test_the_cause_is_named(what: str, told: dict[str, Any], cause: Cause) -> None:
    assert what
    assert cause_of([told], HERE) == cause
    assert cause.kind in KINDS


@pytest.mark.parametrize(
    ("told", "why"),
    [
        (missing("boto3.session"), "which Lambda's python3.12 brings and Python 3.12.1 here has not"),
        (missing("dateutil"), "which Lambda's python3.12 brings"),
        (missing("_bz2", stdlib=True), "was built without the standard library's _bz2"),
        (missing("async_timeout"), "redis 8 requires async-timeout on 3.12.1 only"),
        (
            error("ImportError", "libz.so.1: cannot open shared object file: No such file"),
            "Python 3.12.1 here lacks libz.so.1, which Lambda has",
        ),
        (
            error("ImportError", "/lib/libc.so.6: version `GLIBC_2.34' not found (required by x.so)"),
            "Python 3.12.1 here lacks GLIBC_2.34, which python3.12 has",
        ),
    ],
)
def test_what_only_this_machine_lacks_is_no_fault_of_the_layer(told: dict[str, Any], why: str) -> None:
    cause = cause_of([told], HERE)
    assert cause.kind == ""
    assert why in cause.text
    in_the_image = cause_of([told], IMAGE)
    assert in_the_image.kind in KINDS


def test_the_cause_behind_a_wrapped_error_counts() -> None:
    outer = error("ImportError", "IMPORTANT: PLEASE READ THIS", explicit=True)
    assert cause_of([outer, missing("numpy._core.tests._natype")], HERE).kind == "removed-module"


def test_what_was_caught_before_counts_less_than_what_was_raised_then() -> None:
    """`try: import fast` / `except ImportError: import slow`: it is `slow` that is missing."""
    raised = missing("pandas.io.formats")
    assert cause_of([raised, missing("yaml")], HERE).kind == "removed-module"
    assert cause_of([missing("yaml"), missing("pandas.io.formats")], HERE).text == "no module named yaml"


def test_an_error_that_nobody_knows_leaves_the_word_to_what_was_caught_before() -> None:
    unknown = error("RuntimeError", "cannot start")
    assert cause_of([unknown, missing("pandas.io.formats")], HERE).kind == "removed-module"
    assert cause_of([unknown], HERE).text == "RuntimeError: cannot start"


def test_long_messages_are_shortened_to_one_line() -> None:
    text = cause_of([error("RuntimeError", "many\nlines of words " * 100)], HERE).text
    assert len(text) < 400
    assert "\n" not in text


def test_the_error_that_counts_is_quoted_with_files_where_they_are_on_lambda() -> None:
    words = "version `GLIBC_2.38' not found (required by {}/python/fast/_speed.so)"
    outer = error("ImportError", "IMPORTANT: PLEASE READ THIS", explicit=True)
    cause = cause_of([outer, error("ImportError", f"/lib/libc.so.6: {words.format('/sandbox/layer')}")], HERE)
    assert cause.kind == "glibc-too-new"
    assert cause.said == f"ImportError: /lib/libc.so.6: {words.format('/opt')}"


def test_an_error_without_words_is_quoted_by_its_name() -> None:
    assert cause_of([error("KeyboardInterrupt", "")], HERE).said == "KeyboardInterrupt"


def test_causes_that_differ_in_nothing_but_words_are_one() -> None:
    assert Cause(kind="x", text="y", said="one") == Cause(kind="x", text="y", said="another")


def test_an_error_without_any_detail_is_told() -> None:
    assert cause_of([], HERE) == Cause(kind="import-failed", text="an error")


def test_a_path_outside_of_the_layer_is_nobodys_fault_but_its_own() -> None:
    told = error("PermissionError", "[Errno 13]", filename="/etc/shadow", errno=errno.EACCES)
    assert cause_of([told], HERE).kind == "import-failed"
