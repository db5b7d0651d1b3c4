from __future__ import annotations

import hashlib
import json
import re
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from index_pages import Hosted
from wheelhouse import WheelDraft

if TYPE_CHECKING:
    from command_line import CommandLine
    from local_index import LocalIndex


def built(layercraft: CommandLine, *arguments: str) -> dict[str, Any]:
    """Build one layer, and give its part of the JSON document."""
    (layer,) = layercraft.must("build", *arguments, "--json").document["layers"]
    return dict(layer)


def pins(layer: dict[str, Any]) -> list[str]:
    return [f"{pin['name']} {pin['version']}" for pin in layer["build"]["pins"]]


def names(layercraft: CommandLine, archive: str) -> list[str]:
    with zipfile.ZipFile(layercraft.outputs / archive) as reader:
        return reader.namelist()


def test_a_build_makes_a_zip_its_lock_and_its_record(layercraft: CommandLine) -> None:
    ran = layercraft.must("build", "--require", "plain")
    assert layercraft.made() == [
        "plain_3_13_x86_64.json",
        "plain_3_13_x86_64.zip",
        "pylock.plain_3_13_x86_64.toml",
    ]
    assert names(layercraft, "plain_3_13_x86_64.zip") == [
        "python/plain-1.1.dist-info/METADATA",
        "python/plain-1.1.dist-info/RECORD",
        "python/plain-1.1.dist-info/WHEEL",
        "python/plain-1.1.dist-info/entry_points.txt",
        "python/plain/__init__.py",
        "python/plain/data.json",
        "python/plain/tests/__init__.py",
        "python/plain/tests/test_plain.py",
    ]
    assert "outputs/plain_3_13_x86_64.zip" in ran.out
    assert [path.name for path in layercraft.folder.iterdir()] == ["outputs"]


def test_the_record_holds_target_tool_inputs_pins_changes_sizes_and_sha256(
    layercraft: CommandLine, index: LocalIndex
) -> None:
    layer = built(layercraft, "--require", "plain", "-a", "arm64")
    record = json.loads((layercraft.outputs / "plain_3_13_arm64.json").read_bytes())
    assert record == layer["build"]
    archive = layercraft.outputs / "plain_3_13_arm64.zip"
    wheel = index.files["plain-1.1-py3-none-any.whl"]
    assert record["target"] == {"runtime": "python3.13", "architecture": "arm64"}
    assert record["tool"]
    assert re.fullmatch(r"[0-9a-f]{64}", record["inputs"])
    assert record["pins"] == [
        {
            "name": "plain",
            "version": "1.1",
            "filename": wheel.filename,
            "sha256": wheel.sha256,
            "url": f"{index.url}/files/{wheel.filename}",
        }
    ]
    assert record["zip"]["sha256"] == hashlib.sha256(archive.read_bytes()).hexdigest()
    assert record["zip"]["size"] == archive.stat().st_size == layer["sizes"]["zipped"]
    with zipfile.ZipFile(archive) as reader:
        unzipped = sum(info.file_size for info in reader.infolist())
    assert record["zip"]["unzipped"] == unzipped == layer["sizes"]["unzipped"]
    reasons = {(change["source"], change["rule"]): change for change in record["changes"]}
    assert reasons["preset safe", "type stubs"]["removed"] == ["python/plain/__init__.pyi"]
    assert reasons["preset safe", "console scripts"]["removed"] == ["python/bin/plain-tool"]
    assert reasons["preset safe", "type stubs"]["saved"] == len(b"__version__: str\n")


@pytest.mark.parametrize(
    ("options", "stem", "module"),
    [
        (["-r", "3.12", "-a", "arm64"], "3_12_arm64", "_speed.cpython-312-aarch64-linux-gnu.so"),
        (["-r", "python3.13", "-a", "amd64"], "3_13_x86_64", "_speed.cpython-313-x86_64-linux-gnu.so"),
        (["-r", "py314", "-a", "aarch64"], "3_14_arm64", "_speed.cpython-314-aarch64-linux-gnu.so"),
    ],
)
def test_a_layer_holds_the_wheels_of_its_target(
    layercraft: CommandLine, options: list[str], stem: str, module: str
) -> None:
    layercraft.must("build", "--require", "native", *options)
    assert f"python/native/{module}" in names(layercraft, f"native_{stem}.zip")


