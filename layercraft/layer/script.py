"""`cleanup.sh`, a recipe's shell script: run unmodified on a real copy of the layer."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import IO, TYPE_CHECKING

from layercraft.errors import ScriptError, reason_of
from layercraft.events import SILENT
from layercraft.host.processes import deferred_signals, kill_group
from layercraft.layer.change import Change, Reason
from layercraft.layer.output import writing
from layercraft.layer.rescan import rescan
from layercraft.layer.unpacked import write_files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from layercraft.events import Reporter
    from layercraft.layer.tree import Tree

# The folder that scripts in the format of imperva/aws-lambda-layer name. It is never used here.
_NAMED_LAYER = re.compile(r"(?<![\w.-])/tmp/layer(?![\w.-])")
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_./+-]+")
_SHEBANG = re.compile(r"#!\s*(?:\S*/env\s+(?:-S\s+)?)?(?:\S*/)?(?P<shell>[^\s/]+)[ \t]*(?P<options>.*)")
_SHELLS = ("sh", "bash", "dash", "ash")
_LAST_LINES = 20
_LAST_BYTES = 8192


def run_script(
    tree: Tree,
    script: Path,
    staging: Path,
    *,
    search_path: str = os.defpath,
    reporter: Reporter = SILENT,
) -> Change:
    """Lay the tree out, run the script on it, and give what it changed.

    `staging` is an empty folder of the caller, who keeps it until the layer is written, because
    files that the script changed or made stay there. A copy of the script runs, with `/tmp/layer`
    replaced by the copy of the layer, which is also the working directory and `LAYER_DIR`; PATH is
    `search_path`, HOME an empty folder, and nothing else of the caller's environment is passed on.
    When the caller is interrupted, the script dies with all its children; children that it leaves
    behind die when it ends.

    Raises:
        ScriptError: no shell, an exit code other than 0 (with the last lines of output), or a
            result that no layer can hold.
        OutputError: the staging folder cannot be written.
    """
    layer = staging.absolute() / "layer"
    if not _PLAIN_PATH.fullmatch(str(layer)):
        raise ScriptError(
            f"{script} cannot run in {layer}: a shell would not read that path as one word",
            hint="point TMPDIR to a plain path; on Windows use WSL, or globs in layer.toml instead",
        )
    text = _text(script)
    command = _shell(script, text, search_path)
    copy = layer.with_name("cleanup.sh")
    with writing(staging):
        layer.mkdir()
        write_files(tree, layer, reporter=reporter)
        copy.write_bytes(_NAMED_LAYER.sub(str(layer), text).encode("utf-8", "surrogateescape"))
        layer.with_name("home").mkdir()
    _run([*command, str(copy)], layer, search_path, script)
    return Change.between(tree, rescan(tree, layer), Reason(source=script.name))


def _text(script: Path) -> str:
    try:
        return script.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise ScriptError(f"{script} cannot be read: {reason_of(error)}") from error


def _shell(script: Path, text: str, search_path: str) -> list[str]:
    """Give the shell and its options: bash where there is one, else sh, unless the script asks for bash."""
    asked = _SHEBANG.match(text)
    wanted = asked["shell"] if asked else "sh"
    if wanted not in _SHELLS:
        raise ScriptError(f"{script} asks for {wanted}; cleanup scripts run in sh or bash")
    found = shutil.which("bash", path=search_path)
    if found is None and wanted != "bash":
        found = shutil.which("sh", path=search_path)
    if found is None:
        raise ScriptError(f"{script} needs {wanted}, which is not on PATH", hint=f"PATH is {search_path}")
    return [found, *(asked["options"].split() if asked else ())]


def _run(command: Sequence[str], layer: Path, search_path: str, script: Path) -> None:
    home = str(layer.with_name("home"))
    environment = {"PATH": search_path, "HOME": home, "LANG": "C.UTF-8", "LAYER_DIR": str(layer)}
    with layer.with_name("output").open("w+b") as output:
        code = _ended(command, layer, environment, output, script)
        if code:
            output.seek(max(0, output.seek(0, os.SEEK_END) - _LAST_BYTES))
            raise _failure(script, code, output.read())


def _ended(
    command: Sequence[str], layer: Path, environment: Mapping[str, str], output: IO[bytes], script: Path
) -> int:
    """Run the command to its end, kill what it left behind, and give its exit code."""
    with deferred_signals() as deferral:
        try:
            process = subprocess.Popen(  # noqa: S603 (running the recipe's script is what was asked for)
                command,
                cwd=layer,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise ScriptError(f"{script} cannot be run by {command[0]}: {reason_of(error)}") from error
        try:
            with deferral.lifted():
                return process.wait()
        finally:
            kill_group(process)


def _failure(script: Path, code: int, output: bytes) -> ScriptError:
    ended = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    lines = output.decode("utf-8", "replace").splitlines()[-_LAST_LINES:]
    return ScriptError(
        "\n".join([f"{script} {ended}" + ("; its last lines:" if lines else ", and said nothing"), *lines]),
        hint="nothing was written",
    )
