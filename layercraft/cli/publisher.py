"""What `publish` and the end of a `build` share: zips made layer versions as the command line says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from layercraft.cli.parameters import refuse_unknown
from layercraft.errors import UsageError
from layercraft.verification.report import FAILED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from layercraft.aws.layer_version import Publication
    from layercraft.aws.publish_options import PublishOptions
    from layercraft.aws.session import Clients
    from layercraft.console import Console
    from layercraft.target import Target
    from layercraft.verification.engines import Choice


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """Publishes zips as the command line says, and shows what came of it."""

    options: PublishOptions
    clients: Clients
    regions: tuple[str, ...]
    snippet: str | None
    console: Console

    def __call__(
        self, path: Path, *, name: str | None = None, targets: Sequence[Target] | None = None
    ) -> Publication:
        """Publish one zip. Raises what `publish` of the library raises."""
        from layercraft.aws.publishing import publish as publish_zip
        from layercraft.cli.publications import show_publication, show_snippets

        publication = publish_zip(
            path,
            self.options,
            name=name,
            regions=self.regions,
            targets=targets,
            clients=self.clients,
            reporter=self.console,
        )
        show_publication(self.console, publication)
        if self.snippet:
            show_snippets(self.console, publication, self.snippet)
        return publication

    def after_build(self, path: Path, codes: list[int]) -> dict[str, Any]:
        """Publish what was built, unless its own code says that it fails; give that for the build's document.

        A region where it does not work adds its own code.
        """
        if codes[-1] == FAILED:
            self.console.warning(f"{path} is not published: something was found in it")
            return {}
        publication = self(path)
        if publication.failures:
            codes.append(FAILED)
        return {"publication": self.document(publication)}

    def document(self, publication: Publication) -> dict[str, Any]:
        """Give the publication as JSON values."""
        from layercraft.cli.publications import publication_document

        return publication_document(publication, self.snippet)


def build_publisher(  # noqa: PLR0913 (what `build` was given)
    console: Console,
    *,
    wanted: bool,
    bucket: str | None,
    regions: list[str] | None,
    profile: str | None,
    snippet: str | None,
) -> Publisher | None:
    """Give the publisher that a build is to end with; None where none is wanted.

    Raises:
        UsageError: what `prepare` raises, or options that mean nothing without -p.
    """
    if wanted:
        from layercraft.aws.publish_options import PublishOptions

        return prepare(PublishOptions(bucket=bucket), profile, regions, snippet, console)
    options = {"--bucket": bucket, "--region": regions, "--profile": profile, "--snippet": snippet}
    for option, value in options.items():
        if value:
            raise UsageError(f"{option} says how to publish, and nothing is to be published", hint="add -p")
    return None


def build_tester(
    publisher: Publisher | None, *, wanted: bool, role: str | None, profile: str | None
) -> Callable[[dict[str, Any]], Choice | None] | None:
    """Give what finds the engine for the first version that a build published; None where none is wanted.

    Raises:
        UsageError: no role is named, or nothing is to be published.
    """
    from layercraft.cli.cloud import Cloud

    if not wanted:
        return None
    if publisher is None:
        raise UsageError("--test runs what was published, and nothing is to be published", hint="add -p")
    cloud = Cloud(role=role, region=publisher.regions[0], profile=profile, bucket=None)
    cloud.choice()  # so that what is wrong with it is told before anything is built

    def choice(published: dict[str, Any]) -> Choice | None:
        versions = published.get("publication", {}).get("versions", ())
        return cloud.choice(arn=versions[0]["arn"]) if versions else None

    return choice


def prepare(
    options: PublishOptions,
    profile: str | None,
    regions: list[str] | None,
    snippet: str | None,
    console: Console,
) -> Publisher:
    """Read the AWS configuration, so that what is wrong with it is told before anything is built.

    Raises:
        UsageError: a region, the profile or the kind of snippet is unknown, or no region is configured.
    """
    from layercraft.aws.regions import choose
    from layercraft.aws.session import open_clients
    from layercraft.aws.snippets import SNIPPETS

    refuse_unknown("--snippet", snippet, tuple(SNIPPETS))
    clients = open_clients(profile)
    return Publisher(
        options=options,
        clients=clients,
        regions=choose(clients, regions or ()),
        snippet=snippet,
        console=console,
    )
