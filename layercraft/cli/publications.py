"""What came of publishing: as text for people and as values for `--json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from layercraft.aws.snippets import snippet
from layercraft.console import columns, error_document

if TYPE_CHECKING:
    from layercraft.aws.layer_version import LayerVersion, Publication
    from layercraft.console import Console

WORDS = {"published": "published", "unchanged": "unchanged", "planned": "would be published"}


def show_publication(console: Console, publication: Publication) -> None:
    """Show one line for each region that it worked in, and an error for each other."""
    layer = publication.layer
    versions = publication.versions
    if any(each.action == "planned" for each in versions):
        console.notice(f"{layer.name}: {layer.description}")
        console.notice(f"for {', '.join((*layer.runtimes, *layer.architectures))}; {layer.license}")
    for line in columns([_row(each, layer.name) for each in versions], left=(0, 1, 2)):
        console.out(line)
    for each in versions:
        for words in _more(each):
            console.notice(f"{each.region}: {words}")
    if not console.as_json:
        for failure in publication.failures:
            console.error(failure.error)


def show_snippets(console: Console, publication: Publication, kind: str) -> None:
    """Show for each version how a function uses it."""
    for text in _snippets(publication, kind).values():
        console.out()
        console.out(text.rstrip())


def _snippets(publication: Publication, kind: str) -> dict[str, str]:
    """Give the text for each region in which there is a version now."""
    layer = publication.layer
    return {
        each.region: snippet(kind, each.arn, layer.runtimes[-1], layer.architectures[-1])
        for each in publication.versions
        if each.arn
    }


def _row(version: LayerVersion, name: str) -> tuple[str, str, str]:
    where = version.arn or f"{name}, through {_way(version.through)}"
    return version.region, WORDS[version.action], where


def _way(through: str) -> str:
    return "the request itself" if through == "request" else through


def _more(version: LayerVersion) -> list[str]:
    may = "would be allowed to use it" if version.dry_run else "may use it"
    gone = "would be deleted" if version.dry_run else "deleted"
    lines = [f"{', '.join(version.granted)} {may}"] if version.granted else []
    if version.deleted:
        lines.append(f"older versions {gone}: {', '.join(map(str, version.deleted))}")
    return lines


def publication_document(publication: Publication, kind: str | None = None) -> dict[str, Any]:
    """Give a publication as JSON values, with snippets of some kind; sizes in bytes."""
    layer = publication.layer
    return {
        "zip": str(layer.zip),
        "layer_name": layer.name,
        "sha256": layer.sha256,
        "size": layer.size,
        "description": layer.description,
        "license": layer.license,
        "runtimes": list(layer.runtimes),
        "architectures": list(layer.architectures),
        "versions": [
            {
                "region": each.region,
                "action": each.action,
                "arn": each.arn,
                "version": each.version or None,
                "through": each.through or None,
                "granted": list(each.granted),
                "deleted": list(each.deleted),
                "dry_run": each.dry_run,
            }
            for each in publication.versions
        ],
        "failures": [
            {"region": each.region, "error": error_document(each.error)} for each in publication.failures
        ],
        **({"snippets": _snippets(publication, kind)} if kind else {}),
    }
