"""The commands of the README: tests run them, and `python tests/readme_commands.py` renews their output.

Those that need a container engine find a private docker with a stand-in for AWS's image; those that
publish find a local AWS with the bucket `my-layers`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from container_daemons import PrivateDocker
from lambda_like.images import image_archive
from local_aws import LocalAws

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

README = Path(__file__).parents[1] / "README.md"
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_COMMAND = re.compile(r"^\$ ", re.MULTILINE)


def shown() -> list[tuple[str, str]]:
    """Give each command of the README with the output that stands below it, in order."""
    parts = [
        part for block in _BLOCK.findall(README.read_text("utf-8")) for part in _COMMAND.split(block)[1:]
    ]
    return [(command, output) for command, _, output in (part.partition("\n") for part in parts)]


def needs_containers(command: str) -> bool:
    """Tell whether a command runs only where a container engine is."""
    return "--engine container" in command


def run(
    command: str, folder: Path, environment: Mapping[str, str], *, joined: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a command as a person types it; `joined` writes stderr into stdout as a terminal does."""
    return subprocess.run(  # noqa: S602 (as a person types it)
        command.replace("layercraft", f"{sys.executable} -u -m layercraft", 1),
        shell=True,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if joined else subprocess.PIPE,
        text=True,
        check=False,
    )


@contextmanager
def aws_environment(folder: Path) -> Iterator[Mapping[str, str]]:
    """Start a local AWS as the examples expect it, and give what leads there."""
    with LocalAws(folder) as aws:
        aws.bucket("my-layers")
        yield aws.environment


def rewrite(environment: Mapping[str, str]) -> None:
    """Put today's output below every command of the README."""
    with TemporaryDirectory() as first, aws_environment(Path(first) / "aws") as aws:
        for command, _ in shown():  # fills the cache, so that no progress is told below
            run(command, Path(first), {**environment, **aws})
    with TemporaryDirectory() as folder, aws_environment(Path(folder) / "aws") as aws:
        seen = {**environment, **aws}
        outputs = iter([run(command, Path(folder), seen, joined=True).stdout for command, _ in shown()])

    def with_outputs(block: re.Match[str]) -> str:
        commands = [part.partition("\n")[0] for part in _COMMAND.split(block[1])[1:]]
        told = "".join(f"$ {command}\n{next(outputs).rstrip()}\n" for command in commands)
        return f"```console\n{told}```"

    README.write_text(_BLOCK.sub(with_outputs, README.read_text("utf-8")), encoding="utf-8")


if __name__ == "__main__":
    with PrivateDocker() as docker, TemporaryDirectory() as images:
        docker("load", "--input", image_archive("3.12", "x86_64", Path(images)))
        rewrite(os.environ | docker.environment)
