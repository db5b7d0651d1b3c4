"""PEP 751 lock files: our own, and those that other tools write."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from packaging.pylock import Pylock
from packaging.utils import canonicalize_name

from layercraft.errors import BadLockError
from layercraft.resolution.lockfile import read_lock, recorded_target, to_toml
from layercraft.resolution.pins import Lock, Pin, lock_name
from layercraft.target import Target, architectures, runtimes

if TYPE_CHECKING:
    from pathlib import Path

TARGET = Target.parse("3.13", "x86_64")
ARM = Target.parse("3.13", "arm64")
OLDER = Target.parse("3.12", "x86_64")
EVERY = [Target(runtime=runtime, architecture=each) for runtime in runtimes() for each in architectures()]
SHA256 = "0123456789abcdef" * 4


def pin(name: str, *requires: str, url: str = "https://files.example/{}") -> Pin:
    filename = f"{name}-1.0-py3-none-any.whl"
    return Pin(
        name=canonicalize_name(name),
        version="1.0",
        filename=filename,
        url=url.format(filename),
        path=None,
        sha256=SHA256,
        size=1234,
        requires=tuple(map(canonicalize_name, requires)),
    )


LOCK = Lock(
    target=TARGET,
    pins=(pin("a", "b", "c"), pin("b"), pin("c", "b")),
    requirements=("a[x]>=1", "b; sys_platform == 'linux'"),
    constraints=("c>=1",),
    donors=(pin("d"),),
    excluded=(canonicalize_name("gone"),),
)


def written(folder: Path, text: str, name: str = "pylock.toml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, to_toml(LOCK))
    assert read_lock(path, TARGET) == LOCK
    assert recorded_target(path) == ("python3.13", "x86_64")


@pytest.mark.parametrize("target", EVERY, ids=str)
def test_a_lock_fits_the_target_it_was_made_for_and_no_other(target: Target, tmp_path: Path) -> None:
    lock = Lock(target=target, pins=LOCK.pins)
    path = written(tmp_path, to_toml(lock), lock_name("any", target))
    assert read_lock(path, target) == lock
    for other in EVERY:
        if other != target:
            with pytest.raises(BadLockError):
                read_lock(path, other)


def test_the_same_lock_gives_the_same_text() -> None:
    text = to_toml(LOCK)
    assert to_toml(LOCK) == text
    assert text.startswith('lock-version = "1.0"\n')
    assert "\r" not in text


def test_other_tools_can_read_the_lock() -> None:
    import tomllib

    pylock = Pylock.from_dict(tomllib.loads(to_toml(LOCK)))
    selected = pylock.select(environment=dict(TARGET.markers))  # type: ignore[arg-type]
    assert [package.name for package, _ in selected] == ["a", "b", "c"]
    assert [package.name for package in pylock.packages] == ["a", "b", "c", "d"]


@pytest.mark.parametrize("name", ["zope.interface", "sklearn", "a.b.c"])
def test_a_locks_name_holds_no_dots(name: str) -> None:
    assert lock_name(name, ARM) == f"pylock.{name.replace('.', '-')}_3_13_arm64.toml"


def test_credentials_never_land_in_a_lock() -> None:
    secret = Lock(target=TARGET, pins=(pin("a", url="https://user:secret@files.example:8080/{}?x=1"),))
    text = to_toml(secret)
    assert "secret" not in text
    assert "https://files.example:8080/a-1.0-py3-none-any.whl?x=1" in text


def test_a_lock_for_another_target_says_for_which_and_what_to_do(tmp_path: Path) -> None:
    path = written(tmp_path, to_toml(Lock(target=ARM, pins=LOCK.pins)))
    with pytest.raises(
        BadLockError, match=r"does not fit python3.12 x86_64: it was made for python3.13 arm64"
    ) as caught:
        read_lock(path, OLDER)
    assert "-r 3.12 -a x86_64" in (caught.value.hint or "")


def test_a_lock_of_this_very_target_that_was_edited_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    text = to_toml(LOCK)
    packages, tool = text.split("[tool.", 1)
    twice = packages + packages[packages.index("[[packages]]") :] + "[tool." + tool
    with pytest.raises(BadLockError, match=r"does not fit (?!.*it was made for).*Multiple packages"):
        read_lock(written(tmp_path, twice), LOCK.target)


FOREIGN = f"""
lock-version = "1.0"
created-by = "uv"
requires-python = ">=3.9"

