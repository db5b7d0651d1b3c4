"""The probe inside of a container made of Lambda's image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from layercraft.errors import EngineError, reason_of
from layercraft.verification.container_images import platform_of
from layercraft.verification.container_lifetime import TMP_BYTES, Blueprint, created
from layercraft.verification.lambda_image import LAYER, PYTHON, TASK, function_environment, start_error
from layercraft.verification.probe_channel import ask_probe, new_token, program

if TYPE_CHECKING:
    from pathlib import Path

    from layercraft.events import Reporter
    from layercraft.target import Target
    from layercraft.verification.container_engines import Client
    from layercraft.verification.probe_channel import Answers, Job
    from layercraft.verification.sandbox import Sandbox

_PROGRAMS = "/layercraft"
_OVERRUN = 60.0  # seconds that all around the probe may take


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where probes run: who makes the containers, of which image, with which unpacked layer."""

    client: Client
    image: str
    target: Target
    box: Sandbox

    def ask(self, job: Job, *, layer: Path | None = None, reporter: Reporter, label: str) -> Answers:
        """Have a probe do a job in a new container.

        The probe sees to it that an item takes no more than the job's memory; the engine's own limit
        is higher by what fits into /tmp, which takes memory here and none in Lambda. `layer` is
        another unpacked layer in the place of the sandbox's own.

        Raises:
            EngineError: the container does not start, or has another Python or machine than Lambda.
        """
        token = new_token()
        with created(self.client, self._blueprint(job, token, layer or self.box.layer)) as container:
            try:
                answers = ask_probe(
                    container.start,
                    job,
                    environment=self.client.environment,
                    folder=container.folder,
                    token=token,
                    reporter=reporter,
                    label=label,
                )
            except OSError as error:
                reason = reason_of(error)
                raise EngineError(f"{self.client.name} cannot be started: {reason}") from error
            self._check(answers)
            return answers

    def _blueprint(self, job: Job, token: str, layer: Path) -> Blueprint:
        programs = self.box.folder / "programs"
        programs.mkdir(exist_ok=True)
        for folder in (programs, self.box.task):
            folder.chmod(0o755)
        (programs / "probe.py").write_bytes(program())
        command = ["-I", "-B", f"{_PROGRAMS}/probe.py"]
        if not self.client.dialect.takes_stdin:
            (programs / "job.json").write_bytes(job.encoded(token))
            command.append(f"{_PROGRAMS}/job.json")
        return Blueprint(
            image=self.image,
            platform=platform_of(self.target),
            scratch=self.box.folder,
            mounts={LAYER: layer, TASK: self.box.task, _PROGRAMS: programs},
            # The probe ignores PYTHONPATH (-I); its children find it as those of a function do.
            environment=function_environment(self.target, job.memory) | {"PYTHONPATH": "/var/runtime"},
            entrypoint=PYTHON,
            command=tuple(command),
            memory=job.memory + TMP_BYTES,
            lifetime=job.deadline + _OVERRUN,
        )

    def _check(self, answers: Answers) -> None:
        """See that the probe ran, and where it should."""
        image, target = self.image, self.target
        if not answers.python:
            raise start_error(self.client, image, target, answers.problem)
        version = ".".join(answers.python.split(".")[:2])
        if version != "{}.{}".format(*target.runtime.version):
            raise EngineError(
                f"the image {image} has Python {version}, and the layer is for {target.runtime.name}",
                hint=f"try the layer there with --runtime {version}, or name another image with --image",
            )
        if answers.machine != target.machine:
            raise EngineError(f"the image {image} is for {answers.machine}, and the layer for {target}")
