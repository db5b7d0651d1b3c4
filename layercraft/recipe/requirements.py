"""One requirement as a person wrote it, and all that a build was asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self
from urllib.parse import unquote, urldefrag, urlsplit

from packaging.requirements import InvalidRequirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from layercraft.errors import RequirementError
from layercraft.formats.addresses import without_credentials
from layercraft.formats.requirement_text import parse_requirement
from layercraft.recipe.requirement_hashes import fragment_hashes, hash_options, sha256_digests
from layercraft.recipe.requirement_lines import quoted, split_options

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from packaging.requirements import Requirement
    from packaging.utils import NormalizedName

_VCS = re.compile(r"(?:git|hg|svn|bzr)(?:\+|://)|git@[^:/]+\.[^:/]+:", re.IGNORECASE)
_WEB = re.compile(r"https?://", re.IGNORECASE)
_FOREIGN_SCHEME = re.compile(r"(?!file:)[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_ARCHIVE = r"\.(?:whl|tar(?:\.\w+)?|tgz|tbz|txz)"
_LOCAL = re.compile(
    rf"file:|[.~/\\]|[^@;]*[/\\]|[^@;\s]+{_ARCHIVE}(?:\s*;|$)|[^@;\s]+-\d[^@;\s]*\.zip(?:\s*;|$)",
    re.IGNORECASE,
)
_GLUED_SEMICOLON = re.compile(r";(?=\s)")

INSTEAD = "name a release of an index (NAME==VERSION) or a built wheel (NAME @ https://….whl)"
"""The way out for each kind of requirement that holds no built wheel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requested:
    """A requirement that somebody wrote down, and where."""

    requirement: Requirement
    """PEP 508, its extras, specifier, URL and marker untouched."""

    hashes: tuple[str, ...] = ()
    """The sha256 digests (hexadecimal) of which the chosen wheel must have one; empty: any will do."""

    source: str
    """Where it stands, for messages: "requirements.txt, line 3", or "--require"."""

    @classmethod
    def parse(cls, text: str, *, source: str, shown: str | None = None) -> Self:
        """Read one requirement with its `--hash` options.

        A bare URL of a wheel gets its name from the file's. Messages quote `shown` where it is given:
        the text as it was before secrets were put in.

        Raises:
            RequirementError: not valid by PEP 508, or nothing that a layer can be made of: a repository,
                a local path, a source archive.
        """
        where = f"{source}: {quoted(text if shown is None else shown)}"
        try:
            specification, options = split_options(text)
            declared = hash_options(options)
            requirement = _requirement(specification, where)
            declared += fragment_hashes(requirement.url or "")
            return cls(requirement=requirement, hashes=sha256_digests(declared), source=source)
        except ValueError as reason:
            raise RequirementError(f"{where} {reason}") from None

    @property
    def name(self) -> NormalizedName:
        """The distribution's normalized name."""
        return canonicalize_name(self.requirement.name)

    @property
    def url(self) -> str | None:
        """The wheel's address without its fragment, for `NAME @ https://….whl`."""
        return urldefrag(self.requirement.url).url if self.requirement.url else None

    @property
    def filename(self) -> str | None:
        """The wheel's file name, unescaped, for `NAME @ https://….whl`."""
        return _filename(self.requirement.url) if self.requirement.url else None

    def __str__(self) -> str:
        return without_credentials(str(self.requirement))


@dataclass(frozen=True, slots=True, kw_only=True)
class RequirementsInput:
    """All that a build was asked for: from files, or from the command line."""

    requirements: tuple[Requested, ...] = ()
    constraints: tuple[Requested, ...] = ()
    index_url: str | None = None
    """The index that a file names; may hold credentials, so never to be shown as it is."""

    prereleases: bool = False
    """`--pre` was written: pre-releases count like releases."""

    require_hashes: bool = False
    """`--require-hashes` was written: each wheel of the layer must have a known hash."""

    files: tuple[Path, ...] = ()
    """Every file that was read for this, in the order of reading."""

    @classmethod
    def of(cls, texts: Iterable[str], *, source: str = "--require") -> Self:
        """Read requirements that stand in no file.

        Raises:
            RequirementError: all that is wrong with any of them.
        """
        parsed: list[Requested] = []
        problems: list[RequirementError] = []
        for text in texts:
            try:
                parsed.append(Requested.parse(text, source=source))
            except RequirementError as problem:
                problems.append(problem)
        raise_together(problems)
        return cls(requirements=tuple(parsed))


