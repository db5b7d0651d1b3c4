from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from dataclasses import fields
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.markers import Marker, default_environment

import layercraft.target
from layercraft.errors import UsageError
from layercraft.target import (
    DEFAULT_ARCHITECTURE,
    DEFAULT_RUNTIME,
    DIRECT_UPLOAD_LIMIT,
    UNZIPPED_LIMIT,
    Runtime,
    Target,
    runtimes,
)

ORACLE = Path(__file__).parent / "data" / "lambda_tags"
ORACLES = sorted(path.stem for path in ORACLE.glob("*.json"))
NAMES = [f"python3.{minor}" for minor in range(8, 16)]
TODAY = date(2026, 11, 22)


def oracle(stem: str) -> tuple[Target, dict[str, str], tuple[str, ...]]:
    """Read one recorded answer: its target, markers and tags, written out."""
    answer = json.loads((ORACLE / f"{stem}.json").read_text(encoding="utf-8"))
    tags = [
        tag.replace("*", platform)
        for tag in answer["tags"]
        for platform in (answer["platforms"] if tag.endswith("*") else [""])
    ]
    return Target.parse(*stem.split("-")), answer["markers"], tuple(tags)


def test_the_oracle_covers_every_runtime_but_the_preview_on_both_architectures() -> None:
    assert set(ORACLES) == {f"{name}-{each}" for name in NAMES[:-1] for each in ("x86_64", "arm64")}


@pytest.mark.parametrize("stem", ORACLES)
def test_tags_are_those_of_the_real_image_in_its_order(stem: str) -> None:
    target, _, tags = oracle(stem)
    assert target.tags == tags


@pytest.mark.parametrize("stem", ORACLES)
def test_markers_are_those_of_the_real_image_but_for_patch_and_kernel(stem: str) -> None:
    target, recorded, _ = oracle(stem)
    moving = {"implementation_version", "python_full_version"}
    assert {key: target.markers[key] for key in recorded.keys() - moving} == {
        key: value for key, value in recorded.items() if key not in moving
    }
    for key in moving:
        assert target.markers[key].rpartition(".")[0] == recorded[key].rpartition(".")[0]


@pytest.mark.parametrize("runtime", NAMES)
@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
def test_every_marker_has_a_value_so_that_none_comes_from_the_host(runtime: str, architecture: str) -> None:
    target = Target.parse(runtime, architecture)
    assert target.markers.keys() == default_environment().keys()
    assert len(target.markers) == 11
    assert target.markers["platform_release"] == target.markers["platform_version"] == ""
    assert Marker(f'python_version == "{target.runtime.version[0]}.{target.runtime.version[1]}"').evaluate(
        dict(target.markers)
    )
    assert not Marker('sys_platform == "darwin" and platform_release >= "20"').evaluate(dict(target.markers))


@pytest.mark.parametrize("runtime", NAMES)
@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
def test_no_tag_is_for_musl_a_plain_linux_or_a_free_threaded_python(runtime: str, architecture: str) -> None:
    target = Target.parse(runtime, architecture)
    for tag in target.tags:
        _, abi, platform = tag.split("-")
        assert platform == "any" or (platform.startswith("manylinux") and platform.endswith(target.machine))
        assert not abi.endswith("t")


def test_tag_ranks_are_the_places_in_the_tags_and_cannot_be_changed() -> None:
    target = Target.parse("3.13", "arm64")
    assert [target.tag_ranks[tag] for tag in target.tags] == list(range(len(target.tags)))
    assert target.tags[0] == "cp313-cp313-manylinux_2_34_aarch64"
    assert target.tag_ranks is Target.parse("cp313", "aarch64").tag_ranks
    with pytest.raises(TypeError):
        target.tag_ranks["cp313-cp313-linux_x86_64"] = 0  # type: ignore[index]


HOSTILE_HOST = """
import os, platform, sys, sysconfig
platform.machine = platform.release = platform.version = lambda: "host"
platform.python_version = lambda: "9.9.9"
platform.system = platform.python_implementation = lambda: "Host"
sysconfig.get_platform = lambda: "win-host"
sysconfig.get_config_var = lambda name: "host"
os.name = "host"
sys.platform = "host"
from layercraft.target import Target
target = Target.parse("3.12", "arm64")
print(target.tags, sorted(target.markers.items()))
"""


