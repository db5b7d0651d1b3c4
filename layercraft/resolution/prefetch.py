"""An optimistic walk that runs ahead of the solver, so that latency is paid once a level.

For each requirement met it fetches the page, takes the newest version allowed, fetches its metadata
and follows its requirements, on a pool of threads. Where the page tells what that version requires, it
follows that at once. The solver then finds nearly all it asks for in
memory. A wrong guess costs a request and nothing else.
"""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Self

from packaging.requirements import InvalidRequirement
from packaging.utils import canonicalize_name

from layercraft.errors import UnknownPackageError
from layercraft.resolution.background import Background
from layercraft.resolution.ranges import newest
from layercraft.resolution.requirements import normalized

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from concurrent.futures import Future

    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet
    from packaging.utils import NormalizedName

    from layercraft.formats.core_metadata import CoreMetadata
    from layercraft.resolution.candidates import Candidate, Candidates, WheelSelector
    from layercraft.resolution.index import Index, IndexPage, MetadataSource
    from layercraft.resolution.requirements import ActiveRequirements

THREADS = 24


class Catalogue:
    """Candidates and metadata by name, each fetched once, in the background where it is foreseen.

    `direct` are pages that take the index's place (`name @ URL`), `hashes` the allowed sha256 of a
    package, `constraints` narrow the optimistic picks. Close it (it is a context manager) to end
    its threads; what still waits is dropped.
    """

    def __init__(  # noqa: PLR0913 (collaborators and the three views of what the user asked for)
        self,
        index: Index,
        source: MetadataSource,
        selector: WheelSelector,
        active: ActiveRequirements,
        *,
        direct: Mapping[NormalizedName, IndexPage],
        hashes: Mapping[NormalizedName, frozenset[str]],
        constraints: Mapping[NormalizedName, SpecifierSet],
        excluded: Callable[[str], bool],
    ) -> None:
        self._index = index
        self._source = source
        self._selector = selector
        self._active = active
        self._direct = direct
        self._hashes = hashes
        self._constraints = constraints
        self._excluded = excluded
        self._pages: dict[NormalizedName, Future[Candidates]] = {}
        self._metadata: dict[str, Future[CoreMetadata]] = {}
        self._seen: set[tuple[str, ...]] = set()
        self._lock = Lock()
        self._pool = Background(THREADS, name="layercraft-prefetch")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.close()

    def candidates(self, name: NormalizedName) -> Candidates:
        """Give the versions of a package for the target: none when the index has no such package.

        Raises:
            IndexUnreachableError, BadIndexAnswerError: as `Index.page`.
        """
        return self._page(name).result()

    def metadata(self, candidate: Candidate) -> CoreMetadata:
        """Give a candidate's core metadata; raises as `MetadataSource.metadata`."""
        return self._metadata_of(candidate).result()

    def requirements(self, candidate: Candidate, extras: Iterable[str] = ()) -> list[Requirement]:
        """Give a candidate's active requirements, and those of the extras named; raises as `metadata`."""
        texts = self.metadata(candidate).requires
        return [each for extra in ("", *extras) for each in self._active.active(texts, extra)]

    def fits_python(self, requires_python: str | None) -> bool:
        """Tell whether the target's Python is within a wheel's own Requires-Python."""
        return self._selector.fits_python(requires_python)

    def is_direct(self, name: NormalizedName) -> bool:
        """Tell whether the user gave this package's URL."""
        return name in self._direct

    def expect(self, requirements: Iterable[Requirement]) -> None:
        """Start to fetch what these requirements will need; returns at once."""
        for requirement in requirements:
            name = normalized(requirement)
            key = (name, str(requirement.specifier), *sorted(requirement.extras))
            with self._lock:
                if key in self._seen or self._excluded(name):
                    continue
                self._seen.add(key)
            self._pool.submit(self._walk, requirement)

    def expect_metadata(self, candidates: Iterable[Candidate]) -> None:
        """Start to fetch the metadata of candidates that may be asked for next; returns at once."""
        for candidate in candidates:
            self._metadata_of(candidate)

    def _page(self, name: NormalizedName) -> Future[Candidates]:
        with self._lock:
            future = self._pages.get(name)
            if future is None:
                future = self._pages[name] = self._pool.submit(self._read_page, name)
        return future

    def _read_page(self, name: NormalizedName) -> Candidates:
        page = self._direct.get(name)
        if page is None:
            try:
                page = self._index.page(name)
            except UnknownPackageError:
                page = None
        return self._selector.candidates(name, page, self._hashes.get(name, frozenset()))

    def _metadata_of(self, candidate: Candidate) -> Future[CoreMetadata]:
        with self._lock:
            future = self._metadata.get(candidate.url)
            if future is None:
                future = self._metadata[candidate.url] = self._pool.submit(self._source.metadata, candidate)
        return future

    def _walk(self, requirement: Requirement) -> None:
        page = self._page(normalized(requirement))
        page.add_done_callback(lambda done: self._pool.submit(self._pick, done, requirement))

    def _pick(self, page: Future[Candidates], requirement: Requirement) -> None:
        if page.cancelled() or page.exception():
            return
        found = page.result()
        bits = found.matching(requirement.specifier)
        if constraint := self._constraints.get(found.name):
            bits &= found.matching(constraint)
        bits = found.preferred(bits, prereleases=False, pinned=0)
        if not bits:
            return
        candidate = found.listed[newest(bits)]
        metadata = self._metadata_of(candidate)
        hint = found.page.hint if found.page else None
        if hint and hint.version == str(candidate.version):
            self._expect_needs(hint.requires, requirement)
        metadata.add_done_callback(lambda done: self._pool.submit(self._follow, done, requirement))

    def _follow(self, metadata: Future[CoreMetadata], requirement: Requirement) -> None:
        if not metadata.cancelled() and not metadata.exception():
            self._expect_needs(metadata.result().requires, requirement)

    def _expect_needs(self, needs: Sequence[str], requirement: Requirement) -> None:
        """Expect what a version needs, with the extras that are asked of it; what cannot be read ends it."""
        for extra in ("", *map(canonicalize_name, requirement.extras)):
            try:
                self.expect(self._active.active(needs, extra))
            except InvalidRequirement:
                return