def test_each_name_becomes_one_zip_and_own_recipes_come_before_those_shipped(
    layercraft: CommandLine,
) -> None:
    layercraft.write({"layers/jinja/requirements.txt": "plain\n", "layers/mine/requirements.txt": "lib\n"})
    ran = layercraft.must("build", "jinja", "mine", "--json")
    assert [layer["zip"] for layer in ran.document["layers"]] == [
        "outputs/jinja_3_13_x86_64.zip",
        "outputs/mine_3_13_x86_64.zip",
    ]
    assert [pins(layer) for layer in ran.document["layers"]] == [["plain 1.1"], ["lib 2.0"]]


def test_all_that_is_required_becomes_one_layer_named_after_the_first(layercraft: CommandLine) -> None:
    layercraft.write({"more.txt": "old-app\n"})
    layer = built(
        layercraft, "--require", "Space.Beta", "--require", "toolkit[fast]>=1", "--requirements", "more.txt"
    )
    assert layer["zip"] == "outputs/space-beta_3_13_x86_64.zip"
    assert pins(layer) == [
        "lib 1.0",
        "native 2.0",
        "old-app 1.0",
        "plain 1.1",
        "space-alpha 1.0",
        "space-beta 1.0",
        "toolkit 1.0",
    ]


def test_a_layer_can_be_given_another_name_and_folder(layercraft: CommandLine) -> None:
    layer = built(layercraft, "--require", "plain", "--name", "my_layer-1", "-o", "made/here")
    assert layer["lock"] == "made/here/pylock.my_layer-1_3_13_x86_64.toml"
    assert layer["record"] == "made/here/my_layer-1_3_13_x86_64.json"
    assert layer["build"]["name"] == "my_layer-1"


def test_a_requirements_file_is_read_as_pip_reads_it(layercraft: CommandLine, index: LocalIndex) -> None:
    wheel = index.files["space_alpha-1.0-py3-none-any.whl"]
    lines = [
        "--index-url ${INDEX}",
        "# a comment",
        "toolkit \\",
        "  [fast]  # one more",
        'lib>=1 ; python_version >= "3.13"',
        'new-app ; sys_platform == "win32"',
        "-r more/names.txt",
        "-c limits.txt",
        f"space-alpha @ {index.url}/files/{wheel.filename}",
    ]
    layercraft.write(
        {"all.txt": "\n".join(lines), "more/names.txt": "old-app\n", "limits.txt": "plain<1.1\nnew-app>7\n"}
    )
    del layercraft.environment["LAYERCRAFT_INDEX_URL"]
    layercraft.environment["INDEX"] = f"{index.url}/simple"
    layer = built(layercraft, "--requirements", "all.txt")
    assert pins(layer) == [
        "lib 1.0",
        "native 2.0",
        "old-app 1.0",
        "plain 1.0",
        "space-alpha 1.0",
        "toolkit 1.0",
    ]


def test_a_hash_chooses_the_wheel_and_wants_one_for_every_other(
    layercraft: CommandLine, index: LocalIndex
) -> None:
    old = index.files["plain-1.0-py3-none-any.whl"].sha256
    layercraft.write({"one.txt": f"plain --hash=sha256:{old}\n"})
    assert pins(built(layercraft, "--requirements", "one.txt")) == ["plain 1.0"]
    layercraft.write({"two.txt": f"plain --hash=sha256:{old}\ntoolkit\n"})
    ran = layercraft("build", "--requirements", "two.txt")
    assert ran.code == 2
    assert "toolkit" in ran.err


def test_constraints_bind_what_others_require(layercraft: CommandLine) -> None:
    layercraft.write({"limits.txt": "plain==1.0\nnative>9\n"})
    assert pins(built(layercraft, "--require", "toolkit", "-c", "limits.txt")) == ["plain 1.0", "toolkit 1.0"]
    layercraft.write({"limits.txt": "# none yet\n"})
    assert pins(built(layercraft, "--require", "toolkit", "-c", "limits.txt")) == ["plain 1.1", "toolkit 1.0"]


