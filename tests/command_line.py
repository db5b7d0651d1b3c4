"""`layercraft` as people run it: a real process in an empty folder, cut off from this machine's settings.

ran = layercraft("build", "--require", "plain")
assert ran.code == 0 and (layercraft.folder / "outputs").is_dir()
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import layercraft as package

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

NOTHING: Mapping[str, str] = MappingProxyType({})
LONGEST_RUN = 60  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:  # noqa: ANN401 (each command has a document of its own)
        """The one JSON document on stdout."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        """The lines on stderr, notes and warnings left out."""
        return [line for line in self.err.splitlines() if not line.startswith(("note: ", "warning: "))]


class CommandLine:
    """Runs `layercraft` in `folder`, with cache and HOME beside it and nothing else from this machine.

    `environment` may be changed between runs.
    """

    def __init__(self, root: Path, environment: Mapping[str, str] = NOTHING) -> None:
        self.folder = root / "here"
        self.cache = root / "cache"
        self.outputs = self.folder / "outputs"
        home = root / "home"
        for folder in (self.folder, home):
            folder.mkdir(exist_ok=True)
        # SYSTEMROOT is what Python needs to start on Windows; the package may be a checkout.
        kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
        self.environment = {
            **kept,
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "LAYERCRAFT_CACHE_DIR": str(self.cache),
            "PYTHONPATH": str(Path(package.__file__).parents[1]),
            "PYTHONWARNINGS": "error",
            **environment,
        }

    def __call__(
        self, *arguments: str | Path, within: str = "", namespace: Sequence[str] = (), **environment: str
    ) -> Ran:
        """Run a command to its end, which must come without a traceback.

        `within` is a shell script that is given the command as `"$@"`, `namespace` what starts that script.
        """
        ran = subprocess.run(
            [*namespace, *self._command(within, arguments)],
            cwd=self.folder,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=LONGEST_RUN,
            check=False,
        )
        assert "Traceback" not in ran.stdout + ran.stderr, ran.stderr
        return Ran(code=ran.returncode, out=ran.stdout, err=ran.stderr)

    def must(self, *arguments: str | Path, **environment: str) -> Ran:
        """Run a command that must succeed."""
        ran = self(*arguments, **environment)
        assert ran.code == 0, ran.err
        return ran

    @contextmanager
    def started(self, *arguments: str | Path, within: str = "") -> Iterator[subprocess.Popen[str]]:
        """Start a command as the leader of a process group, and end it with the context at the latest."""
        with subprocess.Popen(
            self._command(within, arguments),
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            process_group=0,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def _command(self, within: str, arguments: Sequence[str | Path]) -> list[str]:
        shell = ["sh", "-c", within, "sh"] if within else []
        return [*shell, sys.executable, "-m", "layercraft", *map(str, arguments)]

    def write(self, files: Mapping[str, str]) -> None:
        """Write files into the folder, by their paths in it."""
        for name, text in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def made(self) -> list[str]:
        """Give the names of all that lies in the output folder."""
        return sorted(path.name for path in self.outputs.iterdir()) if self.outputs.exists() else []
