"""`[files]`: from the table in layer.toml to files in the zip."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest
from shelf import Shelf
from trees import inline, inline_tree, paths, wheel_of
from wheelhouse import WheelDraft

from layercraft.errors import ConfigurationError, ConflictError, NoSolutionError, UnknownPackageError
from layercraft.layer.files import add_files
from layercraft.layer.tree import Tree
from layercraft.recipe.extra_files import ExtraFile
from layercraft.recipe.layer_toml import parse_layer_toml
from layercraft.resolution.donors import choose_donors

if TYPE_CHECKING:
    from pathlib import Path

    from command_line import CommandLine
    from local_index import LocalIndex

DONOR = WheelDraft(
    name="donor",
    files={"donor.libs/libgomp-a1.so.1.0": b"gomp", "donor/a.py": b"a", "donor/b.py": b"b"},
    modes={"donor.libs/libgomp-a1.so.1.0": 0o100755},
    requires=["nothing-that-exists"],
)
GOMP = ExtraFile(path="lib/libgomp.so.1", requirement="donor", member="donor.libs/libgomp-*.so*")


def added(tmp_path: Path, tree: Tree, *files: ExtraFile) -> Tree:
    donors = {"donor": wheel_of(tmp_path / "wheels", DONOR)}
    return add_files(tree, files, tmp_path, donors, source="layers/x/layer.toml").tree


def refusal(tmp_path: Path, *files: ExtraFile, within: tuple[str, ...] = ()) -> str:
    tree = Tree(entries={path: inline(path, b"", owner="x") for path in within})
    with pytest.raises((ConfigurationError, ConflictError)) as caught:
        added(tmp_path, tree, *files)
    return caught.value.message.removeprefix("layers/x/layer.toml: ")


def test_a_member_of_a_donor_lies_at_its_path_and_knows_who_brought_it(tmp_path: Path) -> None:
    tree = added(tmp_path, inline_tree({"python/x.py": b""}), GOMP)
    assert list(tree.entries) == ["lib/libgomp.so.1", "python/x.py"]
    entry = tree.entries["lib/libgomp.so.1"]
    assert (entry.size, entry.executable, entry.owner) == (4, True, "donor")
    assert not tree.distributions


def test_a_file_of_the_recipe_lies_at_its_path(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_bytes(b"{}")
    tree = added(tmp_path, inline_tree({}), ExtraFile(path="python/x/s.json", file="settings.json"))
    assert paths(tree.entries.values()) == ["python/x/s.json"]
    assert tree.entries["python/x/s.json"].size == 2


@pytest.mark.parametrize(
    ("member", "problem"),
    [
        ("donor.libs/*.dll", "donor.libs/*.dll matches no file of donor-1.0-py3-none-any.whl"),
        ("donor/*.py", "donor/*.py matches 2 files: donor/a.py, donor/b.py of donor-1.0-py3-none-any.whl"),
    ],
)
def test_a_glob_takes_exactly_one_file(tmp_path: Path, member: str, problem: str) -> None:
    file = ExtraFile(path="lib/x", requirement="donor", member=member)
    assert refusal(tmp_path, file) == f"files.lib/x: {problem}"


@pytest.mark.parametrize(
    ("there", "problem"),
    [
        ("lib/libgomp.so.1", "the layer has lib/libgomp.so.1 already, from x"),
        ("lib", "lib is a file of x"),
        ("lib/libgomp.so.1/x", "the layer has a folder there, with lib/libgomp.so.1/x"),
    ],
)
def test_a_path_that_is_taken_is_refused_with_who_has_it(tmp_path: Path, there: str, problem: str) -> None:
    assert refusal(tmp_path, GOMP, within=(there,)) == f"files.lib/libgomp.so.1: {problem}"


def test_a_file_of_the_recipe_that_is_gone_is_one_clear_line(tmp_path: Path) -> None:
    problem = refusal(tmp_path, ExtraFile(path="lib/x", file="gone"))
    assert problem == f"files.lib/x: {tmp_path / 'gone'} cannot be read: no such file or directory"


def test_the_table_tells_both_kinds() -> None:
    text = """
        [files]
        "lib/libgomp.so.1" = { requirement = "donor", member = "donor.libs/libgomp-*.so*" }
        "python/s.json" = "data/settings.json"
    """
    read = parse_layer_toml(text, source="layer.toml").files
    assert read == (GOMP, ExtraFile(path="python/s.json", file="data/settings.json"))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('"../x" = "a"', 'files.../x: "../x" is no relative path without ..'),
        ('"/x" = "a"', 'files./x: "/x" is no relative path without ..'),
        ('"C:/x" = "a"', 'files.C:/x: "C:/x" is no relative path without ..'),
        ('"lib/" = "a"', 'files.lib/: "lib/" is no relative path without ..'),
        ('x = "../a"', 'files.x: "../a" is no relative path without ..'),
        ("x = 1", "files.x: expected a file of the recipe or a member of a wheel, got an integer"),
        ('x = { member = "a" }', "files.x.requirement: missing"),
        ('x = { requirement = "a" }', "files.x.member: missing"),
        ('x = { requirement = "a[b]", member = "c" }', 'files.x.requirement: "a[b]": expected a name and'),
        ('x = { requirement = "a b", member = "c" }', 'files.x.requirement: "a b" is not a valid requirem'),
        ('x = { requirement = "a", member = "" }', 'files.x.member: "" matches nothing'),
        (
            'x = { requirement = "a", membr = "c", member = "c" }',
            "files.x.membr: unknown key; did you mean files.x.member?",
        ),
    ],
)
def test_what_is_wrong_with_a_line_is_told_with_its_path(line: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_layer_toml(f"[files]\n{line}\n", source="layer.toml")
    (told,) = caught.value.message.splitlines()
    assert told.startswith(f"layer.toml: {problem}")


def test_a_donor_is_the_newest_wheel_that_fits_without_what_it_requires() -> None:
    shelf = Shelf("a-1", "donor-2.0-cp312-cp312-win32", "donor-1.5 : gone", "donor-1.6a1", "donor-1.0")
    lock = shelf.resolve("a").lock
    assert [pin.version for pin in choose_donors(["donor"], lock, shelf)] == ["1.5"]
    assert [pin.version for pin in choose_donors(["donor<1.5", "donor<1.4"], lock, shelf)] == ["1.0"]
    assert [pin.version for pin in choose_donors(["donor==1.6a1"], lock, shelf)] == ["1.6a1"]
    with pytest.raises(NoSolutionError, match=r"donor>3 \(\[files\]\): no release has a wheel"):
        choose_donors(["donor>3"], lock, shelf)
    with pytest.raises(UnknownPackageError, match=r"gone: .* \(\[files\]\)"):
        choose_donors(["gone"], lock, shelf)


def test_what_the_layer_has_anyway_is_the_donor() -> None:
    shelf = Shelf("a-1 : donor<2", "donor-2.0", "donor-1.5")
    lock = shelf.resolve("a").lock
    assert choose_donors(["donor"], lock, shelf) == ()
    with pytest.raises(NoSolutionError, match=r"files are wanted of donor>=2, and donor 1\.5 is locked"):
        choose_donors(["donor>=2"], lock, shelf)


LAYER = f"""
[files]
"{GOMP.path}" = {{ requirement = "{GOMP.requirement}", member = "{GOMP.member}" }}
"python/settings.json" = "settings.json"
"""


@pytest.fixture
def recipe(layercraft: CommandLine, index: LocalIndex) -> str:
    """Write a recipe with both kinds of files."""
    index.add(DONOR)
    layercraft.write(
        {
            "layers/w/requirements.txt": "plain\n",
            "layers/w/layer.toml": LAYER,
            "layers/w/settings.json": "{}",
        }
    )
    return "w"


def test_a_lock_has_the_donor_and_builds_the_same_layer_offline(layercraft: CommandLine, recipe: str) -> None:
    layercraft.must("build", recipe)
    archive = layercraft.outputs / "w_3_13_x86_64.zip"
    names = zipfile.ZipFile(archive).namelist()
    assert {"lib/libgomp.so.1", "python/settings.json"} <= set(names)
    assert not any("donor" in name for name in names)
    lock = layercraft.outputs / "pylock.w_3_13_x86_64.toml"
    layercraft.must("build", recipe, "--lock", lock, "--offline", "-o", "again")
    assert (layercraft.folder / "again" / archive.name).read_bytes() == archive.read_bytes()
    assert (layercraft.folder / "again" / lock.name).read_bytes() == lock.read_bytes()
    ran = layercraft.must("lock", recipe)
    assert (layercraft.folder / lock.name).read_bytes() == lock.read_bytes(), ran.err


def test_the_lock_without_the_recipe_makes_the_layer_without_the_files(
    layercraft: CommandLine, recipe: str
) -> None:
    layercraft.must("lock", recipe)
    layercraft.must("build", "--lock", "pylock.w_3_13_x86_64.toml")
    names = zipfile.ZipFile(layercraft.outputs / "w_3_13_x86_64.zip").namelist()
    assert not any(name.startswith(("lib/", "python/donor")) for name in names)


def test_a_lock_without_the_donor_is_refused_with_the_way_out(layercraft: CommandLine, recipe: str) -> None:
    layercraft.must("lock", "--require", "plain", "--name", "p")
    ran = layercraft("build", recipe, "--lock", "pylock.p_3_13_x86_64.toml")
    assert ran.code == 1
    assert ran.lines == [
        "error: pylock.p_3_13_x86_64.toml: it has no wheel for donor, which [files] takes a file of",
        "hint: make another with `layercraft lock w -r 3.13 -a x86_64`",
    ]


def test_a_plan_foresees_the_files(layercraft: CommandLine, recipe: str) -> None:
    (planned,) = layercraft.must("plan", recipe, "--json").document["plans"]
    (built,) = layercraft.must("build", recipe, "--json").document["layers"]
    assert planned["sizes"]["unzipped"] == built["sizes"]["unzipped"]
    assert [donor["name"] for donor in built["build"]["donors"]] == ["donor"]


def test_a_file_that_the_recipe_lacks_is_told_before_anything_is_asked(
    layercraft: CommandLine, index: LocalIndex, recipe: str
) -> None:
    (layercraft.folder / "layers/w/settings.json").unlink()
    ran = layercraft("build", recipe)
    assert ran.code == 2
    assert "files.python/settings.json: there is no file settings.json in " in ran.lines[0]
    assert not index.requests
