from __future__ import annotations

import importlib.util
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest
from probed_layers import HERE, PYTHON, pythons
from trees import inline, inline_tree, tree_of
from wheelhouse import WheelDraft

from layercraft.errors import UsageError
from layercraft.host.interpreters import find_interpreters, read_interpreter
from layercraft.layer.bytecode import compile_sources
from layercraft.layer.contents import Contents
from layercraft.layer.tree import Tree
from layercraft.layer.unpacked import folders_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from command_line import CommandLine
    from local_index import LocalIndex

    from layercraft.layer.change import Change

SUFFIX = f"cpython-3{HERE.runtime.version[1]}.pyc"
VERSION = HERE.markers["python_version"]
RUN_AT_IMPORT = b"raise SystemExit('the code of a package ran')\n"
SETS = b"def f(x):\n    return x in {'alpha', 'beta', 'gamma', 'delta', 'a b', 'c d'}\n"


def compiled(
    tree: Tree, mode: str, staging: Path, requires: Mapping[str, Sequence[str]] | None = None, minor: int = 0
) -> Change:
    """Compile with the Python of these tests, or with another minor version of this machine."""
    interpreter = pythons()[minor] if minor else read_interpreter(PYTHON, HERE.runtime.version, None)
    staging.mkdir(parents=True)
    return compile_sources(tree, mode, interpreter, staging, requires=requires or {})


def plain(tree: Tree, path: str) -> bytes:
    with Contents() as contents:
        return bytes(contents.plain(tree.entries[path].content))


def bytecode(tree: Tree) -> dict[str, bytes]:
    return {path: plain(tree, path) for path in tree.entries if path.endswith(".pyc")}


def test_beside_the_sources_and_never_compared_with_them(tmp_path: Path) -> None:
    source = b"x = 1\n"
    tree = inline_tree({"python/a/__init__.py": source, "python/b.py": b"", "python/a/data.txt": b""})
    change = compiled(tree, "unchecked-hash", tmp_path / "s")
    assert [entry.path for entry in change.added] == [
        f"python/__pycache__/b.{SUFFIX}",
        f"python/a/__pycache__/__init__.{SUFFIX}",
    ]
    assert not change.removed
    data = plain(change.tree, f"python/a/__pycache__/__init__.{SUFFIX}")
    assert data[:4] == importlib.util.MAGIC_NUMBER
    assert data[4:8] == b"\x01\0\0\0"  # PEP 552: by hash, and unchecked
    assert data[8:16] == importlib.util.source_hash(source)
    assert b"/opt/python/a/__init__.py" in data
    assert str(change.reason) == "bytecode: unchecked-hash"


def test_in_the_place_of_the_sources(tmp_path: Path) -> None:
    tree = inline_tree({"python/a/__init__.py": b"", "python/b.py": b"x = 1\n"})
    change = compiled(tree, "only", tmp_path / "s")
    assert list(change.tree.entries) == ["python/a/__init__.pyc", "python/b.pyc"]
    assert [entry.path for entry in change.removed] == ["python/a/__init__.py", "python/b.py"]


@pytest.mark.parametrize("end", ["\u2028", "\x0b", "\x85", "\r", "\n"])
def test_no_name_leads_out_of_the_staging_folder(tmp_path: Path, end: str) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    tree = inline_tree({f"python/a{end}{victim}/mod.py": b"", "python/b.py": b""})
    change = compiled(tree, "unchecked-hash", tmp_path / "s")
    assert f"python/__pycache__/b.{SUFFIX}" in change.tree.entries
    assert list(victim.iterdir()) == []


def test_what_cannot_be_compiled_or_imported_stays_as_it_is(tmp_path: Path) -> None:
    files = {
        "python/broken.py": b"print 'of Python 2'\n",
        "python/nulls.py": b"\0",
        "python/encoded.py": b"# coding: nonsense\n",
        "python/bin/tool.py": b"",
        "python/a-1.dist-info/x.py": b"",
        "lib/x.py": b"",
    }
    change = compiled(inline_tree(files), "only", tmp_path / "s")
    assert set(change.tree.entries) == set(files)
    assert change.files == 0


@pytest.mark.parametrize(
    ("mode", "files", "without"),
    [
        ("only", ["a/y.py", "a/y.pyc/data", "a/z.py"], "a/y.py"),
        ("unchecked-hash", ["a/y.py", "a/y.pyc/z.py", "b.py"], "a/y.py"),
        ("unchecked-hash", ["a/y.py", "a/__pycache__", "b.py"], "a/y.py"),
        ("unchecked-hash", ["a/y.py", f"a/__pycache__/y.{SUFFIX}/x", "a/z.py"], "a/y.py"),
    ],
)
def test_a_source_whose_bytecode_has_no_free_place_stays_without_it(
    tmp_path: Path, mode: str, files: list[str], without: str
) -> None:
    tree = inline_tree({f"python/{path}": b"x = 1\n" for path in files})
    change = compiled(tree, mode, tmp_path / "s")
    assert f"python/{without}" in change.tree.entries
    assert len(change.added) == sum(path.endswith(".py") for path in files) - 1
    assert folders_of(change.tree.entries).isdisjoint(change.tree.entries)


def test_no_code_of_a_package_runs(tmp_path: Path) -> None:
    names = ("sitecustomize", "usercustomize", "marshal", "importlib/util", "warnings")
    tree = inline_tree({f"python/{name}.py": RUN_AT_IMPORT for name in names})
    assert len(compiled(tree, "only", tmp_path / "s").added) == len(names)


