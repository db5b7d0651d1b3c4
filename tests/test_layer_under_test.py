from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from elf_files import AARCH64, ElfDraft
from layer_zips import EXTENSION, PACKAGE, TARGET, LayerDraft, distribution

from layercraft.errors import BadLockError, UsageError
from layercraft.host.cache import Cache
from layercraft.layer.record import read_build_record, write_build_record
from layercraft.resolution.lockfile import to_toml
from layercraft.resolution.pins import Lock, Pin
from layercraft.target import Target
from layercraft.verification.layer import read_layer

if TYPE_CHECKING:
    from pathlib import Path

PINNED = LayerDraft(
    files=PACKAGE,
    removed={"**/tests/": ["python/demo/tests/__init__.py", "python/demo/kept.py"]},
    pins=[("demo", "1.0", "ab" * 32)],
)


def lock_for(zip_path: Path, target: Target = TARGET) -> Path:
    pin = Pin(
        name="demo",  # type: ignore[arg-type]
        version="2.0",
        filename="demo-2.0-py3-none-any.whl",
        url="https://files.example/demo-2.0-py3-none-any.whl",
        path=None,
        sha256="cd" * 32,
        size=None,
    )
    path = zip_path.with_name(f"pylock.{zip_path.stem}.toml")
    path.write_text(to_toml(Lock(target=target, pins=(pin,))), encoding="utf-8")
    return path


def test_a_record_tells_target_wheels_and_what_was_removed(tmp_path: Path) -> None:
    layer = read_layer(PINNED.write(tmp_path))

    assert layer.target == TARGET
    assert layer.distributions == (("demo", "1.0"),)
    assert layer.pins_sha256 == ("ab" * 32,)
    assert layer.record is not None
    assert layer.blame("python/demo/tests/__init__.py") == (
        "removed by rule **/tests/ of layers/demo/layer.toml"
    )


def test_a_sha256_that_is_none_in_a_record_is_not_looked_up(tmp_path: Path) -> None:
    draft = replace(PINNED, removed={}, pins=[("demo", "1.0", "../../etc"), ("more", "2.0", "ab" * 32)])
    assert read_layer(draft.write(tmp_path)).pins_sha256 == ("", "ab" * 32)
    assert "broken-file" not in {
        each.kind for each in draft.outcome(tmp_path, Cache(tmp_path / "cache")).findings
    }


def test_what_came_back_is_not_removed(tmp_path: Path) -> None:
    layer = read_layer(PINNED.write(tmp_path))

    assert "python/demo/kept.py" not in layer.removed
    assert layer.blame("python/demo/kept.py") is None


def test_a_record_tells_what_was_asked_for(tmp_path: Path) -> None:
    pins = [("demo", "1.0", "ab" * 32), ("helper", "1.0", "cd" * 32)]
    path = LayerDraft(files=PACKAGE, pins=pins).write(tmp_path)
    record_path = path.with_suffix(".json")
    assert read_layer(path).requested == ("demo", "helper")  # a record of an older version

    write_build_record(replace(read_build_record(record_path), requested=("demo",)), record_path)
    assert read_layer(path).requested == ("demo",)


def test_a_target_that_is_given_comes_first(tmp_path: Path) -> None:
    target = Target.parse("3.13", "arm64")

    assert read_layer(PINNED.write(tmp_path), target).target == target


def test_a_record_of_another_zip_counts_as_absent(tmp_path: Path) -> None:
    path = PINNED.write(tmp_path)
    LayerDraft(files={**PACKAGE, "python/demo/more.py": b""}).write(tmp_path)
    lock_for(path)

    layer = read_layer(path)

    assert layer.record is None
    assert layer.removed == {}
    assert layer.distributions == (("demo", "2.0"),)


def test_without_a_record_the_lock_tells_target_and_wheels(tmp_path: Path) -> None:
    path = LayerDraft(files=PACKAGE).write(tmp_path)
    target = Target.parse("3.11", "arm64")
    lock_for(path, target)

    layer = read_layer(path)

    assert layer.target == target
    assert (layer.distributions, layer.pins_sha256) == ((("demo", "2.0"),), ("cd" * 32,))
    assert layer.requested == ("demo",)


