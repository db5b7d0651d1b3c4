"""Builds the layers of the corpus with layercraft itself, each one once, from the real index."""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import tomli_w
from local_index import LocalIndex
from wheelhouse import WheelDraft

from layercraft import (
    BuildOptions,
    Target,
    build,
    find_recipe,
    open_sources,
    read_recipe,
    shipped_layers,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from layercraft import Recipe, Sources


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerDraft:
    """A layer to be built; two drafts with one name are the same layer.

    Attributes:
        name: the layer's name; without requirements, that of a shipped recipe.
        requires: the lines of requirements.txt.
        runtime: what it is built for.
        architecture: what it is built for.
        glibc: the newest glibc that its wheels may want, where the tool that chose them did not ask
            for the runtime's.
        remove: globs in layer.toml.
        exclude: distributions that layer.toml keeps out.
        script: the text of cleanup.sh.
        made: the source of a module that goes into a wheel of its own, named like the layer.
        mode: the mode of all files, where the zip was written anew without layercraft.
    """

    name: str
    requires: tuple[str, ...] = ()
    runtime: str = "3.12"
    architecture: str = "x86_64"
    glibc: tuple[int, int] | None = None
    remove: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    script: str = ""
    made: str = ""
    mode: int = 0

    @property
    def target(self) -> Target:
        """What its wheels are chosen for."""
        target = Target.parse(self.runtime, self.architecture)
        return replace(target, runtime=replace(target.runtime, glibc=self.glibc or target.runtime.glibc))

    @property
    def settings(self) -> Mapping[str, object]:
        """What its layer.toml says, if there is one."""
        exclude = {"exclude": list(self.exclude)} if self.exclude else {}
        return exclude | ({"cleanup": {"remove": list(self.remove)}} if self.remove else {})


class Workshop:
    """Builds layers below `folder`, with wheels from `sources` and programs on `search_path`."""

    def __init__(self, folder: Path, sources: Sources, search_path: str) -> None:
        self.sources = sources
        self._folder = folder
        self._options = BuildOptions(search_path=search_path)
        self._built: dict[str, Path] = {}

    def layer(self, draft: LayerDraft) -> Path:
        """Give the zip of a layer, with its record and lock beside it."""
        if draft.name not in self._built:
            self._built[draft.name] = self._build(draft)
        return self._built[draft.name]

    def _build(self, draft: LayerDraft) -> Path:
        folder = self._folder / draft.name
        options = replace(self._options, output=folder / "outputs")
        if draft.made:
            wheel = WheelDraft(name=draft.name, files={f"{draft.name}.py": draft.made.encode()})
            with (
                LocalIndex(wheels=[wheel]) as index,
                open_sources(cache_dir=folder / "cache", index_url=index.url) as sources,
            ):
                return build(_recipe(draft, folder), draft.target, options, sources=sources).zip
        path = build(_recipe(draft, folder), draft.target, options, sources=self.sources).zip
        if draft.mode:
            _write_anew(path, draft.mode)
        return path


def _recipe(draft: LayerDraft, folder: Path) -> Recipe:
    """Give a shipped recipe, or write one as users do."""
    requires = (draft.name,) if draft.made else draft.requires
    if not requires:
        return find_recipe(draft.name, [shipped_layers()])
    written = folder / draft.name
    written.mkdir(parents=True)
    (written / "requirements.txt").write_text("\n".join(requires), encoding="utf-8")
    if draft.settings:
        (written / "layer.toml").write_text(tomli_w.dumps(draft.settings), encoding="utf-8")
    if draft.script:
        (written / "cleanup.sh").write_text(draft.script, encoding="utf-8")
    return read_recipe(written)


def _write_anew(path: Path, mode: int) -> None:
    """Write a zip again with one mode for all its files, as a few lines of Python do."""
    old = path.with_suffix(".old")
    shutil.move(path, old)
    with zipfile.ZipFile(old) as reader, zipfile.ZipFile(path, "w") as writer:
        for info in reader.infolist():
            again = zipfile.ZipInfo(info.filename)
            again.external_attr = (0o100000 | mode) << 16
            writer.writestr(again, reader.read(info), info.compress_type)
    old.unlink()
