"""A zip into regions of the user's account, side by side; what fails in one does not stop the others."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from contextlib import suppress
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING

from layercraft.aws.layer_version import Failure, LayerVersion, Publication, read_draft
from layercraft.aws.one_region import publish_in
from layercraft.aws.publish_options import PublishOptions
from layercraft.aws.regions import choose
from layercraft.aws.session import open_clients
from layercraft.aws.temporary_object import TemporaryObject, settle_all
from layercraft.errors import InterruptionError, LayercraftError, UsageError
from layercraft.events import SILENT
from layercraft.verification.layer import read_layer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from layercraft.aws.layer_version import Draft
    from layercraft.aws.session import Clients
    from layercraft.events import Reporter
    from layercraft.target import Target

AT_ONCE = 8
"""Regions that are worked on at the same time."""
MEMORY = 256 << 20
"""Bytes that requests with a zip inside may take together, about: one takes five times its zip."""


def publish(  # noqa: PLR0913 (all but the zip have defaults)
    zip: Path,  # noqa: A002 (what it is)
    options: PublishOptions | None = None,
    *,
    name: str | None = None,
    regions: Sequence[str] = (),
    targets: Sequence[Target] | None = None,
    clients: Clients | None = None,
    reporter: Reporter = SILENT,
) -> Publication:
    """Publish a zip as a layer version, in the region that is configured, in those named, or in "all".

    The layer is called `name`, else like the zip. It is marked for `targets`, else for the one that
    its build record, its lock or its compiled modules tell. Where its newest version has the same
    bytes and marks, nothing is published. Credentials come from boto3's own chain.

    A region where it does not work is among `failures` of the result; where it works nowhere and for
    one reason, that is raised.

    Raises:
        UsageError: zip, name, region or option is wrong, or the zip is too large without a bucket.
        LayerTooLargeError: it is over Lambda's limit unzipped.
        AwsError: AWS refuses, or does not answer.
        InterruptionError: Ctrl-C, and something may stay in the account; warnings tell what.
    """
    layer = read_layer(zip, targets[0] if targets else None)
    draft = read_draft(layer, name, targets)
    return publish_draft(
        draft, clients or open_clients(), regions, options or PublishOptions(), reporter=reporter
    )


def publish_draft(
    draft: Draft,
    clients: Clients,
    regions: Sequence[str],
    options: PublishOptions,
    *,
    reporter: Reporter = SILENT,
) -> Publication:
    """Publish what was read; see `publish`. On Ctrl-C, what was begun is removed first."""
    chosen = choose(clients, regions)
    stop = Event()
    begun: list[TemporaryObject] = []
    direct = options.is_direct(draft)
    at_once = min(AT_ONCE, MEMORY // (5 * draft.size + 1)) if direct else AT_ONCE
    told = SILENT if direct or options.dry_run else reporter
    with told.progress(f"uploading {draft.zip.name}", draft.size * len(chosen), "bytes") as progress:

        def work(region: str) -> LayerVersion:
            return publish_in(
                draft, region, options, clients, stop=stop, begun=begun, reporter=reporter, progress=progress
            )

        tidying = _Tidying(draft.name, options.tidying, stop, begun, reporter)
        done, failed = _side_by_side(work, chosen, max(1, at_once), tidying)
    alike = {(type(error), error.message.removeprefix(f"{region}: ")) for region, error in failed.items()}
    wrong = all(issubclass(kind, UsageError) for kind, _ in alike)
    if not done and (len(chosen) == 1 or (len(alike) == 1 and wrong)):
        raise failed[chosen[0]]
    return Publication(
        layer=draft,
        versions=tuple(done[region] for region in chosen if region in done),
        failures=tuple(Failure(region=region, error=failed[region]) for region in chosen if region in failed),
    )


def _side_by_side(
    work: Callable[[str], LayerVersion],
    regions: Sequence[str],
    at_once: int,
    tidying: Callable[[dict[Future[LayerVersion], str]], bool],
) -> tuple[dict[str, LayerVersion], dict[str, LayercraftError]]:
    """Do the work for all regions; `tidying` ends what runs on Ctrl-C, and tells whether something stays."""
    done: dict[str, LayerVersion] = {}
    failed: dict[str, LayercraftError] = {}
    pool = ThreadPoolExecutor(at_once, thread_name_prefix="layercraft-region")
    running: dict[Future[LayerVersion], str] = {pool.submit(work, region): region for region in regions}
    try:
        for future in as_completed(running):
            try:
                done[running[future]] = future.result()
            except LayercraftError as error:
                failed[running[future]] = error
    except BaseException as error:
        pool.shutdown(wait=False, cancel_futures=True)
        if tidying(running) and isinstance(error, KeyboardInterrupt):
            raise InterruptionError(
                "interrupted", hint="the warnings tell what may stay in your AWS account"
            ) from error
        raise
    pool.shutdown()
    return done, failed


@dataclass(frozen=True, slots=True)
class _Tidying:
    """Ends what runs when Ctrl-C comes, and removes what it began."""

    layer: str
    patience: float
    stop: Event
    begun: list[TemporaryObject]
    reporter: Reporter

    def __call__(self, running: dict[Future[LayerVersion], str]) -> bool:
        """Let the regions tidy up; then remove what those began that AWS keeps waiting.

        Give whether something may stay in the account; warnings have told what.
        """
        self.stop.set()
        with suppress(KeyboardInterrupt):  # whoever presses it again waits no longer
            wait(running, self.patience)
        late = {region for future, region in running.items() if not future.done()}
        stays = settle_all(self.begun, self.patience)
        unsent = {each.region for each in self.begun if not each.sent}
        for region in sorted(late - unsent):
            self.reporter.warning(
                f"{region}: AWS does not answer; a version of {self.layer} may appear there all the same"
            )
        return stays or bool(late)
