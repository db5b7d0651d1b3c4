"""The lambda engine: the probe in a function of AWS Lambda itself, with the layer attached."""

from __future__ import annotations

import secrets
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from layercraft.aws.existing import versions
from layercraft.aws.explanations import explaining
from layercraft.aws.layer_version import read_draft
from layercraft.aws.publish_options import PublishOptions
from layercraft.aws.publishing import publish_draft
from layercraft.aws.temporary_function import LONGEST, NAME, Blueprint, created
from layercraft.errors import InterruptionError, LayercraftError
from layercraft.events import SILENT
from layercraft.verification.diagnosis import items_for, outcome_of
from layercraft.verification.lambda_image import LAYER, search_path, site_folders
from layercraft.verification.probe_channel import Answers, Job, new_token, read_answers
from layercraft.verification.report import Outcome, Unchecked
from layercraft.verification.surroundings import Surroundings
from layercraft.verification.zip_contents import open_zip

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from layercraft.aws.session import Clients
    from layercraft.aws.temporary_function import TemporaryFunction
    from layercraft.events import Reporter
    from layercraft.verification.checks import Checks
    from layercraft.verification.layer import LayerUnderTest
    from layercraft.verification.probe_channel import Item

OVERHEAD = 128 << 20
"""Bytes of memory for the runtime, the handler and the probe, beside what the imports may take."""
_MARGIN = 30  # seconds of a call that are left for the answer
_DEEP = Unchecked(subject="--deep", why="the lambda engine runs the imports and the script alone")


@dataclass(frozen=True, slots=True, kw_only=True)
class LambdaEngine:
    """Runs the probe in a temporary function, in one region of the user's account.

    `role` is the ARN that the function runs as. `arn` is the layer version that was published; without
    it, the zip is published for as long as the verification takes, as `options` say.
    """

    clients: Clients
    region: str
    role: str
    arn: str | None = None
    options: PublishOptions = field(default_factory=PublishOptions)

    @property
    def name(self) -> str:
        """The name of this kind of engine."""
        return "lambda"

    @property
    def description(self) -> str:
        """Where it runs."""
        return f"a function in {self.region}"

    def verify(self, layer: LayerUnderTest, checks: Checks, reporter: Reporter = SILENT) -> Outcome:
        """Create the function, run the checks in it, and remove all that was made, whatever happens.

        Raises:
            AwsError: AWS refuses, or does not answer.
            EngineError: the function does not become ready.
            InterruptionError: Ctrl-C, and something may stay in the account; warnings tell what.
        """
        with open_zip(layer.zip) as contents:
            files = {name: line.mode or 0o644 for name, line in contents.listed.items()}
        around = Surroundings(
            engine=self.name, layer=layer, files=files, root=LAYER, in_image=True, host="AWS Lambda"
        )
        items = items_for(checks, layer.distributions)
        outcomes: list[Outcome] = []
        with ExitStack() as stack:
            arn = self.arn or stack.enter_context(self._published(layer, reporter))
            blueprint = Blueprint(
                target=layer.target,
                layer=arn,
                role=self.role,
                memory=checks.memory + OVERHEAD,
                region=self.region,
            )
            function = stack.enter_context(created(blueprint, self.clients, reporter))
            progress = stack.enter_context(
                reporter.progress(f"importing in {self.region}", len(items), "items")
            )
            for job in _jobs(items, checks, layer):
                outcomes.append(outcome_of(job, _asked(function, job), around))
                progress.advance(len(job.items))
        ran = f"ran in a function of AWS Lambda with {arn}, {blueprint.megabytes} MB"
        return Outcome(
            findings=tuple(finding for each in outcomes for finding in each.findings),
            imports=tuple(timing for each in outcomes for timing in each.imports),
            checked=(ran, *(line for each in outcomes for line in each.checked)),
            unchecked=(
                *(unchecked for each in outcomes for unchecked in each.unchecked),
                *((_DEEP,) if checks.deep else ()),
            ),
            ran_imports=all(each.ran_imports for each in outcomes),
        )

    @contextmanager
    def _published(self, layer: LayerUnderTest, reporter: Reporter) -> Generator[str]:
        """Publish the zip under a name of its own; delete that version when the block ends."""
        name = f"{NAME}-{secrets.token_hex(4)}"
        draft = read_draft(layer, name)
        told: Reporter = SILENT
        try:
            done = publish_draft(draft, self.clients, (self.region,), self.options, reporter=reporter)
            told = reporter
            yield done.versions[0].arn or ""
        except (KeyboardInterrupt, InterruptionError):
            told = reporter
            raise
        finally:
            self._remove(name, told)

    def _remove(self, name: str, reporter: Reporter) -> None:
        """Delete the version, which may be there though nobody was told so: Ctrl-C comes at any time."""
        client = self.clients.functions(self.region)
        try:
            with explaining(region=self.region):
                for version in versions(client, name):
                    client.delete_layer_version(LayerName=name, VersionNumber=version)
        except LayercraftError as error:
            reporter.warning(f"the layer {name} in {self.region} could not be removed: {error.message}")


def _jobs(items: tuple[Item, ...], checks: Checks, layer: LayerUnderTest) -> Iterator[Job]:
    """Give the items in as many jobs as must be, so that each ends within one call."""
    job = Job(
        items=items,
        path=search_path(layer.target),
        sites=site_folders(layer.target),
        timeout=min(checks.timeout, LONGEST - 3 * _MARGIN),
        memory=checks.memory,
    )
    fitting = max(1, int((LONGEST - 2 * _MARGIN) / job.timeout))
    for first in range(0, len(items), fitting):
        yield replace(job, items=items[first : first + fitting])


def _asked(function: TemporaryFunction, job: Job) -> Answers:
    token = new_token()
    event = {
        "job": job.encoded(token).decode(),
        "token": token,
        "patience": min(job.deadline, LONGEST) - _MARGIN / 3,
    }
    result, problem = function(event)
    told = result or {"out": "", "err": "", "code": 1, "problem": problem}
    return read_answers(
        told["out"].encode(),
        job,
        token,
        problem=told["problem"],
        code=told["code"],
        err=told["err"].encode(),
    )