def test_sources_that_are_read_at_run_time_stay_beside_their_bytecode(tmp_path: Path) -> None:
    names = ("numba", "with-numba", "plain")
    tree = tree_of(tmp_path / "w", *(WheelDraft(name=name) for name in names))
    change = compiled(tree, "only", tmp_path / "s", {"with-numba": ("numba",), "plain": ("with-numba",)})
    sources = {path for path in change.tree.entries if path.endswith((".py", ".pyc"))}
    assert sources == {
        "python/numba.py",
        f"python/__pycache__/numba.{SUFFIX}",
        "python/with_numba.py",
        f"python/__pycache__/with_numba.{SUFFIX}",
        "python/plain.pyc",
    }


def test_bytecode_belongs_to_the_distribution_of_its_source(tmp_path: Path) -> None:
    tree = Tree(entries={"python/a.py": inline("python/a.py", b"", owner="a")})
    (entry,) = compiled(tree, "unchecked-hash", tmp_path / "s").added
    assert entry.owner == "a"


@pytest.mark.parametrize("minor", [minor for minor in range(8, 15) if minor in pythons()] or [0])
def test_the_same_source_gives_the_same_bytes_whatever_else_is_compiled(tmp_path: Path, minor: int) -> None:
    sources = {f"python/m{number}.py": SETS + b"x%d = 'm%d'\n" % (number, number) for number in range(8)}
    sources["python/names.py"] = b"paths = sources = results = child = 'child'\ndata = 'paths' 'x'\n"
    whole = bytecode(compiled(inline_tree(sources), "only", tmp_path / "whole", minor=minor).tree)
    alone = {
        path: data
        for number, (name, source) in enumerate(sources.items())
        for path, data in bytecode(
            compiled(inline_tree({name: source}), "only", tmp_path / str(number), minor=minor).tree
        ).items()
    }
    assert whole == alone


def test_any_cpython_of_the_version_can_compile() -> None:
    version = sys.version_info[:2]
    found = find_interpreters(version, None, search_path=str(PYTHON.parent))
    assert {each.version[:2] for each in found} <= {version}
    assert read_interpreter(PYTHON, version, None).version[:2] == version
    with pytest.raises(UsageError, match=r"and the layer needs Python 3\.99"):
        read_interpreter(PYTHON, (3, 99), None)


def build(layercraft: CommandLine, *arguments: str | Path) -> Path:
    target = ("-r", VERSION, "-a", HERE.architecture, "--python", PYTHON)
    layercraft.must("build", "--require", "toolkit", *target, *arguments)
    (path,) = layercraft.outputs.glob("*.zip")
    return path


def test_layers_of_bytecode_alone_import_and_are_whole(layercraft: CommandLine, index: LocalIndex) -> None:
    index.add(
        WheelDraft(name="user", files={"user.py": b"import plain\nimport toolkit\n"}, requires=["toolkit"])
    )
    target = ("-r", VERSION, "-a", HERE.architecture, "--python", PYTHON)
    ran = layercraft.must("build", "--require", "user", *target, "--bytecode", "only")
    (path,) = layercraft.outputs.glob("*.zip")
    names = zipfile.ZipFile(path).namelist()
    assert "python/plain/__init__.pyc" in names
    assert not any(name.endswith(".py") for name in names)
    assert "nothing found" in ran.out
    assert "only as reproducible as the Python that compiled it" in ran.err
    verified = layercraft.must("verify", path, "--engine", "native", "--python", PYTHON)
    assert "works on" in verified.out


def test_the_same_python_gives_the_same_layer(layercraft: CommandLine) -> None:
    first = build(layercraft, "--bytecode", "unchecked-hash").read_bytes()
    assert build(layercraft, "--bytecode", "unchecked-hash").read_bytes() == first
    assert build(layercraft).read_bytes() != first


def test_a_recipe_asks_for_bytecode_and_the_option_has_the_last_word(layercraft: CommandLine) -> None:
    layercraft.write(
        {
            "layers/p/requirements.txt": "plain\n",
            "layers/p/layer.toml": '[cleanup]\nbytecode = "only"\n',
        }
    )
    target = ("-r", VERSION, "-a", HERE.architecture, "--python", PYTHON)
    layercraft.must("build", "p", *target)
    (path,) = layercraft.outputs.glob("*.zip")
    assert any(name.endswith(".pyc") for name in zipfile.ZipFile(path).namelist())
    for options in (("--bytecode", "none"), ("--preset", "none")):
        layercraft.must("build", "p", *target, *options)
        assert not any(name.endswith(".pyc") for name in zipfile.ZipFile(path).namelist())
    layercraft.must("build", "p", *target, "--preset", "none", "--bytecode", "only")
    assert "python/plain/__init__.pyc" in zipfile.ZipFile(path).namelist()


def test_without_a_fitting_python_nothing_is_downloaded(layercraft: CommandLine, index: LocalIndex) -> None:
    ran = layercraft("build", "--require", "plain", "-r", "3.8", "--bytecode", "only", PATH="")
    assert ran.code == 2
    assert ran.lines == [
        "error: bytecode for python3.8 is made by a Python 3.8, and none is on PATH, in pyenv or in uv",
        "hint: install one (uv python install 3.8), or name one with --python",
    ]
    assert not index.requests


def test_a_python_of_another_version_is_refused(layercraft: CommandLine) -> None:
    other = "3.8" if VERSION != "3.8" else "3.9"
    ran = layercraft("build", "--require", "plain", "-r", other, "--bytecode", "only", "--python", PYTHON)
    assert ran.code == 2
    assert f"and the layer needs Python {other}" in ran.lines[0]


def test_an_unknown_mode_is_refused_with_the_nearest(layercraft: CommandLine) -> None:
    ran = layercraft("build", "--require", "plain", "--bytecode", "unchecked")
    assert ran.lines[0] == "error: --bytecode unchecked: no such choice; did you mean unchecked-hash?"