[[packages]]
name = "numpy"
version = "2.2.6"
index = "https://index.example/simple"
sdist = {{ url = "https://files.example/numpy-2.2.6.tar.gz", hashes = {{ sha256 = "{SHA256}" }} }}
wheels = [
    {{ url = "https://files.example/numpy-2.2.6-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", size = 12, hashes = {{ sha256 = "{"1" * 64}" }} }},
    {{ url = "https://files.example/numpy-2.2.6-cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64.whl", size = 13, hashes = {{ sha256 = "{"2" * 64}", md5 = "x" }} }},
    {{ url = "https://files.example/numpy-2.2.6-cp313-cp313-manylinux_2_28_x86_64.whl", size = 14, hashes = {{ sha256 = "{"3" * 64}" }} }},
    {{ url = "https://files.example/numpy-2.2.6-cp313-cp313-manylinux_2_28_aarch64.whl", size = 15, hashes = {{ sha256 = "{"4" * 64}" }} }},
    {{ url = "https://files.example/numpy-2.2.6-cp313-cp313-musllinux_1_2_x86_64.whl", size = 16, hashes = {{ sha256 = "{"5" * 64}" }} }},
    {{ url = "https://files.example/numpy-2.2.6-cp313-cp313-win_amd64.whl", size = 17, hashes = {{ sha256 = "{"6" * 64}" }} }},
]

[[packages]]
name = "colorama"
version = "0.4.6"
marker = "sys_platform == 'win32'"
wheels = [{{ url = "https://files.example/colorama-0.4.6-py2.py3-none-any.whl", hashes = {{ sha256 = "{SHA256}" }} }}]

[[packages]]
name = "old"
version = "1"
marker = "python_full_version < '3.13'"
wheels = [{{ url = "https://files.example/old-1-py3-none-any.whl", hashes = {{ sha256 = "{SHA256}" }} }}]

[[packages]]
name = "dev-only"
version = "1"
marker = "'dev' in dependency_groups or 'extra' in extras"
wheels = [{{ url = "https://files.example/dev_only-1-py3-none-any.whl", hashes = {{ sha256 = "{SHA256}" }} }}]

[[packages]]
name = "local-wheel"
wheels = [{{ path = "wheels/local_wheel-1.5-py3-none-any.whl", hashes = {{ sha256 = "{SHA256.upper()}" }} }}]

