"""`layercraft publish`, and the same at the end of a build."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from layercraft.cli.parameters import (
    Architecture,
    Bucket,
    CacheDir,
    IndexApiOption,
    IndexUrl,
    Json,
    Offline,
    Profile,
    Quiet,
    Region,
    Runtime,
    Snippet,
    console_for,
    refuse_unknown,
    sources,
)
from layercraft.cli.verification import target_of
from layercraft.console import error_document
from layercraft.errors import InterruptionError, LayercraftError, UsageError
from layercraft.verification.report import FAILED, PASSED, joint_code

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from layercraft.aws.layer_version import Publication
    from layercraft.aws.publish_options import PublishOptions
    from layercraft.aws.session import Clients
    from layercraft.console import Console
    from layercraft.sources import Sources
    from layercraft.target import Target
    from layercraft.verification.engines import Choice


def publish(  # noqa: PLR0913 (a command's options are its parameters)
    zips: Annotated[list[Path], typer.Argument(metavar="ZIP...", help="Layers, made by any tool.")],
    *,
    layer_name: Annotated[
        str | None, typer.Option("--layer-name", metavar="NAME", help="Another name than the zip's.")
    ] = None,
    runtime: Runtime = None,
    architecture: Architecture = None,
    all_runtimes: Annotated[
        bool,
        typer.Option("--all-runtimes", help="Mark a pure-Python layer for every runtime and architecture."),
    ] = False,
    region: Region = None,
    profile: Profile = None,
    bucket: Bucket = None,
    prefix: Annotated[
        str, typer.Option("--prefix", metavar="PREFIX", help="What the temporary object's key begins with.")
    ] = "temp/",
    keep_object: Annotated[
        bool, typer.Option("--keep-object", help="Leave the object in the bucket.")
    ] = False,
    public: Annotated[bool, typer.Option("--public", help="Everyone may use the layer.")] = False,
    account: Annotated[
        list[str] | None, typer.Option("--account", metavar="ID", help="This account may. Repeatable.")
    ] = None,
    organization: Annotated[
        list[str] | None,
        typer.Option("--organization", metavar="ID", help="This organization, o-…, may. Repeatable."),
    ] = None,
    retain: Annotated[
        int | None,
        typer.Option("--retain", min=1, metavar="N", help="Delete all but the N newest versions."),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Publish only a layer in which nothing is found.")
    ] = True,
    force: Annotated[bool, typer.Option("--force", help="Publish even what is there already.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done.")] = False,
    snippet: Snippet = None,
    index_url: IndexUrl = None,
    index_api: IndexApiOption = "json",
    cache_dir: CacheDir = None,
    offline: Offline = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Publish layers in your AWS account: once for the same bytes, in one region or many."""
    from layercraft.aws.publish_options import PublishOptions

    console = console_for(as_json=as_json, quiet=quiet)
    if layer_name and len(zips) > 1:
        raise UsageError("--layer-name is for one zip, and several were named", hint="publish each alone")
    if all_runtimes and (runtime or architecture):
        raise UsageError("--all-runtimes cannot stand beside --runtime or --arch")
    options = PublishOptions(
        bucket=bucket,
        prefix=prefix,
        keep_object=keep_object,
        public=public,
        accounts=tuple(account or ()),
        organizations=tuple(organization or ()),
        retain=retain,
        force=force,
        dry_run=dry_run,
    )
    publisher = prepare(options, profile, region, snippet, console)
    documents: list[dict[str, Any]] = []
    codes: list[int] = []
    with sources(index_url, index_api, cache_dir, offline=offline) as opened:
        for path in zips:
            try:
                given = target_of(str(path), runtime, architecture, console)
                document = _refused(path, given, opened, console) if check else None
                if document is None:
                    targets = _marked_for_all(path, opened) if all_runtimes else (given,) if given else None
                    document = publisher.document(publisher(path, name=layer_name, targets=targets))
                codes.append(FAILED if document["failures"] or "verdict" in document else PASSED)
            except LayercraftError as error:
                if len(zips) == 1 or isinstance(error, InterruptionError):
                    raise
                if not as_json:
                    console.error(error)
                document = {"zip": str(path), "error": error_document(error)}
                codes.append(error.exit_code)
            documents.append(document)
    if as_json:
        console.document({"layers": documents})
    raise typer.Exit(joint_code(codes))


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


def _refused(path: Path, target: Target | None, opened: Sources, console: Console) -> dict[str, Any] | None:
    """Judge a zip by its files; where something is found, show that and give it as JSON values."""
    from layercraft.cli.verdicts import show_static_verdict, verification_document
    from layercraft.verification.layer import read_layer
    from layercraft.verification.verdict import judge

    verdict = judge(read_layer(path, target), opened.cache, console)
    if verdict.passed:
        return None
    show_static_verdict(console, verdict)
    console.warning(f"{path} is not published: something was found in it (--no-check publishes it)")
    return {"zip": str(path), "verdict": verification_document(verdict), "versions": [], "failures": []}


def _marked_for_all(path: Path, opened: Sources) -> tuple[Target, ...]:
    """Give all targets, where the layer is the same for each of them."""
    from datetime import UTC, datetime

    from layercraft.every_target import every_target, require_same_files
    from layercraft.verification.layer import read_layer

    targets = every_target(datetime.now(UTC).date())
    require_same_files(read_layer(path), targets, opened)
    return targets
