"""Which suspected files are needed all the same, because modules that stay import them.

Sources are parsed, never run, and the grammar of the Python that runs this is not asked. Imports count
wherever they stand, in functions and in `try` too, save under conditions that are false on Lambda, such
as TYPE_CHECKING. So do names of modules in strings: `import_module("a.tests")`, tables of lazy loaders,
and entry points. Data stays where a source that reads files names its folder: `files("a") / "tests"`. So
does a source that another one names by its path.
"""

from __future__ import annotations

import hashlib
import re
from itertools import chain
from typing import TYPE_CHECKING

from layercraft.formats.python_imports import When, mentioned_modules, mentions, read_imports, resolve
from layercraft.formats.python_source import UnreadableSourceError, decoded, logical_lines
from layercraft.layer.contents import Contents
from layercraft.layer.importable import Importable
from layercraft.layer.unpacked import folders_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from layercraft.host.cache import Cache
    from layercraft.layer.tree import Tree
    from layercraft.target import Target

FORMAT = 5
"""Another number when the same tree may get another answer, so that the cache's is not taken."""

_ROOT = "python"
_STRING = re.compile(r'"([\w.]+)"')
_LOADS_BY_NAME = re.compile(r"\b(?:attach|import_module|__import__|__all__|_?submodules)\b")
_LOADS_ANY = re.compile(rb"\b(?:import_module|__import__)\b")
_BEGINNING = re.compile(rb"[\"']([\w.]*\w)\.(?=[{%\"'])")  # of f"a.tests.{name}" and "a.tests." + name
_PATH = re.compile(  # behind a quote, and within f"{here}/a", "%s/a" and "%(here)s/a"
    rb"""(?:["'}]|%s(?=/)|\)s(?=/))([\w./+-]+(?:["']\s*[,/]\s*["'][\w./+-]+)*)(["']?)"""
)
_SLASH = re.compile(r"""["']\s*/\s*["']""")  # between the parts of "a" / "b"
_COMMA = re.compile(r"""["']\s*,\s*["']""")  # of join("a", "b"), but of open("a/b", "r") too
_LONG_STRING = re.compile(rb"""(\"{3}|'{3}).*?\1""", re.DOTALL)  # most are docstrings
_READS_FILES = re.compile(rb"__file__|__path__|importlib(?:[._]|\s+import\s+)resources|pkgutil")
_ENTRY_POINTS = ".dist-info/entry_points.txt"
_ENTRY_MODULE = re.compile(r"^[^=\n]+=\s*([\w.]+)", re.MULTILINE)
_LARGEST = 32 << 20  # bytes; a larger module is data
_MOST_PARTS = 12  # of a path; a table of thousands of names has commas between them too


def needed_files(
    tree: Tree, suspects: Collection[str], *, target: Target, cache: Cache | None = None
) -> Collection[str]:
    """Give those of the suspected paths that must stay.

    The tree's other modules are the roots; what a needed module imports is needed too. With a module
    that seems to read files, and with a compiled one, which cannot be parsed, its whole folder stays.
    The cache remembers the answer for these very files.

    Raises:
        BadWheelError: a source is not what its wheel's headers tell.
        OutputError: a source that a script left is gone, or the cache cannot be written.
    """
    key = _key(tree, suspects, target) if cache else ""
    known = cache.read("needed", key) if cache else None
    if known is not None:
        return [path for path in known.decode().split("\0") if path]
    with Contents() as contents:
        found = ImportGraph(tree, suspects, target, contents).needed()
    if cache:
        cache.write("needed", key, "\0".join(found).encode())
    return found


def _key(tree: Tree, suspects: Collection[str], target: Target) -> str:
    """Give the sha256 over all that decides the answer."""
    digest = hashlib.sha256(f"{FORMAT} {target.runtime.name}\n".encode())
    for path, entry in tree.entries.items():
        digest.update(f"{path}\0{entry.size} {entry.crc} {path in suspects}\n".encode())
    return digest.hexdigest()


