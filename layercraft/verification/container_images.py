"""The image that a container is made of: there already, for the right architecture, or pulled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from layercraft.errors import EngineError
from layercraft.verification.container_engines import last_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from layercraft.events import Progress, Reporter
    from layercraft.target import Target
    from layercraft.verification.container_engines import Client

# Names of the OCI image specification, which are those of Go.
_ARCHITECTURES = {"x86_64": "amd64", "arm64": "arm64"}
_LONGEST_PULL = 3600.0  # seconds
_FORMAT = "--format={{.Os}}/{{.Architecture}}"
_LAYER_DONE = b": Pull complete"  # docker's word; the others keep silent where nobody watches


def platform_of(target: Target) -> str:
    """Give the platform of a target as container engines call it: linux/amd64 or linux/arm64."""
    return f"linux/{_ARCHITECTURES[target.architecture]}"


def ensure_image(client: Client, image: str, platform: str, *, pull: bool, reporter: Reporter) -> None:
    """See that the engine has an image for a platform; pull it if it has not and `pull` allows it.

    An image under that name for another platform counts as missing: podman would run it.

    Raises:
        EngineError: the image is missing, is for another platform, or cannot be pulled.
    """
    found = _platform(client, image, platform)
    if found != platform and pull:
        _pull(client, image, platform, reporter)
        found = _platform(client, image, platform)
    if found is None:
        raise EngineError(
            f"{client.name} has no image {image}",
            hint=f"`{client.name} pull --platform {platform} {image}`, or name another with --image",
        )
    if found != platform:
        raise EngineError(
            f"the image {image} is for {found}, and the layer is for {platform}",
            hint=f"`{client.name} pull --platform {platform} {image}`, or name another with --image",
        )


def _platform(client: Client, image: str, wanted: str) -> str | None:
    """Give the platform of the image here, the wanted one if it is among several; None without image."""
    ended = client("image", "inspect", _FORMAT, image)
    if ended.code:
        return None
    found = ended.out.decode("utf-8", "replace").strip()
    if found != wanted:
        # Stores that hold an image for several platforms show one of them, until they are asked.
        asked = client("image", "inspect", "--platform", wanted, _FORMAT, image)
        if not asked.code:
            found = asked.out.decode("utf-8", "replace").strip()
    return found


def _pull(client: Client, image: str, platform: str, reporter: Reporter) -> None:
    reporter.notice(f"pulling {image} for {platform} with {client.name}")
    with reporter.progress(f"pulling {image}", None, "items") as progress:
        ended = client(
            "pull", "--platform", platform, image, timeout=_LONGEST_PULL, heard=_counting(progress)
        )
    if ended.code:
        raise EngineError(
            f"{client.name} cannot pull {image} for {platform}: {last_line(ended)}",
            hint="is this machine online, and does the registry want a login? --image names another",
        )


def _counting(progress: Progress) -> Callable[[bytes], None]:
    """Give what counts the image's layers in the pieces of docker's output."""
    rest = b""

    def heard(piece: bytes) -> None:
        nonlocal rest
        lines = (rest + piece).split(b"\n")
        rest = lines.pop()
        progress.advance(sum(line.endswith(_LAYER_DONE) for line in lines))

    return heard