def raise_together(problems: list[RequirementError]) -> None:
    """Raise what was found wrong as one error, a line for each; nothing when nothing was.

    Raises:
        RequirementError: the only problem, or all of them, each line with its way out.
    """
    if len(problems) == 1:
        raise problems[0]
    if problems:
        lines = (f"{one.message} ({one.hint})" if one.hint else one.message for one in problems)
        raise RequirementError("\n".join(lines))


def _requirement(text: str, where: str) -> Requirement:
    """Parse by PEP 508 what names a release or a wheel's address; refuse the rest."""
    spaced = _GLUED_SEMICOLON.sub(" ;", text, count=1)
    _refuse_sources(text, where)
    if _WEB.match(text):
        spaced = f"{_wheel_name(spaced.split()[0], where)} @ {spaced}"
    try:
        requirement = parse_requirement(spaced)
    except InvalidRequirement as error:
        reason = str(error).splitlines()[0]
        raise RequirementError(
            f"{where} is not a valid requirement: {reason}", hint=_correction(text)
        ) from error
    if requirement.url is not None:
        _check_address(requirement, where)
    return requirement


def _refuse_sources(location: str, where: str) -> None:
    """Refuse repositories and local paths, by what each of them is."""
    if _VCS.match(location):
        raise RequirementError(f"{where} is a repository, and a layer is made of built wheels", hint=INSTEAD)
    if _WEB.match(location) or not _LOCAL.match(location):
        return
    if _FOREIGN_SCHEME.match(location):
        raise RequirementError(f"{where} has an address that is neither http nor https", hint=INSTEAD)
    if re.search(r"\.whl\b", location, re.IGNORECASE):
        raise RequirementError(
            f"{where} is a wheel on this machine, which is not supported yet",
            hint="serve it by http or from an index of your own (--index-url)",
        )
    is_archive = re.search(r"\.(?:tar|tgz|tbz|txz|zip)\b", location, re.IGNORECASE)
    kind = "source archive" if is_archive else "path"
    raise RequirementError(
        f"{where} is a local {kind}, and a layer is made of built wheels",
        hint=f"build a wheel of it and put it on an index, or {INSTEAD}",
    )


def _check_address(requirement: Requirement, where: str) -> None:
    """Refuse an address (`NAME @ ADDRESS`) that is not that of a wheel of this name."""
    url = requirement.url or ""
    _refuse_sources(url, where)
    if not _WEB.match(url):
        raise RequirementError(f"{where} has an address that is neither http nor https", hint=INSTEAD)
    found = _wheel_name(url, where)
    if found != canonicalize_name(requirement.name):
        raise RequirementError(f"{where} names {requirement.name}, and the file is a wheel of {found}")


def _filename(url: str) -> str:
    return unquote(urlsplit(url).path.rpartition("/")[2])


def _wheel_name(url: str, where: str) -> NormalizedName:
    """Give the distribution's name in a wheel's address."""
    filename = _filename(url)
    if not filename.endswith(".whl"):
        raise RequirementError(f"{where} is not the address of a wheel (….whl)", hint=INSTEAD)
    try:
        return parse_wheel_filename(filename)[0]
    except InvalidWheelFilename as error:
        raise RequirementError(f"{where} is no wheel by its name: {error}") from error


def _correction(text: str) -> str | None:
    """Guess what was meant by a text that PEP 508 does not allow."""
    if re.search(r"(?<![=<>!~])=(?!=)", text.partition(";")[0]):
        return "an exact version is written with =="
    if "@" not in text and re.match(r"[\w.-]+\s+[\w.-]+", text):
        return "write one requirement for each line or option"
    return None
