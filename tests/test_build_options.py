from __future__ import annotations

import os
import zipfile
import zlib
from typing import TYPE_CHECKING

import pytest
from wheelhouse import RawMember, RawZip, WheelDraft
from world import huge

if TYPE_CHECKING:
    from command_line import CommandLine
    from local_index import LocalIndex

TWINS = ("--require", "twin-two", "--require", "twin-one", "--name", "twins")
CONFLICT = "python/tests/__init__.py: twin-one and twin-two bring different files"


def contents(layercraft: CommandLine, archive: str) -> dict[str, bytes]:
    with zipfile.ZipFile(layercraft.outputs / archive) as reader:
        return {name: reader.read(name) for name in reader.namelist()}


def test_preset_none_leaves_all_files_as_the_wheels_have_them(
    layercraft: CommandLine, index: LocalIndex
) -> None:
    layercraft.write(
        {
            "layers/mine/requirements.txt": "plain\n",
            "layers/mine/layer.toml": '[cleanup]\nremove = ["**/tests/"]\n',
            "layers/mine/cleanup.sh": "rm -rf /tmp/layer/python/plain\n",
        }
    )
    layercraft.must("build", "mine", "--preset", "none")
    found = contents(layercraft, "mine_3_13_x86_64.zip")
    wheel = layercraft.folder / "plain.whl"
    wheel.write_bytes(index.files["plain-1.1-py3-none-any.whl"].data)
    with zipfile.ZipFile(wheel) as reader:
        for name in reader.namelist():
            if not name.endswith("RECORD") and ".data/" not in name:
                assert found.pop(f"python/{name}") == reader.read(name)
    assert sorted(found) == ["python/bin/plain-tool", "python/plain-1.1.dist-info/RECORD"]


def test_an_unknown_preset_is_refused_with_the_nearest(layercraft: CommandLine) -> None:
    ran = layercraft("build", "--require", "plain", "--preset", "saef")
    assert (ran.code, ran.out) == (2, "")
    assert ran.lines[0] == "error: unknown preset 'saef'; did you mean safe?"


def test_what_is_excluded_stays_out_and_that_is_told(layercraft: CommandLine) -> None:
    ran = layercraft.must("build", "--require", "toolkit[fast]", "--exclude", "Nat*", "--json")
    assert [pin["name"] for pin in ran.document["layers"][0]["build"]["pins"]] == ["plain", "toolkit"]
    assert "warning: native is kept out of the layer (exclude), although toolkit" in ran.err


def test_a_recipe_excludes_too(layercraft: CommandLine) -> None:
    layercraft.write(
        {
            "layers/mine/requirements.txt": "toolkit[fast]\n",
            "layers/mine/layer.toml": 'exclude = ["native", "absent-*"]\n',
        }
    )
    ran = layercraft.must("build", "mine")
    assert "native is kept out" in ran.err
    assert not any("native" in name for name in contents(layercraft, "mine_3_13_x86_64.zip"))


def test_an_excluded_requirement_is_told_as_well(layercraft: CommandLine) -> None:
    ran = layercraft.must("build", "--require", "plain", "--require", "lib", "--exclude", "lib")
    assert "warning: lib is kept out of the layer (exclude)" in ran.err


@pytest.mark.parametrize("require", ["plain", 'lib; sys_platform == "win32"'])
def test_a_layer_of_nothing_is_refused(layercraft: CommandLine, require: str) -> None:
    ran = layercraft("build", "--require", require, "--exclude", "plain")
    assert ran.code == 2
    assert "no requirement holds on this target and is not excluded" in ran.lines[0]
    assert layercraft.made() == []


def test_each_rule_tells_what_it_saved_or_that_it_matches_nothing(layercraft: CommandLine) -> None:
    remove = '["**/tests/", "no/such/thing"]'
    layercraft.write(
        {
            "layers/mine/requirements.txt": "plain\n",
            "layers/mine/layer.toml": f'[cleanup]\nremove = {remove}\nkeep = ["plain/tests/__init__.py"]\n',
        }
    )
    ran = layercraft.must("build", "mine")
    assert "warning: layers/mine/layer.toml: no/such/thing matches no file" in ran.err
    told = {line.split(": ")[1].split()[0]: line for line in ran.out.splitlines() if "layer.toml" in line}
    assert "1 file" in told["**/tests/"]
    assert told["**/tests/"].endswith("MB")
    found = contents(layercraft, "mine_3_13_x86_64.zip")
    assert "python/plain/tests/__init__.py" in found
    assert "python/plain/tests/test_plain.py" not in found


def test_two_owners_of_one_path_are_named_and_the_first_by_name_wins(layercraft: CommandLine) -> None:
    ran = layercraft.must("build", *TWINS)
    assert f"warning: {CONFLICT}; twin-one's is taken" in ran.err
    assert contents(layercraft, "twins_3_13_x86_64.zip")["python/tests/__init__.py"] == b"# twin-one\n"


