"""Requirements files as pip knows them: a pure parser of one, and a reader that follows `-r` and `-c`.

The format is pip's (https://pip.pypa.io/en/stable/reference/requirements-file-format/). What a layer
cannot be made of is refused with its line and the way out, all of it at once.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from layercraft.errors import RequirementError, reason_of
from layercraft.recipe.requirement_lines import decode, expand, logical_lines, quoted
from layercraft.recipe.requirement_lines import split_options as split
from layercraft.recipe.requirement_options import read_options
from layercraft.recipe.requirements import Requested, RequirementsInput, raise_together

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from layercraft.recipe.requirement_lines import LogicalLine

Kind = Literal["requirements", "constraints"]

_URL = re.compile(r"[a-z]\w+:", re.IGNORECASE)  # two letters at least: C:\base.txt is a path


@dataclass(frozen=True, slots=True, kw_only=True)
class Include:
    """Another file to read at this point."""

    kind: Kind
    path: str
    """As it is written: relative to the folder of the file that holds the line."""

    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A choice for the whole build."""

    name: Literal["index-url", "pre", "require-hashes"]
    value: str
    source: str


Entry = Requested | Include | Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedFile:
    """One file's lines in their order, and what is wrong with them."""

    entries: tuple[Entry, ...]
    problems: tuple[RequirementError, ...]


def parse_requirements(text: str, *, source: str, environment: Mapping[str, str]) -> ParsedFile:
    """Parse one requirements file's text; no other file is opened.

    `source` names the file in messages ("requirements.txt"), `environment` gives the values of `${NAME}`.
    Nothing is raised: each refused line becomes one of the problems.
    """
    entries: list[Entry] = []
    problems: list[RequirementError] = []
    for line in logical_lines(text):
        try:
            entries += _entries(line, f"{source}, line {line.number}", environment)
        except RequirementError as problem:
            problems.append(problem)
    return ParsedFile(entries=tuple(entries), problems=tuple(problems))


def read_requirements(path: Path, *, environment: Mapping[str, str]) -> RequirementsInput:
    """Read a requirements file and all that it includes, each relative to the file that names it.

    As in pip, what a `-c` includes are constraints, and what a `-r` includes are requirements, wherever
    the line stands.

    Raises:
        RequirementError: everything that is wrong, a line for each: a requirement that cannot work, a file
            that cannot be read or that includes itself, two different indexes, a missing hash. Or that no
            package is asked for at all.
    """
    reading = _Reading(environment=environment)
    reading.read(path, "requirements", "", ())
    found = reading.result()
    if not found.requirements:
        raise RequirementError(f"{path} asks for no package", hint="write the packages into it, one a line")
    return found


def read_constraints(path: Path, *, environment: Mapping[str, str]) -> RequirementsInput:
    """Read a file of constraints, which may be empty, and all that it includes.

    Raises:
        RequirementError: what read_requirements finds wrong, but for emptiness.
    """
    reading = _Reading(environment=environment)
    reading.read(path, "constraints", "", ())
    return reading.result()


def _entries(line: LogicalLine, source: str, environment: Mapping[str, str]) -> list[Entry]:
    """Read one line; all of its options, or its one requirement."""
    where = f"{source}: {quoted(line.text)}"
    try:
        text = expand(line.text, environment)
        if not text.startswith("-"):
            return [Requested.parse(text, source=source, shown=line.text)]
        return list(_settings(split(text)[1], source, where))
    except KeyError as missing:
        raise RequirementError(
            f"{where} needs the environment variable {missing.args[0]}, which is not set",
            hint="set it where the build runs",
        ) from None
    except ValueError as reason:
        raise RequirementError(f"{where} {reason}") from None


def _settings(words: list[str], source: str, where: str) -> Iterator[Include | Setting]:
    """Give what a line of options sets; refuse what a layer cannot follow."""
    for option, value in read_options(words):
        if option.effect == "refused":
            raise RequirementError(f"{where} {option.why}", hint=option.hint)
        if option.effect == "index-url" and not value.startswith(("https://", "http://")):
            raise RequirementError(f"{where} names an index that is neither http nor https")
        match option.effect:
            case "requirements" | "constraints" as kind:
                if _URL.match(value):
                    raise RequirementError(
                        f"{where} includes a file by its URL, and only files on disk are read",
                        hint="download it, and include the copy",
                    )
                yield Include(kind=kind, path=value, source=source)
            case "index-url" | "pre" | "require-hashes" as name:
                yield Setting(name=name, value=value, source=source)


