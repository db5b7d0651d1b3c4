"""Scripts made of find and rm, said in globs: what the shell leaves is what the globs leave."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trees import inline_tree

from layercraft.errors import ScriptError
from layercraft.layer.rules import Rule, clean
from layercraft.layer.script import run_script
from layercraft.recipe.script_globs import ScriptGlobs, globs_of_script

if TYPE_CHECKING:
    from pathlib import Path

LAYER = "/tmp/layer"  # noqa: S108 (the name that scripts use; nothing is there)
P = f"{LAYER}/python"
FILES = [
    "a/__init__.py",
    "a/tests/__init__.py",
    "a/tests/data/x.csv",
    "a/b/tests/x.py",
    "a/b/data/y.csv",
    "a/b/c/data/deep/z.c",
    "a/data/x.c",
    "b/tests.py",
    "b/x.c",
    "b/a/x.py",
    "tests/x.py",
    "x.c",
    "x-1.0.dist-info/METADATA",
    ".hidden/x.py",
]
STARTS = st.sampled_from([P, f"{P}/", f"{P}/a", f"'{P}/a/b'", "python", ".", LAYER, f"{P}/*"])
NAMES = st.sampled_from(["tests", "data", "a", "b", "*", "t*", "*a", "*.dist-info", "[ab]", "?"])
FILE_NAMES = st.sampled_from(["*.c", "x.*", "*.py", "x.py", "?.c", "*s.p*", "[!x]*.py", "nothing"])
FORMS = st.one_of(
    st.builds("find {} -type f -name '{}' -delete".format, STARTS, FILE_NAMES),
    st.builds("find {} -iname '{}' -type f -exec rm {{}} \\;".format, STARTS, FILE_NAMES),
    st.builds("find {} -name '{}' -exec rm -rf {{}} + || true".format, STARTS, FILE_NAMES),
    st.builds("find {} -mindepth 1 -type d -name '{}' | xargs -r rm -rf".format, STARTS, NAMES),
    st.builds("find {} -path '**/{}/*' -delete".format, STARTS, NAMES),
    st.builds("find {} -path '*/{}/*/{}/*' -delete".format, STARTS, NAMES, NAMES),
    st.builds("find {} -path '*/{}/{}' -type f -delete".format, STARTS, NAMES, FILE_NAMES),
    st.builds(f"find {P} -path '{P}/{{}}/*' -delete".format, NAMES),
    st.builds("find {} -type f -path '*/{}*{}' -delete".format, STARTS, NAMES, FILE_NAMES),
    st.builds("find {} -path '*{}*/*' -delete".format, STARTS, NAMES),
    st.builds("find {} -type f -name '{}' ! -path '*/{}/*' -delete".format, STARTS, FILE_NAMES, NAMES),
    st.builds(
        "find {} \\( -name '{}' -o -name '{}' \\) -type f -delete".format, STARTS, FILE_NAMES, FILE_NAMES
    ),
    st.builds("find {} -maxdepth 1 -type f -name '{}' -delete".format, STARTS, FILE_NAMES),
    st.builds(f"rm -rf {P}/{{}} {P}/{{}}/{{}}".format, NAMES, NAMES, FILE_NAMES),
    st.builds("rm -rf {}/{} {}/*/{}".format, st.just(LAYER), NAMES, st.just(LAYER), NAMES),
    st.builds("cd {0} && rm -rf {1}; cd /tmp/layer".format, st.just(P), NAMES),
    st.builds("find {} -type d -empty -delete".format, STARTS),
)


def left_by_script(folder: Path, text: str, files: list[str]) -> list[str]:
    script = folder / "cleanup.sh"
    script.write_text(text, encoding="utf-8")
    staging = folder / "staging"
    staging.mkdir()
    tree = inline_tree({f"python/{name}": b"" for name in files})
    change = run_script(tree, script, staging, search_path="/usr/bin:/bin")
    return [path.removeprefix("python/") for path in change.tree.entries]


def left_by_globs(found: ScriptGlobs, files: list[str]) -> list[str]:
    tree = inline_tree({f"python/{name}": b"" for name in files})
    rules = [Rule.of_glob(each.glob, source="x") for each in found.globs if not each.keeps]
    keep = [Rule.of_glob(each.glob, source="x") for each in found.globs if each.keeps]
    changes = clean(tree, rules, keep=keep)
    return [path.removeprefix("python/") for path in (changes[-1].tree if changes else tree).entries]


def said(text: str) -> list[str]:
    """Give the globs of a script that can be converted as a whole."""
    found = globs_of_script(text)
    assert found.unconverted == ()
    return [("!" if each.keeps else "") + each.glob for each in found.globs]


def why(text: str) -> str:
    """Give why the one line of a script cannot be converted."""
    found = globs_of_script(text)
    assert found.globs == ()
    (problem,) = found.unconverted
    return problem.why


@pytest.mark.skipif(not sys.platform.startswith("linux") or not shutil.which("find"), reason="GNU find")
@settings(deadline=None, max_examples=120)
@given(FORMS)
def test_globs_leave_what_the_shell_leaves(tmp_path_factory: pytest.TempPathFactory, line: str) -> None:
    found = globs_of_script(line)
    if not found.unconverted:
        try:
            left = left_by_script(tmp_path_factory.mktemp("script"), f"{line}\ntrue\n", FILES)
        except ScriptError:  # it removed the whole layer
            left = []
        assert left_by_globs(found, FILES) == left, found.globs


@pytest.mark.parametrize(
    ("line", "globs"),
    [
        (f'find {P}/ -path "**/*.dist-info/*" -delete', ["*.dist-info/"]),
        (f'find {P}/ -path "**/tests/*" -not -path "**/a/tests/*" -delete', ["tests/", "!**/a/tests/"]),
        (f'find {P} -name "*fortran*.so" -delete', ["*fortran*.so"]),
        (
            f'find {P}/pandas -name "data" -type d -exec rm -rf {{}} + 2>/dev/null || true',
            ["/pandas/**/data/"],
        ),
        (f"rm -rf {P}/pandas/io/sas", ["/pandas/io/sas"]),
        (f"rm -rf {P}/boto3* {P}/numpy/{{doc,tests}}", ["/boto3*", "/numpy/doc", "/numpy/tests"]),
        (f"rm -rf '{P}/a*' {P}/b\\*", ["/a\\*", "/b\\*"]),
        (f"cd {P} && rm -rf a ../../x; rm -rf ./b", ["/a", "/b"]),
        ("rm -rf ${LAYER_DIR}/python/x", ["/x"]),
        (f"D={P}\nrm -rf $D/x \"$D\"/y '$D/z'", ["/x", "/y"]),
        (f"find {P} -name '*.so' | xargs -r", []),
        (f"find {P} -name '*.pyc' -print0 | xargs -0 rm -f", ["*.pyc"]),
        (f"find {P} -name a -prune -o -name '*.c' -print | xargs rm", ["*.c", "!a"]),
        (f"find {P} -name '*.pyc' -print -delete", ["*.pyc"]),
        (f"find {P} -name '*.pyc' -print", []),
        (f"find {P} -name __pycache__ -prune -exec rm -rf {{}} +", ["__pycache__"]),
        (f"find {P} -path {P}/a -prune -o -name '*.c' -exec rm {{}} +", ["*.c", "!/a"]),
        (f"find {P} -type l -delete", []),
        (f"rm -rf {LAYER}/*", ["*"]),
        ("rm -rf *; rm -rf p*/a", ["*", "/a"]),
        (f"rm -rf {LAYER}/q* {LAYER}/*/*/x /var/*", ["/[!.]*/x"]),
        ("rm -rf /var/cache/apt  # not of the layer", []),
        ("#!/bin/sh\nset -eu\necho done >&2\nexit 0", []),
    ],
)
def test_lines_that_scripts_have_are_said_in_globs(line: str, globs: list[str]) -> None:
    assert said(line) == globs


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("for d in a b; do\n  rm -rf $d\ndone", "it is a loop"),
        ("if [ -d a ]; then\nrm -rf a\nfi", "it is a condition"),
        ("clean() {\n  rm -rf a\n}", "it is a function"),
        ("(cd a && rm -rf b)", "it is a group of commands"),
        ("cat <<END\nrm -rf a\nEND", "a here-document may hold all that follows"),
        ("rm -rf $(ls)", "what it expands to is known only when the script runs"),
        ('rm -rf "$(ls)"', "what a command prints is known only when the script runs"),
        ("rm -rf `ls`", "what a command prints is known only when the script runs"),
        ("rm -rf $UNKNOWN/x", "the value of $UNKNOWN is known only when the script runs"),
        ("rm -rf 'x", "a quote has no end"),
        ("rm -rf ~/x", "where ~/x leads is known only when the script runs"),
        ("cp a b", "globs cannot say what cp does"),
        ("test -d a && rm -rf a", "globs cannot say what test does"),
        ("false || rm -rf a", "rm runs only where the command before it fails"),
        ("echo x > python/file", "it writes python/file"),
        ("rm -rf a &", "it uses &"),
        ("find . -name '*.so' -exec strip {} +", "strip changes files"),
        ("find . -name '*.so' | xargs strip", "strip changes files"),
        ("find . | grep pyc | xargs rm", "it hands what it finds to grep"),
        ("find . -regex '.*pyc' -delete", "globs know nothing of -regex"),
        ("find . -size +1M -delete", "globs know nothing of -size"),
        ("find . -type f -empty -delete", "globs cannot say -empty"),
        ("find . -maxdepth 3 -name x -delete", "globs cannot say -maxdepth 3"),
        ("find . -name a -path b -delete", "it wants several patterns to match at once"),
        ("find . -name", "it ends too early"),
        ("find . \\( -name x -delete", "it ends too early"),
        ("find . " + "! " * 3000 + "-name x -delete", "it nests more than 50 tests"),
        ("find . " + "\\( " * 3000 + "-name x -delete", "it nests more than 50 tests"),
        ("find . " + "\\( -name a -o -name b \\) " * 3000 + "-delete", "it says more than 1000 alternatives"),
        (f"rm -rf {LAYER}/[^x]*", "whether [^x]* matches python is not looked into"),
        ("find . -name x \\) -delete", "it has ) where nothing more is expected"),
        ("find python -path '*/a*b*c/*' -delete", "the stars in a*b*c may stand for several folders"),
    ],
)
def test_what_globs_cannot_say_is_told_with_its_reason(line: str, problem: str) -> None:
    assert problem in why(line)


def test_lines_are_counted_as_editors_count_them() -> None:
    text = (
        f"# one\n\nrm -rf {P}/a \\\n  {P}/b\nwhile true; do\n  if x; then y; fi\ndone\nrm -rf {P}/c\nmv a b\n"
    )
    found = globs_of_script(text)
    assert [(each.line, each.glob) for each in found.globs] == [(3, "/a"), (3, "/b"), (8, "/c")]
    assert [(each.line, each.text.partition("\n")[0]) for each in found.unconverted] == [
        (5, "while true; do"),
        (9, "mv a b"),
    ]


@given(st.text(alphabet="ab/*?[]{}'\"\\$ \n#;|&<>()-.!find rm", max_size=60))
def test_no_text_makes_it_fail(text: str) -> None:
    found = globs_of_script(text)
    assert all(each.why and each.line >= 1 for each in found.unconverted)
