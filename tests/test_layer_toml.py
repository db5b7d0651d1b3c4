from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layercraft.errors import ConfigurationError, UsageError
from layercraft.recipe.layer_toml import (
    PRESETS,
    Cleanup,
    LayerFile,
    Limits,
    Verify,
    parse_layer_toml,
    parse_size,
    read_layer_toml,
)
from layercraft.target import UNZIPPED_LIMIT

if TYPE_CHECKING:
    from pathlib import Path

EVERYTHING = """
description = "scikit-learn and pandas"
license = "BSD-3-Clause"
exclude = ["nvidia-*", "Zope.Interface"]
runtime-packages = "include"
keep-gpu = true

[cleanup]
preset = "none"
remove = ["**/tests/", "*.pyi"]
keep = ["numpy/_core/tests/"]
strip = true
bytecode = "only"

[verify]
imports = ["sklearn", "sklearn.ensemble"]
script = "checks/smoke.py"

[limits]
unzipped = "230 MB"
"""

KNOWN = "cleanup, description, exclude, files, keep-gpu, license, limits, runtime-packages, verify"
KNOWN_CLEANUP = "cleanup.bytecode, cleanup.keep, cleanup.preset, cleanup.remove, cleanup.strip"


def parse(text: str) -> LayerFile:
    return parse_layer_toml(text, source="layer.toml")


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        parse(text)
    return caught.value.message.splitlines()


def test_all_keys_are_read() -> None:
    assert parse(EVERYTHING) == LayerFile(
        description="scikit-learn and pandas",
        license="BSD-3-Clause",
        exclude=("nvidia-*", "zope-interface"),
        runtime_packages="include",
        keep_gpu=True,
        cleanup=Cleanup(
            preset="none",
            remove=("**/tests/", "*.pyi"),
            keep=("numpy/_core/tests/",),
            strip=True,
            bytecode="only",
        ),
        verify=Verify(imports=("sklearn", "sklearn.ensemble"), script="checks/smoke.py"),
        limits=Limits(unzipped=230 * 2**20),
    )


def test_an_empty_file_leaves_all_to_the_defaults() -> None:
    assert parse("") == parse("[cleanup]\n[verify]\n[limits]\n") == LayerFile()
    assert parse("").cleanup.preset is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[cleanup]\nremov = []", "cleanup.remov: unknown key; did you mean cleanup.remove?"),
        ("[extra]\na = 'b'", f"extra: unknown key; known: {KNOWN}"),
        ("descripton = 'x'", "descripton: unknown key; did you mean description?"),
        ("remove = []", "remove: unknown key; did you mean cleanup.remove?"),
        ("[limits]\nimports = []", "limits.imports: unknown key; did you mean verify.imports?"),
        ("[limit]\nunzipped = 1", "limit: unknown key; did you mean limits?"),
        (
            "[cleanup]\nzip = true",
            f"cleanup.zip: unknown key; known: {KNOWN_CLEANUP}",
        ),
        ("[cleanup]\nstrip = 'yes'", "cleanup.strip: expected a boolean, got a string"),
        ("[cleanup]\nstripp = true", "cleanup.stripp: unknown key; did you mean cleanup.strip?"),
        ("[limits]\nzipped = 1", "limits.zipped: unknown key; did you mean limits.unzipped?"),
        ("description = 1", "description: expected a string, got an integer"),
        ("license = ['MIT']", "license: expected a string, got a list"),
        ("exclude = 'nvidia-*'", "exclude: expected a list of strings, got a string"),
        ("exclude = ['pip', 1.5]", "exclude[1]: expected a string, got a float"),
        ("exclude = ['pip>=1']", 'exclude[0]: "pip>=1" cannot match a distribution\'s name'),
        (
            "runtime-packages = 'none'",
            'runtime-packages: unknown choice "none"; known: auto, include, exclude',
        ),
        ("runtime-packages = true", "runtime-packages: expected a string, got a boolean"),
        ("keep-gpu = 'yes'", "keep-gpu: expected a boolean, got a string"),
        ("keep_gpu = true", "keep_gpu: unknown key; did you mean keep-gpu?"),
        ("cleanup = true", "cleanup: expected a table, [cleanup], got a boolean"),
        ("[[verify]]", "verify: expected a table, [verify], got a list"),
        ("[cleanup]\npreset = 'saef'", 'cleanup.preset: unknown preset "saef"; did you mean safe?'),
        ("[cleanup]\npreset = 'x'", 'cleanup.preset: unknown preset "x"; known: none, safe, small'),
        (
            "[cleanup]\nbytecode = 'all'",
            'cleanup.bytecode: unknown choice "all"; known: none, unchecked-hash, only',
        ),
        ("[cleanup]\nremove = [{}]", "cleanup.remove[0]: expected a string, got a table"),
        ("[cleanup]\nremove = ['!x']", 'cleanup.remove[0]: "!x": what shall stay goes to cleanup.keep'),
        ("[cleanup]\nkeep = ['a', '']", 'cleanup.keep[1]: "" matches nothing'),
        ("[cleanup]\nkeep = ['# x']", 'cleanup.keep[0]: "# x" matches nothing'),
        ("[verify]\nimports = ['a-b']", 'verify.imports[0]: "a-b" is not a module\'s name'),
        (
            "[verify]\nscript = '../x.py'",
            'verify.script: "../x.py" is not a path inside the recipe\'s folder',
        ),
        ("[verify]\nscript = 2020-01-01", "verify.script: expected a string, got a date or time"),
        (
            "[limits]\nunzipped = '230 MiB'",
            'limits.unzipped: expected a size such as "230 MB", or bytes, got "230 MiB"',
        ),
        (
            "[limits]\nunzipped = true",
            'limits.unzipped: expected a size such as "230 MB", or bytes, got a boolean',
        ),
    ],
)
def test_a_wrong_key_is_told_with_its_path_and_what_is_right(text: str, problem: str) -> None:
    assert problems(text) == [f"layer.toml: {problem}"]