@dataclass(slots=True, kw_only=True)
class _Reading:
    """Gathers what all files of one reading say."""

    environment: Mapping[str, str]
    found: dict[Kind, list[Requested]] = field(
        default_factory=lambda: {"requirements": [], "constraints": []}
    )
    files: list[Path] = field(default_factory=list)
    settings: dict[str, Setting] = field(default_factory=dict)
    problems: list[RequirementError] = field(default_factory=list)

    def read(self, path: Path, kind: Kind, asker: str, readers: tuple[Path, ...]) -> None:
        """Read one file as `kind`; `asker` is the line that names it, `readers` led here, outermost first."""
        actual = Path(os.path.realpath(path))
        if actual in readers:
            chain = " → ".join(one.name for one in (*readers[readers.index(actual) :], actual))
            self.problems.append(RequirementError(f"{asker}: the files include each other: {chain}"))
            return
        text = self._text(path, asker)
        if text is None:
            return
        self.files.append(path)
        parsed = parse_requirements(text, source=str(path), environment=self.environment)
        self.problems += parsed.problems
        for entry in parsed.entries:
            if isinstance(entry, Requested):
                self._keep(entry, kind)
            elif isinstance(entry, Include):
                included = Path(os.path.normpath(path.parent / entry.path))
                self.read(included, entry.kind, entry.source, (*readers, actual))
            else:
                self._set(entry)

    def result(self) -> RequirementsInput:
        """Give what was read, or raise all that is wrong."""
        if "require-hashes" in self.settings:
            self._check_hashes(self.settings["require-hashes"])
        raise_together(self.problems)
        index = self.settings.get("index-url")
        return RequirementsInput(
            requirements=tuple(self.found["requirements"]),
            constraints=tuple(self.found["constraints"]),
            index_url=index.value if index else None,
            prereleases="pre" in self.settings,
            require_hashes="require-hashes" in self.settings,
            files=tuple(self.files),
        )

    def _text(self, path: Path, asker: str) -> str | None:
        try:
            return decode(path.read_bytes())
        except OSError as error:
            reason = reason_of(error)
            told = f"{asker}: " if asker else ""
            self.problems.append(RequirementError(f"{told}cannot read {path}: {reason}"))
        except UnicodeDecodeError as error:
            number = error.object.count(b"\n", 0, error.start) + 1
            self.problems.append(
                RequirementError(
                    f"{path}, line {number}: the bytes are not {error.encoding}",
                    hint="save the file as UTF-8",
                )
            )
        except LookupError as error:
            self.problems.append(RequirementError(f"{path}: {error}", hint="save the file as UTF-8"))
        return None

    def _keep(self, entry: Requested, kind: Kind) -> None:
        if kind == "constraints" and (entry.requirement.extras or entry.url):
            what = "extras" if entry.requirement.extras else "an address"
            self.problems.append(
                RequirementError(
                    f"{entry.source}: {entry.name} is a constraint with {what}",
                    hint="a constraint only narrows versions; put it among the requirements",
                )
            )
        else:
            self.found[kind].append(entry)

    def _set(self, setting: Setting) -> None:
        first = self.settings.setdefault(setting.name, setting)
        if first.value != setting.value:
            self.problems.append(
                RequirementError(
                    f"{setting.source}: names another index than {first.source} does",
                    hint="give one index with --index-url; several are not supported yet",
                )
            )

    def _check_hashes(self, setting: Setting) -> None:
        constrained = {one.name for one in self.found["constraints"] if one.hashes}
        for entry in self.found["requirements"]:
            if not entry.hashes and entry.name not in constrained:
                self.problems.append(
                    RequirementError(
                        f"{entry.source}: {entry.name} has no --hash, and {setting.source}"
                        " asks for one (--require-hashes)",
                    )
                )