def test_strict_makes_two_owners_of_one_path_an_error(layercraft: CommandLine) -> None:
    ran = layercraft("build", *TWINS, "--strict")
    assert ran.code == 1
    assert ran.lines[0] == f"error: {CONFLICT}"
    assert layercraft.made() == []
    assert layercraft("build", *TWINS, "--strict", "--exclude", "twin-two").code == 0


def test_a_conflict_that_cleanup_removes_is_none(layercraft: CommandLine) -> None:
    layercraft.write(
        {
            "layers/twins/requirements.txt": "twin-one\ntwin-two\n",
            "layers/twins/layer.toml": '[cleanup]\nremove = ["/tests/"]\n',
        }
    )
    assert "bring different files" not in layercraft.must("build", "twins", "--strict").err


def test_a_layer_over_lambdas_limit_is_refused_before_it_is_written(
    layercraft: CommandLine, index: LocalIndex
) -> None:
    index.add(huge())
    ran = layercraft("build", "--require", "huge")
    assert ran.code == 1
    assert "over the limit of 250.0 MB (262,144,000 bytes)" in ran.lines[0]
    assert "the biggest: huge 250.0 MB, plain <0.01 MB" in ran.lines[0]
    assert layercraft.made() == []


def test_a_recipe_may_set_a_lower_limit(layercraft: CommandLine) -> None:
    layercraft.write(
        {
            "layers/small/requirements.txt": "plain\n",
            "layers/small/layer.toml": '[limits]\nunzipped = "2 KB"\n',
        }
    )
    ran = layercraft("build", "small")
    assert ran.code == 1
    assert "over the limit of <0.01 MB (2,048 bytes)" in ran.lines[0]
    assert layercraft.made() == []


def test_a_zip_over_the_limit_of_direct_upload_is_noticed(layercraft: CommandLine, index: LocalIndex) -> None:
    draft = WheelDraft(name="loud", files={"loud/noise.bin": os.urandom(50 << 20)})
    members = [
        RawMember(name=name.encode(), data=data, packed=_barely_deflated(data))
        for name, data in draft.contents().items()
    ]
    index.add((draft.filename, RawZip(members=members).packed()))
    ran = layercraft.must("build", "--require", "loud")
    assert "note: the zip has 50.0 MB, over 50.0 MB: it goes through S3" in ran.err


def _barely_deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(0, wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def test_unpacked_lays_the_same_files_out(layercraft: CommandLine) -> None:
    layercraft.must("build", "--require", "native", "--unpacked", "tree")
    found = contents(layercraft, "native_3_13_x86_64.zip")
    tree = layercraft.folder / "tree"
    laid = {path.relative_to(tree).as_posix(): path for path in tree.rglob("*") if path.is_file()}
    laid.pop(".layercraft")
    assert {name: path.read_bytes() for name, path in laid.items()} == found
    assert {oct(path.stat().st_mode & 0o777) for path in laid.values()} <= {"0o644", "0o755"}


def test_unpacked_replaces_its_own_folder_and_no_other(layercraft: CommandLine) -> None:
    layercraft.must("build", "--require", "plain", "--unpacked", "tree")
    layercraft.must("build", "--require", "lib", "--unpacked", "tree")
    assert not (layercraft.folder / "tree/python/plain").exists()
    layercraft.write({"mine/diary.txt": "dear"})
    ran = layercraft("build", "--require", "native", "--unpacked", "mine")
    assert ran.code == 1
    assert "holds 'diary.txt', which is not layercraft's" in ran.lines[0]
    assert not any("native" in name for name in layercraft.made())


def test_unpacked_refuses_several_layers(layercraft: CommandLine) -> None:
    ran = layercraft("build", "jinja", "sklearn", "--unpacked", "tree")
    assert ran.code == 2
    assert "--unpacked takes one layer" in ran.lines[0]


def test_without_the_check_a_broken_member_goes_unseen(layercraft: CommandLine, index: LocalIndex) -> None:
    draft = WheelDraft(name="broken", files={"broken.py": b"A" * 50}, stored=["broken.py"])
    index.add((draft.filename, draft.packed().replace(b"A" * 50, b"B" * 50)))
    ran = layercraft("build", "--require", "broken")
    assert ran.code == 1
    assert "broken.py" in ran.lines[0]
    assert layercraft("build", "--require", "broken", "--no-check").code == 0


def test_members_are_checked_once_for_each_wheel(layercraft: CommandLine) -> None:
    layercraft.must("build", "--require", "plain")
    first = layercraft.must("cache", "info", "--json").document["kinds"]["checked"]["entries"]
    layercraft.must("build", "--require", "plain")
    layercraft.must("build", "--require", "lib", "--no-check")
    again = layercraft.must("cache", "info", "--json").document["kinds"]["checked"]["entries"]
    assert (first, again) == (1, 1)
