from __future__ import annotations

import tomllib
import zipfile
from typing import TYPE_CHECKING

import pytest
from packaging.pylock import Pylock, is_valid_pylock_path

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from command_line import CommandLine
    from local_index import LocalIndex

LOCK = "pylock.toolkit_3_13_x86_64.toml"


def read(path: Path) -> Pylock:
    """Read a lock as packaging does, whose validation is PEP 751's."""
    pylock = Pylock.from_dict(tomllib.loads(path.read_text(encoding="utf-8")))
    pylock.validate()
    return pylock


def foreign_lock(index: LocalIndex, filenames: Iterable[str], key: str = "url") -> str:
    """Give the text of a lock as another tool might write it: all wheels of all packages, few fields."""
    lines = ['lock-version = "1.0"', 'created-by = "another-tool"']
    names = sorted({index.files[filename].name for filename in filenames})
    for name in names:
        mine = [index.files[filename] for filename in filenames if index.files[filename].name == name]
        wheels = [
            f'  {{name = "{file.filename}", {key} = "{_place(index, file.filename, key)}", '
            f'hashes = {{sha256 = "{file.sha256}"}}}},'
            for file in mine
        ]
        lines += ["[[packages]]", f'name = "{name}"', f'version = "{mine[0].version}"']
        lines += ["wheels = [", *wheels, "]"]
    return "\n".join(lines)


def _place(index: LocalIndex, filename: str, key: str) -> str:
    return f"{index.url}/files/{filename}" if key == "url" else f"wheels/{filename}"


def test_a_lock_is_a_pep_751_file_named_after_layer_and_target(layercraft: CommandLine) -> None:
    ran = layercraft.must("lock", "--require", "toolkit[fast]", "-a", "arm64")
    (path,) = layercraft.folder.iterdir()
    assert path.name == "pylock.toolkit_3_13_arm64.toml"
    assert is_valid_pylock_path(path)
    pylock = read(path)
    assert pylock.created_by == "layercraft"
    assert {package.name: str(package.version) for package in pylock.packages} == {
        "native": "2.0",
        "plain": "1.1",
        "toolkit": "1.0",
    }
    wheels = [wheel for package in pylock.packages for wheel in package.wheels or ()]
    assert all(wheel.url and wheel.hashes["sha256"] and wheel.size for wheel in wheels)
    assert "native   2.0  native-2.0-cp313-cp313-manylinux_2_17_aarch64.whl" in ran.out


def test_locking_downloads_no_wheel(layercraft: CommandLine, index: LocalIndex) -> None:
    layercraft.must("lock", "--require", "toolkit[fast]")
    whole = [each.path for each in index.requests if "range" not in each.headers]
    assert not [path for path in whole if path.endswith(".whl")]


def test_names_become_locks_in_the_folder_given(layercraft: CommandLine) -> None:
    layercraft.write({"layers/a.b/requirements.txt": "plain\n", "layers/c/requirements.txt": "lib\n"})
    ran = layercraft.must("lock", "a.b", "c", "-o", "locks", "-r", "3.12", "--json")
    assert [each["lock"] for each in ran.document["locks"]] == [
        "locks/pylock.a-b_3_12_x86_64.toml",
        "locks/pylock.c_3_12_x86_64.toml",
    ]
    assert [(pin["name"], pin["version"]) for pin in ran.document["locks"][1]["pins"]] == [("lib", "2.0")]
    assert all((layercraft.folder / each["lock"]).is_file() for each in ran.document["locks"])


def test_build_and_lock_choose_the_same(layercraft: CommandLine) -> None:
    options = ("--require", "toolkit[fast]", "--exclude", "plain")
    layercraft.must("lock", *options)
    layercraft.must("build", *options)
    assert (layercraft.folder / LOCK).read_bytes() == (layercraft.outputs / LOCK).read_bytes()


def test_a_lock_is_built_exactly_and_offline_when_the_cache_has_its_wheels(
    layercraft: CommandLine, index: LocalIndex
) -> None:
    layercraft.must("lock", "--require", "toolkit", "--require", "plain<1.1")
    ran = layercraft.must("build", "--lock", LOCK, "--json")
    first = ran.document["layers"][0]["build"]
    assert [(pin["name"], pin["version"]) for pin in first["pins"]] == [("plain", "1.0"), ("toolkit", "1.0")]
    assert all(request.path.startswith("/files/") for request in index.requests[-2:])
    index.forget()
    again = layercraft.must("build", "--lock", LOCK, "--offline", "-o", "again", "--json")
    assert again.document["layers"][0]["build"]["zip"] == first["zip"]
    assert index.requests == []


def test_a_lock_tells_its_target(layercraft: CommandLine) -> None:
    layercraft.must("lock", "--require", "native", "-r", "3.12", "-a", "arm64")
    layercraft.must("build", "--lock", "pylock.native_3_12_arm64.toml")
    assert layercraft.made() == [
        "native_3_12_arm64.json",
        "native_3_12_arm64.zip",
        "pylock.native_3_12_arm64.toml",
    ]