[tool.uv]
anything = true
"""  # noqa: E501 (as tools write it)


def test_any_tools_lock_is_taken_with_wheels_chosen_for_the_target(tmp_path: Path) -> None:
    path = written(tmp_path, FOREIGN)
    lock = read_lock(path, TARGET)
    assert [(each.name, each.version) for each in lock.pins] == [("local-wheel", "1.5"), ("numpy", "2.2.6")]
    local, numpy = lock.pins
    assert numpy.filename == "numpy-2.2.6-cp313-cp313-manylinux_2_28_x86_64.whl"
    assert (numpy.sha256, numpy.size, numpy.path) == ("3" * 64, 14, None)
    assert (local.path, local.url, local.sha256) == (tmp_path / "wheels" / local.filename, None, SHA256)
    assert (lock.requirements, lock.excluded) == ((), ())
    assert recorded_target(path) is None


@pytest.mark.parametrize(
    ("target", "chosen"),
    [(ARM, "4"), (OLDER, "1"), (Target.parse("3.12", "x86_64"), "1")],
)
def test_one_lock_of_another_tool_serves_many_targets(target: Target, chosen: str, tmp_path: Path) -> None:
    pins = {each.name: each for each in read_lock(written(tmp_path, FOREIGN), target).pins}
    assert pins[canonicalize_name("numpy")].sha256 == chosen * 64
    assert ("old" in pins) == (target == OLDER)


def test_a_local_wheel_stays_found_when_the_lock_is_written_elsewhere(tmp_path: Path) -> None:
    lock = read_lock(written(tmp_path, FOREIGN), TARGET)
    (tmp_path / "outputs").mkdir()
    again = read_lock(written(tmp_path / "outputs", to_toml(lock)), TARGET)
    assert again == lock


HEAD = 'lock-version = "1.0"\ncreated-by = "hand"\n'


def package(
    *, name: str = "a", file: str = "a-1-py3-none-any.whl", hashes: str | None = None, more: str = ""
) -> str:
    digests = f'sha256 = "{SHA256}"' if hashes is None else hashes
    return (
        f'{HEAD}{more}\n[[packages]]\nname = "{name}"\n[[packages.wheels]]\nname = "{file}"\n'
        f'url = "https://files.example/x"\nhashes = {{ {digests} }}\n'
    )


SOURCES = {
    "sdist": 'sdist = { url = "https://files.example/a-1.tar.gz", hashes = { sha256 = "00" } }',
    "directory": 'directory = { path = "a" }',
    "vcs": 'vcs = { type = "git", url = "https://git.example/a", commit-id = "00" }',
    "archive": 'archive = { url = "https://files.example/a-1.zip", hashes = { sha256 = "00" } }',
}


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_what_is_no_wheel_is_refused_by_name(source: str, tmp_path: Path) -> None:
    path = written(tmp_path, f'{HEAD}[[packages]]\nname = "a"\nversion = "1"\n{source}\n')
    with pytest.raises(
        BadLockError, match=r"a 1 has no wheel for python3.13 x86_64, only a source"
    ) as caught:
        read_lock(path, TARGET)
    assert "wheels only" in (caught.value.hint or "")


BAD = {
    "broken TOML": ("lock-version = ", "not valid TOML"),
    "no lock": ('[project]\nname = "a"', "not a valid lock file"),
    "a newer format": ('lock-version = "2.0"\ncreated-by = "x"\npackages = []', "not a valid lock file"),
    "packages of a wrong type": (f"{HEAD}packages = 5", "not a valid lock file"),
    "a version that is none": (f'{HEAD}[[packages]]\nname = "a"\nversion = "one"', "not a valid lock file"),
    "another Python": (package(more='requires-python = "<3.13"'), "does not fit python3.13 x86_64: .*<3.13"),
    "other environments": (
        package(more="environments = [\"sys_platform == 'win32'\", \"sys_platform == 'darwin'\"]"),
        "does not fit python3.13 x86_64: .*environments",
    ),
    "wheels of other platforms": (package(file="a-1-cp313-cp313-win_amd64.whl"), "does not fit .*No wheel"),
    "no hash": (package(hashes=""), "not a valid lock file"),
    "no sha256": (package(hashes='md5 = "00"'), "a-1-py3-none-any.whl has no sha256"),
    "a sha256 that is none": (package(hashes='sha256 = "zz"'), "a-1-py3-none-any.whl has no sha256"),
    "a sha256 with a path": (package(hashes='sha256 = "../../x"'), "a-1-py3-none-any.whl has no sha256"),
    "a file name with a path": (package(file="../a-1-py3-none-any.whl"), "not a valid lock file"),
    "a file name with an absolute path": (package(file="/a/a-1-py3-none-any.whl"), "not a valid lock file"),
    "a file name with a backslash": (package(file="..\\\\a-1-py3-none-any.whl"), "not a valid lock file"),
    "a path in the platform": (package(file="a-1-py3-none-any.x/../../y.whl"), "not a valid lock file"),
    "a path in the build tag": (package(file="a-1-1/../y-py3-none-any.whl"), "no file name of a wheel"),
    "what moves a terminal": (package(file="a-1-1\\u001b[2J-py3-none-any.whl"), "no file name of a wheel"),
    "no wheel": (package(file="a-1.exe"), "not a valid lock file"),
    "another package": (package(file="b-1-py3-none-any.whl"), "not a valid lock file"),
    "a name that is not normalized": (package(name="A"), "not a valid lock file"),
    "a marker without sense": (package(more="environments = [\"python_version ~= 'x'\"]"), "marker"),
    "two of one name": (package() + package().removeprefix(HEAD), "does not fit"),
}


@pytest.mark.parametrize(("text", "why"), BAD.values(), ids=BAD)
def test_a_bad_lock_is_refused_with_its_path(text: str, why: str, tmp_path: Path) -> None:
    path = written(tmp_path, text)
    with pytest.raises(BadLockError, match=rf"pylock\.toml: .*{why}"):
        read_lock(path, TARGET)


@pytest.mark.parametrize("name", ["requirements.txt", "pylock.a.b.toml", "uv.lock", "pylock.toml.bak"])
def test_a_lock_file_has_the_name_that_pep_751_gives(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadLockError, match=r"is named pylock.toml or pylock.NAME.toml"):
        read_lock(written(tmp_path, to_toml(LOCK), name), TARGET)


def test_a_missing_lock_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadLockError, match="cannot be read: no such file"):
        read_lock(tmp_path / "pylock.toml", TARGET)


@pytest.mark.parametrize("encoded", [b"\xff\xfe\x00", b"\x00"])
def test_bytes_that_are_no_text_are_refused(encoded: bytes, tmp_path: Path) -> None:
    path = tmp_path / "pylock.toml"
    path.write_bytes(encoded)
    with pytest.raises(BadLockError, match="not valid TOML"):
        read_lock(path, TARGET)


@pytest.mark.parametrize(
    "tool",
    [
        "tool = 5",
        "tool = { layercraft = 5 }",
        "tool = { layercraft = { runtime = 3, requirements = 'abc', excluded = {} } }",
        "tool = { layercraft = { requirements = [1], excluded = ['A_b'] } }",
    ],
)
def test_odd_notes_of_a_tool_raise_nothing_else(tool: str, tmp_path: Path) -> None:
    path = written(tmp_path, package(more=tool))
    for read in (lambda: read_lock(path, TARGET).pins, lambda: recorded_target(path)):
        try:
            read()
        except BadLockError as error:
            assert "not a valid lock file" in error.message  # noqa: PT017 (raised or not, both are right)


@pytest.mark.parametrize(
    ("requirements", "requested"),
    [
        (("A.pp>=1", "lib; python_version > '3'", "kept-out"), ("a-pp", "lib")),
        ((), ("a-pp", "other")),
        (("no requirement!",), ("a-pp", "other")),
    ],
)
def test_what_was_asked_for_is_in_the_requirements_or_required_by_nobody(
    requirements: tuple[str, ...], requested: tuple[str, ...]
) -> None:
    pins = (pin("a-pp", "lib", "missing"), pin("lib"), pin("other", "other"))
    assert Lock(target=TARGET, pins=pins, requirements=requirements).requested == requested


def test_where_all_require_each_other_all_were_asked_for() -> None:
    assert Lock(target=TARGET, pins=(pin("a", "b"), pin("b", "a"))).requested == ("a", "b")
