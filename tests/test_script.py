from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from trees import inline_tree, noise, paths, tree_of
from wheelhouse import WheelDraft

from layercraft.errors import ScriptError
from layercraft.layer.archive import write_zip
from layercraft.layer.script import run_script
from layercraft.layer.tree import DiskFile, Tree

if TYPE_CHECKING:
    from layercraft.layer.change import Change

pytestmark = pytest.mark.skipif(os.name == "nt", reason="cleanup.sh needs a POSIX shell")

TREE = inline_tree({"python/a.py": b"alpha", "python/pkg/b.py": b"beta", "python/pkg/tests/t.py": b"tests"})
SEARCH_PATH = "/usr/local/bin:/usr/bin:/bin"


def run(folder: Path, text: str, tree: Tree = TREE) -> Change:
    script = folder / "cleanup.sh"
    script.write_text(text)
    staging = folder / "staging"
    staging.mkdir()
    return run_script(tree, script, staging, search_path=SEARCH_PATH)


def test_files_that_a_script_did_not_touch_keep_their_content(tmp_path: Path) -> None:
    tree = tree_of(tmp_path, WheelDraft(name="a", files={"a/m.py": b"x", "a/tests/t.py": b"y"}))
    change = run(
        tmp_path, "find /tmp/layer/python -path '*/tests/*' -delete; touch /tmp/layer/python/a/m.py", tree
    )
    assert paths(change.removed) == ["python/a/tests/t.py"]
    assert (change.added, change.replaced) == ((), ())
    assert all(entry is tree.entries[path] for path, entry in change.tree.entries.items())
    assert change.tree.distributions == tree.distributions
    assert str(change.reason) == "cleanup.sh"


def test_changed_new_and_removed_files_are_told_and_zipped(tmp_path: Path) -> None:
    text = """
        printf longer-text > /tmp/layer/python/a.py
        mkdir -p "/tmp/layer/lib"; printf lib > /tmp/layer/lib/libx.so
        rm -rf /tmp/layer/python/pkg/tests
        chmod +x /tmp/layer/python/pkg/b.py
    """
    change = run(tmp_path, text)
    assert [(old.size, new.size) for old, new in change.replaced] == [(5, 11), (4, 4)]
    assert change.replaced[1][1].executable
    assert [(entry.path, entry.owner) for entry in change.added] == [("lib/libx.so", "")]
    archive = write_zip(change.tree, tmp_path / "layer.zip")
    with zipfile.ZipFile(archive.path) as reader:
        assert {name: reader.read(name) for name in reader.namelist()} == {
            "lib/libx.so": b"lib",
            "python/a.py": b"longer-text",
            "python/pkg/b.py": b"beta",
        }


def test_other_bytes_of_the_same_size_and_date_are_found(tmp_path: Path) -> None:
    text = "touch -r /tmp/layer/python/a.py ref; printf ALPHA > python/a.py; touch -r ref python/a.py; rm ref"
    change = run(tmp_path, text)
    assert [new.content for _, new in change.replaced] == [
        DiskFile(path=tmp_path / "staging/layer/python/a.py", size=5, crc=zlib.crc32(b"ALPHA"))
    ]


def test_the_script_runs_in_the_layer_with_a_small_clean_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "of the caller")
    change = run(tmp_path, "#!/bin/sh\nenv > python/env; pwd > python/pwd; ls -A $HOME > python/home; cat")
    files = {entry.path: entry.content for entry in change.added}
    texts = {
        path: content.path.read_text() for path, content in files.items() if isinstance(content, DiskFile)
    }
    layer = str(tmp_path / "staging/layer")
    environment = dict(line.split("=", 1) for line in texts["python/env"].splitlines())
    assert environment.keys() - {"PWD", "SHLVL", "OLDPWD", "_"} == {"PATH", "HOME", "LANG", "LAYER_DIR"}
    assert (environment["LAYER_DIR"], environment["PATH"]) == (layer, SEARCH_PATH)
    assert (texts["python/pwd"], texts["python/home"]) == (f"{layer}\n", "")


def test_only_the_layers_own_folder_is_replaced_and_the_script_is_left_alone(tmp_path: Path) -> None:
    text = "echo /tmp/layer '/tmp/layer/python' /var/tmp/layer /tmp/layers /tmp/layer.zip > python/said"
    change = run(tmp_path, text)
    (said,) = change.added
    assert isinstance(said.content, DiskFile)
    layer = tmp_path / "staging/layer"
    assert said.content.path.read_text() == (
        f"{layer} {layer}/python /var/tmp/layer /tmp/layers /tmp/layer.zip\n"
    )
    assert (tmp_path / "cleanup.sh").read_text() == text


def test_a_failing_script_stops_with_its_code_and_last_lines(tmp_path: Path) -> None:
    with pytest.raises(ScriptError) as caught:
        run(tmp_path, "seq 100; echo oops >&2; exit 3")
    first, *lines = caught.value.message.splitlines()
    assert first == f"{tmp_path}/cleanup.sh ended with exit code 3; its last lines:"
    assert lines == [*map(str, range(82, 101)), "oops"]


def test_a_script_that_fails_in_silence_or_is_killed_is_told(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match="ended with exit code 1, and said nothing"):
        run(tmp_path, "exit 1")
    (tmp_path / "again").mkdir()
    with pytest.raises(ScriptError, match="was killed by signal 15"):
        run(tmp_path / "again", "kill $$")