def test_tags_and_markers_do_not_depend_on_the_host() -> None:
    """A host that lies about everything gets the same answer."""
    target = Target.parse("3.12", "arm64")
    told = subprocess.run([sys.executable, "-c", HOSTILE_HOST], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == f"{target.tags} {sorted(target.markers.items())}"


def test_importing_the_module_does_not_import_packaging() -> None:
    code = (
        "import sys, layercraft.target; layercraft.target.Target.parse(); print('packaging' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("spell", ["{}", "{p}{d}", "py{n}", "PY{d}", "cp{n}", "{n}", "{u}", " {} "])
def test_every_spelling_of_a_runtime_is_understood(name: str, spell: str) -> None:
    dotted = name.removeprefix("python")
    joined, stem = dotted.replace(".", ""), dotted.replace(".", "_")
    text = spell.format(name, p="Python", d=dotted, n=joined, u=stem)
    assert Target.parse(text).runtime.name == name


@pytest.mark.parametrize(
    ("text", "architecture"),
    [
        ("x86_64", "x86_64"),
        ("x86-64", "x86_64"),
        ("X86_64", "x86_64"),
        ("amd64", "x86_64"),
        ("AMD64", "x86_64"),
        ("arm64", "arm64"),
        ("ARM64", "arm64"),
        ("aarch64", "arm64"),
        (" AArch64 ", "arm64"),
    ],
)
def test_every_spelling_of_an_architecture_is_understood(text: str, architecture: str) -> None:
    assert Target.parse(architecture=text).architecture == architecture


@pytest.mark.parametrize(
    ("text", "nearest"),
    [
        ("3.7", "python3.8"),
        ("2.7", "python3.8"),
        ("3.1", "python3.8"),
        ("3.16", "python3.15"),
        ("python3.99", "python3.15"),
        ("3.13.2", "python3.13"),
        ("cp313t", "python3.13"),
        ("pyton3.12", "python3.12"),
        ("latest", "python3.13"),
        ("", "python3.13"),
    ],
)
def test_an_unknown_runtime_names_the_nearest_and_lists_all(text: str, nearest: str) -> None:
    with pytest.raises(UsageError) as raised:
        Target.parse(text)
    assert raised.value.message == f"unknown runtime {text!r}; did you mean {nearest}?"
    assert raised.value.hint == "known runtimes: " + ", ".join(NAMES)


@pytest.mark.parametrize(
    ("text", "nearest"), [("armv8", "arm64"), ("x64", "x86_64"), ("aarch", "aarch64"), ("amd", "amd64")]
)
def test_an_unknown_architecture_names_the_nearest_and_lists_all(text: str, nearest: str) -> None:
    with pytest.raises(UsageError) as raised:
        Target.parse(architecture=text)
    assert raised.value.message == f"unknown architecture {text!r}; did you mean {nearest}?"
    assert raised.value.hint == "known architectures: x86_64, amd64, arm64, aarch64"


RUNTIME_TEXTS = st.text() | st.from_regex(r"\s*(python|py|cp)?3[._]?[0-9]{1,2}\s*", fullmatch=True)
ARCHITECTURE_TEXTS = st.text() | st.sampled_from(["x86_64", "amd64", "arm64", "aarch64"])


@given(runtime=RUNTIME_TEXTS, architecture=ARCHITECTURE_TEXTS)
def test_whatever_is_written_is_a_known_target_or_an_error_of_one_line(
    runtime: str, architecture: str
) -> None:
    try:
        target = Target.parse(runtime, architecture)
    except UsageError as error:
        lines = error.message.splitlines()
    else:
        lines = [str(target)]
        assert target == Target.parse(target.runtime.name, target.architecture)
    assert len(lines) == 1


def test_the_default_target_is_python_3_13_on_x86_64() -> None:
    assert (
        Target.parse() == Target.parse(DEFAULT_RUNTIME, DEFAULT_ARCHITECTURE) == Target.parse("3.13", "amd64")
    )


def test_a_target_spells_itself() -> None:
    target = Target.parse("3.13", "arm64")
    assert str(target) == "python3.13 arm64"
    assert target.stem == "3_13_arm64"
    assert target.machine == "aarch64"
    assert target.runtime.file_stem == "3_13"
    assert target.runtime.image.endswith("/lambda/python:3.13")
    assert hash(target) == hash(Target.parse("py313", "aarch64"))


def test_warning_is_silent_until_the_day_of_deprecation() -> None:
    runtime = Target.parse("3.12").runtime
    assert runtime.deprecated == date(2028, 10, 31)
    assert runtime.warning(TODAY) is None
    assert runtime.warning(runtime.deprecated - timedelta(days=1)) is None
    assert runtime.warning(runtime.deprecated) == "python3.12 has been deprecated since 2028-10-31"


def test_warning_tells_the_blocks_once_they_are_in_force() -> None:
    runtime = Target.parse("3.8").runtime
    assert runtime.warning(TODAY) == "python3.8 has been deprecated since 2024-10-14"
    assert runtime.warning(date(2027, 2, 1)) == (
        "python3.8 has been deprecated since 2024-10-14; AWS has refused new functions since 2027-02-01"
    )
    assert runtime.warning(date(2027, 3, 3)) == (
        "python3.8 has been deprecated since 2024-10-14; AWS has refused new functions since 2027-02-01; "
        "AWS has refused updates of functions since 2027-03-03"
    )


def test_a_preview_always_warns_with_the_day_of_the_knowledge() -> None:
    runtime = Target.parse("3.15").runtime
    assert runtime.warning(date(2020, 1, 1)) == (
        "python3.15 is a preview as of 2026-11-22: AWS has not announced it, "
        "and Amazon Linux 2023 is presumed"
    )


def test_runtimes_are_listed_oldest_first_and_only_the_last_is_a_preview() -> None:
    assert [runtime.name for runtime in runtimes()] == NAMES
    assert [runtime.preview for runtime in runtimes()] == [False] * 7 + [True]


@pytest.mark.parametrize("runtime", runtimes(), ids=NAMES)
def test_every_fact_of_a_runtime_is_there_and_has_a_dated_source(runtime: Runtime) -> None:
    about_itself = {"sources", "checked", "version"}
    for fact in {each.name for each in fields(Runtime)} - about_itself:
        assert "2026-11" in runtime.sources[fact], fact
        if not (runtime.preview and fact in {"deprecated", "block_create", "block_update"}):
            assert getattr(runtime, fact) not in (None, "", ()), fact


def test_every_architecture_operating_system_and_package_group_names_a_dated_source() -> None:
    data = tomllib.loads(Path(layercraft.target.__file__).with_name("runtimes.toml").read_text("utf-8"))
    tables = [*data["architecture"].values(), *data["os"].values(), *data["packages"].values()]
    tables += [group for system in data["os"].values() for group in system["libraries"]]
    for table in tables:
        assert "2026-11" in table["source"], table


@pytest.mark.parametrize("runtime", runtimes(), ids=NAMES)
def test_facts_of_a_runtime_agree_with_each_other(runtime: Runtime) -> None:
    assert runtime.name == "python{}.{}".format(*runtime.version)
    assert runtime.python_full_version.startswith(runtime.name.removeprefix("python") + ".")
    if runtime.deprecated and runtime.block_create and runtime.block_update:
        assert runtime.deprecated <= runtime.block_create <= runtime.block_update
    assert len(set(runtime.packages)) == len(runtime.packages)
    assert len(set(runtime.libraries)) == len(runtime.libraries)
    assert {"boto3", "botocore", "awslambdaric"} <= set(runtime.packages)


@pytest.mark.parametrize("runtime", NAMES)
@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
def test_libraries_hold_what_every_wheel_needs_and_nothing_that_users_found_missing(
    runtime: str, architecture: str
) -> None:
    libraries = Target.parse(runtime, architecture).libraries
    assert {"libc.so.6", "libm.so.6", "libstdc++.so.6", "libgcc_s.so.1", "libz.so.1"} <= libraries
    missing = {"libexpat.so.1", "libgomp.so.1", "libGL.so.1", "libX11.so.6", "libgthread-2.0.so.0"}
    assert not missing & libraries
    assert ("ld-linux-x86-64.so.2" in libraries) == (architecture == "x86_64")
    assert ("ld-linux-aarch64.so.1" in libraries) == (architecture == "arm64")


def test_limits_are_aws_quotas_in_bytes() -> None:
    assert UNZIPPED_LIMIT == 250 * 2**20
    assert DIRECT_UPLOAD_LIMIT == 50 * 2**20