@pytest.mark.parametrize("api", ["json", "simple"])
def test_both_apis_of_an_index_give_the_same_pins(
    layercraft: CommandLine, index: LocalIndex, api: str
) -> None:
    index.apis = {api}
    layer = built(layercraft, "--require", "toolkit[fast]", "--index-api", api)
    assert pins(layer) == ["native 2.0", "plain 1.1", "toolkit 1.0"]


def test_a_json_page_without_releases_gives_way_to_the_simple_api(
    layercraft: CommandLine, index: LocalIndex
) -> None:
    index.releases = False
    assert pins(built(layercraft, "--require", "toolkit")) == ["plain 1.1", "toolkit 1.0"]
    assert index.count("/simple/toolkit/") == 1


@pytest.mark.parametrize("metadata", ["broken", "absent"])
def test_dependencies_are_the_wheels_own_however_they_can_be_had(
    layercraft: CommandLine, index: LocalIndex, metadata: str
) -> None:
    index.metadata = metadata  # type: ignore[assignment]
    index.ranges = metadata != "absent"
    assert pins(built(layercraft, "--require", "toolkit[fast]")) == ["native 2.0", "plain 1.1", "toolkit 1.0"]


def test_a_newer_version_that_was_passed_over_is_told_with_the_reason(layercraft: CommandLine) -> None:
    ran = layercraft.must("build", "--require", "native", "--json")
    assert "note: native 2.1: no wheel for python3.13 on x86_64; took 2.0" in ran.err
    (passed,) = ran.document["layers"][0]["passed_over"]
    assert (passed["name"], passed["newest"], passed["taken"]) == ("native", "2.1", "2.0")


def test_yanked_versions_are_left_out_but_for_exact_pins(layercraft: CommandLine, index: LocalIndex) -> None:
    draft = WheelDraft(name="plain", version="1.2")
    index.add(Hosted(filename=draft.filename, data=draft.packed(), yanked="it broke"))
    assert pins(built(layercraft, "--require", "plain")) == ["plain 1.1"]
    ran = layercraft.must("build", "--require", "plain==1.2", "--json")
    assert pins(ran.document["layers"][0]) == ["plain 1.2"]
    assert "warning: plain 1.2 was yanked: it broke" in ran.err


def test_halves_of_a_namespace_package_lie_side_by_side(layercraft: CommandLine) -> None:
    ran = layercraft.must("build", "--require", "space-beta", "--strict")
    assert "warning" not in ran.err
    found = names(layercraft, "space-beta_3_13_x86_64.zip")
    assert {"python/space/alpha.py", "python/space/beta.py"} <= set(found)


@pytest.mark.parametrize(
    ("runtime", "warning"),
    [("3.8", r"python3\.8 has been deprecated since 2024-\d\d-\d\d"), ("3.15", r"python3\.15 is a preview")],
)
def test_a_runtime_with_a_catch_is_told(layercraft: CommandLine, runtime: str, warning: str) -> None:
    ran = layercraft.must("build", "--require", "plain", "-r", runtime)
    assert re.search(f"^warning: {warning}", ran.err, re.MULTILINE)


def test_what_was_built_once_can_be_built_offline(layercraft: CommandLine, index: LocalIndex) -> None:
    first = built(layercraft, "--require", "toolkit")
    index.forget()
    again = built(layercraft, "--require", "toolkit", "--offline", "-o", "again")
    assert again["build"]["zip"]["sha256"] == first["build"]["zip"]["sha256"]
    assert index.requests == []


def test_a_wheel_is_downloaded_once_for_all_layers(layercraft: CommandLine, index: LocalIndex) -> None:
    built(layercraft, "--require", "plain")
    index.forget()
    built(layercraft, "--require", "toolkit", "-r", "3.12")
    asked = {request.path for request in index.requests if request.path.endswith(".whl")}
    assert asked == {"/files/toolkit-1.0-py3-none-any.whl"}