@pytest.mark.parametrize(
    "line", ["#!/bin/bash -e", "#!/usr/bin/env bash -e", "#!/usr/bin/env -S bash -e", "#! /bin/sh -e"]
)
def test_the_options_of_the_first_line_count(tmp_path: Path, line: str) -> None:
    with pytest.raises(ScriptError, match="exit code 1"):
        run(tmp_path, f"{line}\nfalse\ntrue\n")


def test_a_script_for_another_interpreter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match="asks for python3; cleanup scripts run in sh or bash"):
        run(tmp_path, "#!/usr/bin/env python3\n")


def test_sh_is_taken_where_there_is_no_bash_unless_bash_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/sh").symlink_to("/bin/sh")
    script = tmp_path / "cleanup.sh"
    for text, complaint in (("exit 7", "exit code 7"), ("#!/bin/bash\n", "needs bash, which is not on PATH")):
        script.write_text(text)
        staging = tmp_path / f"staging{len(text)}"
        staging.mkdir()
        with pytest.raises(ScriptError, match=complaint):
            run_script(TREE, script, staging, search_path=str(tmp_path / "bin"))


def test_a_missing_script_and_a_staging_path_with_blanks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match="cannot be read: no such file"):
        run_script(TREE, tmp_path / "cleanup.sh", tmp_path)
    (tmp_path / "with blank").mkdir()
    with pytest.raises(ScriptError, match="would not read that path as one word"):
        run(tmp_path / "with blank", "true")


def test_a_link_to_a_file_of_the_layer_becomes_that_file(tmp_path: Path) -> None:
    change = run(tmp_path, "cd python; mv a.py real.py; ln -s real.py a.py; ln -s ../a.py pkg/deep.py")
    archive = write_zip(change.tree, tmp_path / "layer.zip")
    with zipfile.ZipFile(archive.path) as reader:
        assert reader.read("python/a.py") == reader.read("python/pkg/deep.py") == b"alpha"
    assert [entry.path for entry in change.added] == ["python/pkg/deep.py", "python/real.py"]
    assert change.replaced == ()


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        ("ln -s /etc/passwd python/x", "a link that leads to no file of the layer"),
        ("ln -s nowhere python/x", "a link that leads to no file of the layer"),
        ("ln -s pkg python/x", "a link that leads to no file of the layer"),
        ("ln -s ../cleanup.sh x", "a link that leads to no file of the layer"),
        ("mkfifo python/x", "python/x, which is neither a file nor a folder"),
        ("touch python/$(printf '\\377')", "a name that no layer can hold"),
        ("touch 'python/back\\slash'", "a name that no layer can hold"),
    ],
)
def test_what_no_layer_can_hold_is_refused(tmp_path: Path, command: str, complaint: str) -> None:
    with pytest.raises(ScriptError, match=complaint):
        run(tmp_path, command)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may read everything")
def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match=r"python/a\.py, which cannot be read"):
        run(tmp_path, "chmod 000 python/a.py")


def test_emptied_folders_are_gone(tmp_path: Path) -> None:
    change = run(tmp_path, "rm python/pkg/tests/t.py; mkdir python/empty")
    assert not any("tests" in path or "empty" in path for path in change.tree.entries)


def test_large_files_are_compared_as_well(tmp_path: Path) -> None:
    tree = inline_tree({"python/x.so": noise(3 << 20), "python/y.so": noise(3 << 20)})
    change = run(tmp_path, "printf X | dd of=python/y.so conv=notrunc bs=1 seek=3000000 2>/dev/null", tree)
    assert [old.path for old, _ in change.replaced] == ["python/y.so"]


def test_children_that_a_script_leaves_behind_die_with_it(tmp_path: Path) -> None:
    change = run(tmp_path, "sleep 60 & echo $! > python/pid")
    (pid,) = change.added
    assert isinstance(pid.content, DiskFile)
    assert _is_gone(int(pid.content.path.read_text()))


def test_an_interrupted_script_dies_with_its_children(tmp_path: Path) -> None:
    (tmp_path / "cleanup.sh").write_text(
        "sleep 60 & echo $! > /tmp/layer/pids; echo $$ >> /tmp/layer/pids; wait"
    )
    (tmp_path / "staging").mkdir()
    program = textwrap.dedent("""
        import sys
        from pathlib import Path
        from layercraft.layer.script import run_script
        from layercraft.layer.tree import Tree

        run_script(Tree(entries={}), Path("cleanup.sh"), Path("staging"))
    """)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, stderr=subprocess.PIPE
    ) as process:
        pids = _eventually_two_lines(tmp_path / "staging/layer/pids")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert errors.strip().endswith(b"KeyboardInterrupt")
    assert all(_is_gone(pid) for pid in pids)


def _eventually_two_lines(path: Path) -> list[int]:
    for _ in range(400):
        lines = path.read_text().split() if path.exists() else []
        if len(lines) == 2:
            return [int(line) for line in lines]
        time.sleep(0.05)
    raise AssertionError("the script did not start")


def _is_gone(pid: int) -> bool:
    for _ in range(100):
        status = Path(f"/proc/{pid}/stat")
        try:
            os.kill(pid, 0)
            if status.exists() and status.read_text().rsplit(") ", 1)[1].startswith("Z"):
                return True  # dead, and not yet collected by its new parent
        except (ProcessLookupError, FileNotFoundError):
            return True
        time.sleep(0.05)
    return False
