"""What AWS Lambda makes of the zip as a whole: its size, its folders, who may read it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from layercraft.target import UNZIPPED_LIMIT
from layercraft.verification.report import STATIC, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from layercraft.target import Target
    from layercraft.verification.zip_contents import ZipContents

# Folders of a layer that Lambda puts on the search paths of programs and libraries, for any runtime.
_OTHER_FOLDERS = ("bin", "lib")
_READ, _ENTER = 0o004, 0o005


def check_layout(contents: ZipContents, target: Target) -> Iterator[Finding]:
    """Judge a layer's zip without looking into its files."""
    if contents.size > UNZIPPED_LIMIT:
        yield Finding(
            engine=STATIC,
            kind="too-large",
            subject=contents.path.name,
            cause=f"unzipped it has {contents.size:,} bytes, and Lambda takes {UNZIPPED_LIMIT:,}",
            remedy="remove files, or split the layer: the limit is for a function with all its layers",
        )
    yield from _unreadable(contents)
    yield from _misplaced(contents, target)


def _unreadable(contents: ZipContents) -> Iterator[Finding]:
    files = ((path, line.mode, _READ) for path, line in contents.listed.items())
    folders = ((path, line.mode, _ENTER) for path, line in contents.folders.items())
    for path, mode, needed in (*files, *folders):
        # A zip made without Unix modes has zeros, and its files are unpacked with the usual ones.
        if mode and mode & needed != needed:
            yield Finding(
                engine=STATIC,
                kind="bad-mode",
                subject=path,
                cause=f"its mode is {mode:04o}, and functions run as another user than the owner of /opt",
                remedy="zip files with mode 0644 or 0755, folders with 0755",
            )


def _misplaced(contents: ZipContents, target: Target) -> Iterator[Finding]:
    tops = Counter(path.partition("/")[0] for path in contents.listed)
    if "python" in tops:
        yield from _other_version(contents, target)
    elif not any(folder in tops for folder in _OTHER_FOLDERS):
        yield _wrong_layout(contents.path.name, _where(contents, tops))


def _where(contents: ZipContents, tops: Counter[str]) -> str:
    nested = [path for path in contents.listed if "/python/" in path]
    if nested and len(tops) == 1:
        return f"everything lies in {next(iter(tops))}/, so its python/ is no folder of sys.path"
    return "it has no folder python/ at its top, so nothing in it can be imported"


def _other_version(contents: ZipContents, target: Target) -> Iterator[Finding]:
    wanted = "python{}.{}".format(*target.runtime.version)
    parts = [path.split("/") for path in contents.listed if path.startswith("python/lib/python")]
    versions = {part[2] for part in parts if part[3:4] == ["site-packages"]}
    if versions and wanted not in versions:
        cause = f"{target.runtime.name} looks into python/lib/{wanted}/site-packages"
        yield _wrong_layout(f"python/lib/{min(versions)}", cause)
    inside = {path.split("/")[1] for path in contents.listed if path.startswith("python/")}
    if inside == {"python"}:
        yield _wrong_layout("python/python", "everything lies one folder too deep")


def _wrong_layout(subject: str, cause: str) -> Finding:
    return Finding(
        engine=STATIC,
        kind="wrong-layout",
        subject=subject,
        cause=cause,
        remedy="put packages into python/ at the top of the zip",
    )
