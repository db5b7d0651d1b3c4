"""A finished layer, unpacked where nothing can write to it, and a Python that sees little else."""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from layercraft.errors import BadWheelError, EngineError, OutputError, reason_of
from layercraft.host.scratch import scratch_folder
from layercraft.layer.output import writing
from layercraft.layer.placement import is_safe
from layercraft.layer.unpacked import case_twins, folders_of, folds_case
from layercraft.verification.probe_channel import Answers, Job, ask_probe, new_token, program
from layercraft.verification.report import Unchecked
from layercraft.verification.zip_contents import open_zip

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from pathlib import Path

    from layercraft.events import Reporter
    from layercraft.host.interpreters import Interpreter
    from layercraft.target import Target
    from layercraft.verification.zip_contents import ZipContents

NOBODY = 65534
"""The owner of unpacked files where root can give them away: so that their modes bind."""

PROTECTIONS = {
    "read-only": "that nothing but /tmp is written",
    "network": "that no network is needed",
    "shared-memory": "that no /dev/shm is needed",
    "tmp": "that nothing in this machine's /tmp is needed",
    "processes": "that no process is left behind",
}
"""What `host/namespaces.py` makes sure of, in people's words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalPython:
    """How to start the target's Python here: the words before its options, and the folders it needs."""

    interpreter: Interpreter
    command: tuple[str, ...]
    needs: tuple[Path, ...]

    @classmethod
    def native(cls, interpreter: Interpreter) -> LocalPython:
        """Start it as it is."""
        return cls(
            interpreter=interpreter,
            command=(str(interpreter.executable),),
            needs=(interpreter.executable.parent, *interpreter.folders),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """A scratch folder: `layer` stands for /opt, `task` for /var/task."""

    folder: Path
    target: Target

    @property
    def layer(self) -> Path:
        """Where the layer lies."""
        return self.folder / "layer"

    @property
    def task(self) -> Path:
        """An empty folder in place of the function's own files."""
        return self.folder / "task"

    def sites(self, layer: Path | None = None) -> tuple[str, ...]:
        """Give the layer's folders on sys.path, in the order of AWS's bootstrap."""
        root = (layer or self.layer) / "python"
        versioned = root / "lib" / "python{}.{}".format(*self.target.runtime.version) / "site-packages"
        return str(versioned), str(root)

    def unpack(self, path: Path) -> dict[str, int]:
        """Unpack the zip as Lambda does, but for write permission; give the files' modes.

        Raises:
            UsageError, BadWheelError: no zip, or a broken one.
            OutputError: no space or permission here, or a path that leads elsewhere.
        """
        with open_zip(path) as contents, writing(self.layer):
            names = list(contents.listed)
            _refuse_unsafe(names, path)
            if folds_case(self.folder) and (twins := case_twins(names)):
                raise OutputError(
                    f"{twins[0]} and {twins[1]} are one file to the disk here, which folds case"
                )
            for folder in sorted(folders_of(names)):
                (self.layer / folder).mkdir()
            with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
                list(pool.map(lambda name: self._write(name, contents), names))
            protect(self.layer)
            return {name: line.mode for name, line in contents.listed.items()}

    def _write(self, name: str, contents: ZipContents) -> None:
        path = self.layer / name
        path.write_bytes(contents.read(name))
        path.chmod((contents.listed[name].mode or 0o644) & 0o555)

    def ask(  # noqa: PLR0913 (how a probe is started)
        self,
        python: LocalPython,
        job: Job,
        *,
        layer: Path | None = None,
        needs: Iterable[Path] = (),
        reporter: Reporter,
        label: str,
    ) -> Answers:
        """Run the probe with this Python, confined as far as the system allows.

        `layer` is another unpacked layer in the place of this sandbox's own; `needs` are further
        folders that must be seen.

        Raises:
            EngineError: it cannot be started.
            OutputError: the sandbox cannot be written.
        """
        token = new_token()
        probe = self._program("probe.py", "layercraft.verification")
        command = [*python.command, "-I", "-B", "-S", str(probe)]
        environment = lambda_environment(self.target, layer or self.layer, python.interpreter.libraries)
        if can_confine():
            settings = {
                "token": token,
                "parent": os.getpid(),
                "keep": [str(path) for path in (self.folder, *python.needs, *needs)],
                "tmp": str(self.folder / "tmp"),
                "folder": str(self.task),
            }
            wrapper = self._program("namespaces.py", "layercraft.host")
            command = [sys.executable, "-I", "-S", "-B", str(wrapper), json.dumps(settings), *command]
        else:
            environment |= {"HOME": str(self.folder / "tmp"), "TMPDIR": str(self.folder / "tmp")}
        try:
            return ask_probe(
                command,
                job,
                environment=environment,
                folder=self.task,
                token=token,
                reporter=reporter,
                label=label,
            )
        except OSError as error:
            raise EngineError(f"{python.interpreter} cannot be started: {reason_of(error)}") from error

    def _program(self, name: str, package: str) -> Path:
        path = self.folder / name
        with writing(path):
            path.write_bytes(program(name, package))
        return path


@contextmanager
def sandbox(target: Target, parent: Path | None = None) -> Generator[Sandbox]:
    """Make a sandbox that is gone when the block ends, at whatever moment that is.

    Raises:
        OutputError: no temporary folder can be made.
    """
    with scratch_folder(parent) as folder:
        made = Sandbox(folder=folder, target=target)
        with writing(folder):
            for path in (made.layer, made.task, folder / "tmp"):
                path.mkdir()
        yield made


def can_confine() -> bool:
    """Tell whether there is a way to try: Linux, and a Python to run `host/namespaces.py` with."""
    return sys.platform.startswith("linux") and bool(sys.executable)


def shortcomings(answers: Answers) -> tuple[Unchecked, ...]:
    """Give what could not be taken away from the probed code, so that needing it went unseen."""
    reasons = answers.confined
    if reasons is None:
        reasons = dict.fromkeys(PROTECTIONS, "this system has no namespaces")
    return tuple(
        Unchecked(subject=PROTECTIONS[name], why=f"not possible here: {reason}")
        for name, reason in reasons.items()
        if reason
    )


def lambda_environment(target: Target, layer: Path, libraries: str = "") -> dict[str, str]:
    """Give Lambda's environment variables as far as they make sense here (AWS Lambda developer guide).

    `libraries` is a folder that the interpreter itself needs; it comes first, as Lambda's own does.
    """
    name = target.runtime.name
    return {
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{name}",
        "AWS_LAMBDA_FUNCTION_NAME": "layercraft-verify",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_REGION": "us-east-1",
        "HOME": "/tmp",  # noqa: S108 (the only folder that can be written)
        "LANG": "en_US.UTF-8",
        "LD_LIBRARY_PATH": os.pathsep.join(filter(None, (libraries, str(layer / "lib")))),
        "PATH": os.pathsep.join(("/usr/local/bin", "/usr/bin", "/bin", str(layer / "bin"))),
        "TZ": ":UTC",
    }


def protect(folder: Path) -> None:
    """Take write permission from a folder and all folders in it; give all to nobody where root can.

    Files have lost theirs when they were written.
    """
    for path, _, names in os.walk(folder, topdown=False):
        os.chmod(path, 0o555)  # noqa: PTH101, S103 (thousands of paths; and nobody may write)
        for name in (*names, ""):
            _give_away(os.path.join(path, name))  # noqa: PTH118 (as above)


def _give_away(path: str) -> None:
    if sys.platform != "win32" and os.geteuid() == 0:
        with suppress(OSError):  # the root of a container may know no other user
            os.chown(path, NOBODY, NOBODY)


def _refuse_unsafe(names: Iterable[str], path: Path) -> None:
    for name in names:
        if not is_safe(name):
            raise BadWheelError(f"{path}: {name!r} leads out of the layer")