def test_a_recipe_trims_what_a_lock_brings(layercraft: CommandLine) -> None:
    layercraft.write(
        {
            "layers/mine/requirements.txt": "plain\n",
            "layers/mine/layer.toml": '[cleanup]\nremove = ["**/tests/"]\n',
        }
    )
    layercraft.must("lock", "--require", "plain<1.1")
    layercraft.must("build", "mine", "--lock", "pylock.plain_3_13_x86_64.toml")
    with zipfile.ZipFile(layercraft.outputs / "mine_3_13_x86_64.zip") as reader:
        assert "python/plain-1.0.dist-info/METADATA" in reader.namelist()
        assert not any("tests" in name for name in reader.namelist())


@pytest.mark.parametrize(
    ("line", "warning"),
    [
        ("lib", "LOCK has no lib; "),
        ("plain>=1.1", "LOCK has plain 1.0, not plain>=1.1; "),
        ("lib; python_version < '3'", None),
        ("lib; platform_release ~= 'odd'", None),
        ("kept-out", None),
        ("left-out", None),
        ("Plain[any]==1.*", None),
    ],
)
def test_a_requirement_that_a_lock_does_not_answer_is_a_warning(
    layercraft: CommandLine, line: str, warning: str | None
) -> None:
    lock = "pylock.mine_3_13_x86_64.toml"
    layercraft.write({"layers/mine/requirements.txt": "plain<1.1\nleft-out\n"})
    layercraft.must("lock", "mine", "--exclude", "left-out")
    layercraft.write(
        {
            "layers/mine/requirements.txt": f"plain\n{line}\n",
            "layers/mine/layer.toml": "exclude = ['kept-*']\n",
        }
    )
    for command in ("plan", "build"):
        ran = layercraft.must(command, "mine", "--lock", lock)
        told = [each for each in ran.err.splitlines() if each.startswith("warning: ")]
        source = "warning: layers/mine/requirements.txt, line 2: "
        way_out = "make another with `layercraft lock mine -r 3.13 -a x86_64`"
        assert told == ([source + warning.replace("LOCK", lock) + way_out] if warning else [])


def test_a_lock_without_a_recipe_is_no_cause_for_warnings(layercraft: CommandLine) -> None:
    layercraft.must("lock", "--require", "plain<1.1", "--name", "mine")
    assert "warning" not in layercraft.must("plan", "--lock", "pylock.mine_3_13_x86_64.toml").err


def test_a_lock_of_another_tool_gives_the_wheels_of_the_target(
    layercraft: CommandLine, index: LocalIndex
) -> None:
    wanted = [name for name in index.files if name.startswith(("native-2.0", "plain-1.0"))]
    layercraft.write({"pylock.toml": foreign_lock(index, wanted)})
    ran = layercraft.must("build", "--lock", "pylock.toml", "-r", "3.12", "-a", "arm64", "--json")
    (layer,) = ran.document["layers"]
    assert layer["zip"] == "outputs/layer_3_12_arm64.zip"
    assert [pin["filename"] for pin in layer["build"]["pins"]] == [
        "native-2.0-cp312-cp312-manylinux_2_17_aarch64.whl",
        "plain-1.0-py3-none-any.whl",
    ]


def test_a_lock_may_name_wheels_beside_it(layercraft: CommandLine, index: LocalIndex) -> None:
    filename = "plain-1.0-py3-none-any.whl"
    layercraft.write({"locks/pylock.local.toml": foreign_lock(index, [filename], key="path")})
    wheel = layercraft.folder / "locks/wheels" / filename
    wheel.parent.mkdir()
    wheel.write_bytes(index.files[filename].data)
    layercraft.must("build", "--lock", "locks/pylock.local.toml", "--offline")
    assert "local_3_13_x86_64.zip" in layercraft.made()


def test_a_lock_that_has_no_wheel_for_the_target_is_refused(
    layercraft: CommandLine, index: LocalIndex
) -> None:
    wanted = [name for name in index.files if name.startswith("native-2.0")]
    layercraft.write({"pylock.toml": foreign_lock(index, wanted)})
    ran = layercraft("build", "--lock", "pylock.toml", "-r", "3.11")
    assert ran.code == 1
    assert "pylock.toml: does not fit python3.11 x86_64" in ran.lines[0]
    assert layercraft.made() == []


def test_a_lock_with_another_hash_is_refused_by_the_wheels_name(
    layercraft: CommandLine, index: LocalIndex
) -> None:
    filename = "plain-1.0-py3-none-any.whl"
    text = foreign_lock(index, [filename])
    layercraft.write({"pylock.toml": text.replace(index.files[filename].sha256, "0" * 64)})
    ran = layercraft("build", "--lock", "pylock.toml")
    assert ran.code == 1
    assert f"{filename} has sha256" in ran.lines[0]
    assert layercraft.made() == []