@pytest.mark.parametrize("size", ["0", "-1", "262144001", "'251 MB'", "'1 GB'"])
def test_a_limit_stays_within_lambdas_own(size: str) -> None:
    [problem] = problems(f"[limits]\nunzipped = {size}")
    assert "262,144,000 bytes" in problem


@pytest.mark.parametrize("size", ["262144000", "'250 MB'", "'250mb'"])
def test_lambdas_own_limit_may_be_written_in_bytes_or_as_a_size(size: str) -> None:
    assert parse(f"[limits]\nunzipped = {size}").limits.unzipped == UNZIPPED_LIMIT


@pytest.mark.parametrize(("key", "limit"), [("description", 256), ("license", 512)])
def test_texts_are_no_longer_than_aws_takes(key: str, limit: int) -> None:
    assert parse(f"{key} = '{'x' * limit}'")
    assert problems(f"{key} = '{'x' * (limit + 1)}'") == [
        f"layer.toml: {key}: expected {limit} characters at most, got {limit + 1}"
    ]


def test_everything_wrong_is_told_at_once() -> None:
    found = problems("licence = 1\ndescription = 2\n[cleanup]\nremov = 3\n[verify]\nimports = 4")
    assert [line.split(": ")[1] for line in found] == [
        "description",
        "verify.imports",
        "licence",
        "cleanup.remov",
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [("a = ", 1), ("\n\n[cleanup\n", 3), ("a = 1\na = 2\n", 2), ("[a]\n\n[a]\n", 3)],
)
def test_broken_toml_is_told_with_its_line(text: str, line: int) -> None:
    assert problems(text)[0].startswith(f"layer.toml, line {line}: not valid TOML: ")


@given(st.text())
def test_any_text_is_parsed_or_refused_in_lines_that_name_the_file(text: str) -> None:
    message = ""
    try:
        parse(text)
    except ConfigurationError as error:
        message = error.message
    assert all(line.startswith("layer.toml") for line in message.split("\n") if message)


@pytest.mark.parametrize(
    ("text", "size"),
    [("230 MB", 230 * 2**20), ("0.5GB", 2**29), ("1.5 kb", 1536), ("7 bytes", 7), (" 1 MB ", 2**20)],
)
def test_a_size_counts_as_aws_does(text: str, size: int) -> None:
    assert parse_size(text) == size


@given(st.integers(min_value=0, max_value=10**9))
def test_bytes_are_read_exactly(size: int) -> None:
    assert parse_size(f"{size} bytes") == size


@pytest.mark.parametrize("text", ["", "MB", "1", "1 TB", "-1 MB", "1e3 MB", "1,5 MB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(text)


def test_a_file_is_read_with_or_without_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "layer.toml"
    path.write_bytes(b"\xef\xbb\xbflicense = 'MIT'\r\n")
    assert read_layer_toml(path).license == "MIT"


def test_bytes_that_are_not_utf8_are_told_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "layer.toml"
    path.write_bytes(b"\ndescription = '\xe9'\n")
    with pytest.raises(ConfigurationError, match=r"layer\.toml, line 2: the bytes are not UTF-8"):
        read_layer_toml(path)


def test_a_file_that_cannot_be_read_is_a_wrong_input(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read .*layer\.toml: no such file"):
        read_layer_toml(tmp_path / "layer.toml")


def test_the_presets_are_those_of_the_cleanup_rules() -> None:
    from layercraft.layer.presets import preset_names

    assert preset_names() == PRESETS