class ImportGraph:
    """Reads the sources of a tree, through `contents`, as far as they may lead to suspects."""

    def __init__(self, tree: Tree, suspects: Collection[str], target: Target, contents: Contents) -> None:
        self._tree = tree
        self._suspects = frozenset(suspects)
        self._version = target.runtime.version
        self._contents = contents
        self._importable = Importable(tree.entries, (), target)
        self._modules: dict[str, list[str]] = {}
        for path in sorted(suspects):
            if named := self._importable.named(path):
                self._modules.setdefault(named.module, []).append(path)
        kept_folders = folders_of(tree.entries.keys() - suspects)
        self._folders = folders_of(suspects) - kept_folders  # in which all is suspected
        self._namespaces = self._folders_as_modules()
        words = {_outermost(path, kept_folders) for path in suspects}
        self._word = re.compile(rb"\b(?:%s)\b" % b"|".join(re.escape(word) for word in sorted(words)))
        self._needed: dict[str, None] = {}
        self._waiting: list[str] = []

    def needed(self) -> Collection[str]:
        """Give the suspects that must stay, in the order in which they were found."""
        for path in self._tree.entries:
            if path in self._suspects:
                continue
            if path.endswith(_ENTRY_POINTS):
                self._need(_ENTRY_MODULE.findall(decoded(self._read(path))))
            elif path.endswith(".py"):
                source = self._read(path)
                if self._word.search(source) and self._may_name_suspects(source):
                    self._follow(path, source)
        while self._waiting:
            path = self._waiting.pop()
            self._follow(path, self._read(path))
        return self._needed.keys()

    def _folders_as_modules(self) -> dict[str, str]:
        """Give the folders that are packages without a source (PEP 420), by their names as modules."""
        named = {folder: self._importable.named(f"{folder}/__init__.py") for folder in self._folders}
        return {
            each.module: folder for folder, each in named.items() if each and each.module not in self._modules
        }

    def _may_name_suspects(self, source: bytes) -> bool:
        """Tell by a cheap look whether a source from outside of the suspected folders may import them.

        Whoever does must write the name of the outermost folder.
        """
        if any(self._word.search(mention) for mention in mentions(source)):
            return True
        return any(source[m.start() - 1 : m.start()] in b"\"'./}" for m in self._word.finditer(source))

    def _read(self, path: str) -> bytes:
        entry = self._tree.entries[path]
        return bytes(self._contents.plain(entry.content)) if entry.size <= _LARGEST else b""

    def _follow(self, path: str, source: bytes) -> None:
        named = self._importable.named(path)
        if named:
            self._need(self._imported(source, named.package))
        if _READS_FILES.search(source):
            self._keep_data(path, source)

    def _imported(self, source: bytes, package: str) -> Iterator[str]:
        """Give the modules that a source of this package may import; `a.*` stands for all of `a`."""
        try:
            for each in read_imports(source, self._version):
                module = resolve(each.module, package) if each.when is not When.NEVER else None
                children = [f"{module}.{name}" for name in each.names]
                if module and not (module in self._namespaces and self._modules.keys() & {*children}):
                    yield module
                yield from children if module else ()
            found = self._in_strings(source)
        except UnreadableSourceError:
            found = (module for mention in mentions(source) for module in mentioned_modules(mention))
        begun = _BEGINNING.findall(_LONG_STRING.sub(b"", source)) if _LOADS_ANY.search(source) else ()
        every = (f"{text.decode()}.*" for text in begun if self._word.search(text))
        yield from filter(None, (resolve(module, package) for module in chain(found, every)))

    def _in_strings(self, source: bytes) -> Iterator[str]:
        for line in logical_lines(decoded(source)):
            texts = [text for text in _STRING.findall(line.text) if self._word.search(text.encode())]
            by_name = _LOADS_BY_NAME.search(line.text)
            for text in texts:
                if by_name or "." in text:
                    yield text
                    yield f".{text}"

    def _need(self, modules: Iterable[str]) -> None:
        """Let these modules stay, with the packages that they are in."""
        for module in modules:
            parts = module.split(".")
            if parts[-1] == "*":
                self._keep_all(_folder(self._modules.get(module[:-2], ())))
            for count in range(1, len(parts) + 1):
                name = ".".join(parts[:count])
                for path in self._modules.get(name, ()):
                    self._keep(path)
            self._keep_all(self._namespaces.get(module))

    def _keep(self, path: str) -> None:
        if path in self._needed:
            return
        self._needed[path] = None
        if not path.endswith(".py"):
            if self._importable.named(path):
                self._keep_all(_folder([path]))
            return
        self._waiting.append(path)
        if _READS_FILES.search(self._read(path)):
            self._keep_all(_folder([path]), only_data=True)

    def _keep_data(self, path: str, source: bytes) -> None:
        """Let data stay that a source names, or whose folder: by a package, or by a path from one above."""
        parents = sorted(folders_of([path]))
        for match in _PATH.finditer(_LONG_STRING.sub(b"", source)):
            if self._word.search(match[0]):
                for name in _paths(match[1].decode(), whole=bool(match[2])):
                    package, slash, rest = name.partition("/")
                    named = f"{_ROOT}/{package.replace('.', '/')}{slash}{rest}"
                    for place in (named, *(f"{each}/{name}" for each in parents)):
                        self._keep_all(place, only_data=True)
                        if place in self._suspects:
                            self._keep(place)

    def _keep_all(self, folder: str | None, *, only_data: bool = False) -> None:
        """Let the suspects in and below a folder stay, if there is nothing else in it."""
        if folder not in self._folders:
            return
        for path in sorted(self._suspects):
            if path.startswith(f"{folder}/") and not (only_data and self._importable.named(path)):
                self._keep(path)


def _paths(text: str, *, whole: bool) -> Iterable[str]:
    """Give the paths that strings with commas or slashes between them may stand for.

    A comma may join parts, as in `join("a", "b")`, or not, as in `open("a/b", "r")`: so what stands
    before, between and behind commas may be a path too, unless it is a single name: else
    `join("tests", "made", "later")` would name "tests". Of a text that is not whole, for it ends in what
    only a run can tell, the folder is taken.
    """
    parts = _COMMA.split(_SLASH.sub("/", text))
    if not whole:
        parts[-1] = parts[-1].rpartition("/")[0]
    runs = (parts[count : count + _MOST_PARTS] for count in range(len(parts)))
    ends = ("/".join(filter(None, run)).strip("./") for run in runs)
    alone = (part.strip("./") for part in parts)
    return dict.fromkeys([next(ends), *(path for path in chain(ends, alone) if "/" in path)])


def _folder(paths: Sequence[str]) -> str | None:
    return paths[0].rpartition("/")[0] if paths else None


def _outermost(path: str, kept_folders: Collection[str]) -> bytes:
    """Give the name of the outermost folder of a path that holds nothing but suspects, else its module's."""
    parts = path.split("/")
    for count in range(1, len(parts)):
        if "/".join(parts[:count]) not in kept_folders:
            return parts[count - 1].encode()
    return parts[-1].partition(".")[0].encode()
