from __future__ import annotations

import ast
import hashlib
import os
import re
import subprocess
import sys
import zipfile
from contextlib import contextmanager
from importlib import import_module, resources
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
from command_line import CommandLine

import layercraft
from layercraft import (
    SILENT,
    BuildOptions,
    LayercraftError,
    Recipe,
    RequirementsInput,
    Target,
    build,
    lock,
    open_sources,
    read_lock,
    read_sizes,
    write_lock,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local_index import LocalIndex

    from layercraft import Progress, Sources

README = Path(__file__).parents[1] / "README.md"
TARGET = Target.parse("3.13", "arm64")


@pytest.fixture
def sources(tmp_path: Path, index: LocalIndex) -> Iterator[Sources]:
    with open_sources(cache_dir=tmp_path / "cache", index_url=index.url) as opened:
        yield opened


def recipe(*requirements: str) -> Recipe:
    return Recipe(name="mine", requirements=RequirementsInput.of(requirements))


class Listener:
    """A Reporter that writes down what it is told."""

    def __init__(self) -> None:
        self.notices: list[str] = []
        self.warnings: list[str] = []
        self.jobs: dict[str, tuple[int | None, int]] = {}

    def notice(self, text: str) -> None:
        """Write it down."""
        self.notices.append(text)

    def warning(self, text: str) -> None:
        """Write it down."""
        self.warnings.append(text)

    @contextmanager
    def progress(self, label: str, total: int | None, unit: Literal["bytes", "items"]) -> Iterator[Progress]:
        """Count what is done."""
        assert unit in {"bytes", "items"}
        counter = Counter()
        yield counter
        self.jobs[label] = (total, counter.done)


class Counter:
    """Counts what is done."""

    done = 0

    def advance(self, amount: int) -> None:
        """Count."""
        self.done += amount


def test_the_face_is_sorted_and_complete() -> None:
    face = layercraft.__all__
    assert face == sorted(face, key=lambda name: (not name.isupper(), name[0].islower(), name))
    assert dir(layercraft) == sorted(face)
    source = ast.parse(Path(layercraft.__file__).read_text(encoding="utf-8"))
    (typed,) = [node for node in source.body if isinstance(node, ast.If)]
    imported = {
        alias.name: node.module
        for node in typed.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    assert sorted(imported) == sorted(face)
    for name, home in imported.items():
        assert getattr(layercraft, name) is getattr(import_module(home), name)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'layercraft' has no attribute 'bulid'"):
        layercraft.bulid  # noqa: B018


def test_types_are_shipped() -> None:
    assert resources.files(layercraft).joinpath("py.typed").is_file()


def test_a_layer_is_built_in_silence(
    tmp_path: Path, sources: Sources, capfd: pytest.CaptureFixture[str]
) -> None:
    options = BuildOptions(output=tmp_path / "made")
    built = build(recipe("toolkit[fast]"), TARGET, options, sources=sources)
    assert built.zip == tmp_path / "made/mine_3_13_arm64.zip"
    assert built.record.zip.sha256 == hashlib.sha256(built.zip.read_bytes()).hexdigest()
    assert (built.skipped, built.sizes.zipped) == (False, built.zip.stat().st_size)
    assert built.resolution is not None
    assert str(built.resolution.passed_over[0]) == "native 2.1: no wheel for python3.13 on arm64; took 2.0"
    assert read_sizes(built.zip).top("type") == built.sizes.top("type")
    with zipfile.ZipFile(built.zip) as reader:
        assert "python/toolkit.py" in reader.namelist()
    assert capfd.readouterr() == ("", "")


def test_the_stages_can_be_used_one_by_one(tmp_path: Path, sources: Sources) -> None:
    resolution = lock(recipe("toolkit", "lib<2"), TARGET, sources=sources)
    path = tmp_path / "pylock.mine.toml"
    write_lock(resolution.lock, path)
    again = read_lock(path, TARGET)
    assert again == resolution.lock
    assert [(pin.name, pin.version) for pin in again.pins] == [
        ("lib", "1.0"),
        ("plain", "1.1"),
        ("toolkit", "1.0"),
    ]
    assert [item.name for item in tmp_path.iterdir() if item.name != "cache"] == ["pylock.mine.toml"]
    built = build(recipe(), TARGET, BuildOptions(output=tmp_path, lock=path), sources=sources)
    assert built.resolution is None
    assert len(built.record.pins) == 3


def test_a_reporter_is_told_all(tmp_path: Path, sources: Sources) -> None:
    listener = Listener()
    options = BuildOptions(output=tmp_path / "made")
    built = build(
        recipe("native", "twin-one", "twin-two"), TARGET, options, sources=sources, reporter=listener
    )
    assert any(notice.startswith("native 2.1: ") for notice in listener.notices)
    assert listener.warnings == list(built.record.warnings)
    assert "twin-one and twin-two" in listener.warnings[0]
    known = [(total, done) for total, done in listener.jobs.values() if total is not None]
    assert {total == done for total, done in known} == {True}
    assert {"checking wheels", "writing mine_3_13_arm64.zip"} <= set(listener.jobs)


def test_failures_are_one_family_of_errors(tmp_path: Path, sources: Sources) -> None:
    with pytest.raises(LayercraftError) as failure:
        build(recipe("absent"), TARGET, BuildOptions(output=tmp_path / "made"), sources=sources)
    assert failure.value.message == str(failure.value)
    assert failure.value.exit_code == 1
    assert failure.value.hint
    assert not (tmp_path / "made").exists()


def test_silence_takes_everything() -> None:
    SILENT.notice("a")
    SILENT.warning("b")
    with SILENT.progress("c", None, "items") as progress:
        progress.advance(1)


def test_importing_costs_next_to_nothing(tmp_path: Path) -> None:
    command = CommandLine(tmp_path)
    program = "import sys, layercraft; print(*sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", program], env=command.environment, capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in ran.stdout.split()}
    assert loaded.isdisjoint({"httpx", "rich", "typer", "packaging", "msgspec", "nab_resolver"})


@pytest.mark.network
@pytest.mark.skipif(not README.is_file(), reason="the README is not installed with the package")
def test_the_readmes_example_runs_as_it_stands(tmp_path: Path) -> None:
    (program,) = re.findall(
        r"^```python\n(.*?)^```", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    command = CommandLine(tmp_path)
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=command.folder,
        env={**os.environ, **command.environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.stderr == ""
    assert ran.returncode == 0
    assert re.match(r"\S+_3_13_arm64\.zip [0-9a-f]{64}\n", ran.stdout)
    assert list(command.folder.rglob("*.zip"))