def test_a_lock_for_another_target_is_left_alone(tmp_path: Path) -> None:
    path = LayerDraft(files=PACKAGE).write(tmp_path)
    lock_for(path, Target.parse("3.11", "arm64"))

    assert read_layer(path, TARGET).distributions == ()


def test_a_broken_lock_is_told(tmp_path: Path) -> None:
    path = LayerDraft(files=PACKAGE).write(tmp_path)
    path.with_name("pylock.demo.toml").write_text("]", encoding="utf-8")

    with pytest.raises(BadLockError, match=r"pylock\.demo\.toml"):
        read_layer(path)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({f"python/a{EXTENSION}": b""}, "python3.12 x86_64"),
        ({"python/a.cpython-39-aarch64-linux-gnu.so": b""}, "python3.9 arm64"),
        (
            {
                f"python/a{EXTENSION}": b"",
                f"python/b{EXTENSION}": b"",
                "python/c.cpython-311-aarch64-linux-gnu.so": b"",
            },
            "python3.12 x86_64",
        ),
        (
            {"python/lib/python3.13/site-packages/a.abi3.so": ElfDraft(machine=AARCH64).packed()},
            "python3.13 arm64",
        ),
    ],
)
def test_else_the_compiled_modules_tell_the_target(
    tmp_path: Path, files: dict[str, bytes], expected: str
) -> None:
    assert str(read_layer(LayerDraft(files=files).write(tmp_path)).target) == expected


@pytest.mark.parametrize(
    ("files", "what"),
    [
        (PACKAGE, "which Python and machine"),
        ({"python/a.abi3.so": ElfDraft().packed()}, "which Python it"),
        ({"python/lib/python3.13/site-packages/a.py": b""}, "which machine"),
    ],
)
def test_a_layer_that_tells_no_target_is_a_wrong_question(
    tmp_path: Path, files: dict[str, bytes], what: str
) -> None:
    path = LayerDraft(files=files).write(tmp_path)

    with pytest.raises(UsageError, match=what) as caught:
        read_layer(path)
    assert "--runtime" in (caught.value.hint or "")


def test_distributions_are_those_of_the_zip_when_nothing_else_tells(tmp_path: Path) -> None:
    files = {**distribution("Big-Demo", "1.5", {}), **distribution("other", "2", {})}

    layer = read_layer(LayerDraft(files=files).write(tmp_path), TARGET)

    assert layer.distributions == (("big-demo", "1.5"), ("other", "2"))
    assert layer.requested == ("big-demo", "other")


def test_what_a_package_carries_inside_of_itself_is_no_distribution(tmp_path: Path) -> None:
    """Of setuptools/_vendor, importlib.metadata knows nothing."""
    vendored = {
        path.replace("python/", "python/demo/_vendor/"): data
        for path, data in distribution("inner", "3", {"inner.py": b""}).items()
    }
    draft = LayerDraft(files={**distribution("demo", "1", {"demo/__init__.py": b""}), **vendored})

    assert read_layer(draft.write(tmp_path), TARGET).distributions == (("demo", "1"),)
    assert draft.outcome(tmp_path).findings == ()


@pytest.mark.parametrize("root", ["python", "python/lib/python3.12/site-packages"])
def test_distributions_of_both_folders_on_the_path_count(tmp_path: Path, root: str) -> None:
    files = {path.replace("python", root): data for path, data in distribution("demo", "1", {}).items()}

    assert read_layer(LayerDraft(files=files).write(tmp_path), TARGET).distributions == (("demo", "1"),)


@pytest.mark.parametrize("data", [b"", b"no zip", b"PK\x05\x06" + b"\0" * 17])
def test_what_is_no_zip_is_refused_in_one_line(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "demo.zip"
    path.write_bytes(data)

    with pytest.raises(UsageError, match=r"demo\.zip"):
        read_layer(path, TARGET)


def test_a_missing_zip_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"demo\.zip cannot be read: no such file"):
        read_layer(tmp_path / "demo.zip", TARGET)
