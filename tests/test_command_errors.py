"""What cannot be done is told in one line, with the exit code of its kind, and nothing is written."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from command_line import CommandLine, Ran
    from local_index import LocalIndex

FILES = {
    "text": "no zip\n",
    "layers/key/requirements.txt": "plain\n",
    "layers/key/layer.toml": "[cleanup]\nremov = []\n",
    "layers/toml/requirements.txt": "plain\n",
    "layers/toml/layer.toml": 'description = "x"\n[cleanup\n',
    "layers/value/requirements.txt": "plain\n",
    "layers/value/layer.toml": '[cleanup]\npreset = "saef"\n[limits]\nunzipped = "lots"\n',
    "layers/line/requirements.txt": "plain\n\nlib==\n",
    "layers/bare/layer.toml": 'description = "x"\n',
    "layers/deep/requirements.txt": "plain\n",
    "layers/deep/layer.toml": f"exclude = {'[' * 5000}",
    "layers/digits/requirements.txt": "plain\n",
    "layers/digits/layer.toml": f"[limits]\nunzipped = {'9' * 5000}\n",
    "layers/huge/requirements.txt": "plain\n",
    "layers/huge/layer.toml": f'[limits]\nunzipped = "{"9" * 500} GB"\n',
    "deep.txt": f"lib; {'(' * 1500}os_name == 'posix'{')' * 1500}\n",
    "digits.txt": f"lib=={'9' * 5000}\n",
    "pylock.deep.toml": f"x = {'[' * 5000}",
    "editable.txt": "plain\n-e .\n",
    "repository.txt": "git+https://example.invalid/a/b\n",
    "indexes.txt": "--extra-index-url https://example.invalid/simple\nplain\n",
    "empty.txt": "# nothing\n",
    "pylock.broken.toml": "x = [",
}

# Words of a command line -> what stands in its one line.
WRONG = {
    "build": "nothing to build",
    "build jinj": "unknown recipe 'jinj'; did you mean jinja?",
    "build key": "layers/key/layer.toml: cleanup.remov: unknown key; did you mean cleanup.remove?",
    "build toml": "layers/toml/layer.toml, line 2: not valid TOML",
    "build line": "layers/line/requirements.txt, line 3: `lib==` is not a valid requirement",
    "build deep": "layers/deep/layer.toml, line 1: not valid TOML: ",
    "build digits": "layers/digits/layer.toml, line 2: not valid TOML: ",
    "build huge": "layers/huge/layer.toml: limits.unzipped: expected a size",
    "build --requirements deep.txt": "its marker is nested too deeply",
    "build --requirements digits.txt": "it has 5,005 characters",
    "build bare": "layers/bare is no recipe: it has no requirements.txt",
    "build jinja --require lib": "recipes (jinja) and --require or --requirements cannot be mixed",
    "build jinja --name x": "--name goes with --require or --requirements",
    "build --require lib --name a.b": "--name a.b: AWS allows letters, digits, - and _",
    "build --require lib -r 3.7": "unknown runtime '3.7'; did you mean python3.8?",
    "build --require lib -a amr64": "unknown architecture 'amr64'; did you mean arm64?",
    "build --require lib=1": "--require: `lib=1` is not a valid requirement",
    "build --require ./lib.whl": "`./lib.whl` is a wheel on this machine",
    "build --requirements editable.txt": "editable.txt, line 2: `-e .` is an editable install",
    "build --requirements repository.txt": "repository.txt, line 1: `git+https://example.invalid/a/b`",
    "build --requirements indexes.txt": "indexes.txt, line 1: ",
    "build --requirements empty.txt": "empty.txt asks for no package",
    "build --requirements absent.txt": "cannot read absent.txt: no such file",
    "build --require lib --exclude a>b": '--exclude "a>b" cannot match a distribution\'s name',
    "build --require lib --lock pylock.broken.toml": "so it cannot stand beside --require",
    "build --require lib --index-api xml": "--index-api xml: no such choice",
    "build --require lib --index-url ftp://host/simple": "'ftp://host/simple': not an http or https address",
    "build --require lib --index-url http://[::1": "not an http or https address",
    "build --require lib --index-url https://me:secret@host": "index URL of host: it holds a user name",
    "build --require lib --top 0": "--top",
    "build --nonsense": "--nonsense",
    "nonsense": "nonsense",
    "cache prune --older-than soon": "--older-than",
    "new mine": "--require",
    "analyze text": "text is no zip file",
}


def one_line(layercraft: CommandLine, ran: Ran) -> str:
    """See that a text holds one line of error, perhaps a hint, and no more; give the error."""
    assert ran.out == ""
    assert ran.lines[0].startswith("error: ")
    assert all(line.startswith("hint: ") for line in ran.lines[1:])
    assert len(ran.lines) <= 2
    assert layercraft.made() == []
    return ran.lines[0]


def one_document(layercraft: CommandLine, ran: Ran) -> str:
    """See that stdout holds one JSON document of an error, stderr none; give the message."""
    assert list(ran.document) == ["error"]
    assert list(ran.document["error"]) == ["kind", "message", "hint"]
    assert all(line.startswith(("note: ", "warning: ")) for line in ran.err.splitlines())
    assert layercraft.made() == []
    return str(ran.document["error"]["message"])


@pytest.mark.parametrize("words", WRONG)
def test_wrong_input_is_one_line_and_exit_2(layercraft: CommandLine, words: str) -> None:
    layercraft.write(FILES)
    ran = layercraft(*words.split())
    assert ran.code == 2
    assert WRONG[words] in one_line(layercraft, ran)
    assert "secret" not in ran.err
    assert "note: " not in ran.err


@pytest.mark.parametrize("words", list(WRONG)[::6])
def test_wrong_input_is_one_document_under_json(layercraft: CommandLine, words: str) -> None:
    layercraft.write(FILES)
    ran = layercraft(*words.split(), "--json")
    assert ran.code == 2
    assert one_document(layercraft, ran)


def test_all_that_is_wrong_in_a_file_is_told_at_once(layercraft: CommandLine) -> None:
    layercraft.write(FILES)
    ran = layercraft("build", "value")
    assert ran.code == 2
    assert [line.partition("layer.toml: ")[2].partition(":")[0] for line in ran.lines] == [
        "cleanup.preset",
        "limits.unzipped",
    ]


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


FAILED = {
    "build --require absent": "absent: the index has no package of this name",
    "lock --require absent": "absent: the index has no package of this name",
    "build --require lib -o text": "text is a file, not a folder",
    "build --require lib -o text/below": "text/below",
    "lock --require lib -o text": "text is a file, not a folder",
    "build --require lib --cache-dir text": "cannot write to the cache text: not a directory",
    "build --require lib --unpacked text": "text is not a folder",
    "build --require lib --offline": "is not in the cache, and asking for it is forbidden",
    "build --lock pylock.broken.toml": "pylock.broken.toml: not valid TOML",
    "build --lock pylock.deep.toml": "pylock.deep.toml: not valid TOML",
    "build --lock text": "text: a lock file is named pylock.toml or pylock.NAME.toml",
}


@pytest.mark.parametrize("words", FAILED)
def test_a_failed_job_is_one_line_and_exit_1(layercraft: CommandLine, words: str) -> None:
    layercraft.write(FILES)
    ran = layercraft(*words.split())
    assert ran.code == 1
    assert FAILED[words] in one_line(layercraft, ran)


@pytest.mark.parametrize("words", list(FAILED)[::5])
def test_a_failed_job_is_one_document_under_json(layercraft: CommandLine, words: str) -> None:
    layercraft.write(FILES)
    ran = layercraft(*words.split(), "--json")
    assert ran.code == 1
    assert FAILED[words] in one_document(layercraft, ran)


@pytest.mark.parametrize(
    ("options", "facts", "hint"),
    [
        (
            ["--require", "source-only"],
            ["you ask for source-only (--require)", "source-only 1.0: only a source distribution, no wheel"],
            "source-only has no usable wheel for any Lambda runtime",
        ),
        (
            ["--require", "old-app", "--require", "new-app"],
            ["old-app 1.0 requires lib<2", "new-app 1.0 requires lib>=2"],
            "",
        ),
        (
            ["--require", "native", "-r", "3.11"],
            ["no wheel for python3.11 on x86_64"],
            "native has wheels for python3.12 x86_64, python3.13 x86_64",
        ),
        (["--require", "plain>=3"], ["the index has no version >=3; the newest for this target is 1.1"], ""),
    ],
)
def test_no_solution_is_derived_in_a_few_lines(
    layercraft: CommandLine, options: list[str], facts: list[str], hint: str
) -> None:
    ran = layercraft("build", *options)
    assert (ran.code, ran.out) == (1, "")
    assert ran.lines[0].startswith("error: no set of wheels for python3.1")
    assert all(any(fact in line for line in ran.lines) for fact in facts)
    assert f"hint: {hint}" in ran.err if hint else True
    assert len(ran.lines) < 8
    assert layercraft.made() == []


def test_an_index_that_does_not_answer_is_named(layercraft: CommandLine) -> None:
    port = closed_port()
    ran = layercraft("build", "--require", "lib", "--index-url", f"http://127.0.0.1:{port}/simple")
    assert ran.code == 1
    assert f"127.0.0.1:{port}" in one_line(layercraft, ran)
    assert "cannot be reached: connection refused" in ran.lines[0]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"status": 503, "headers": {"retry-after": "0"}}, "503 (Service Unavailable)"),
        ({"status": 401}, "401"),
        ({"status": 403}, "403"),
        ({"status": 418}, "418"),
        ({"status": 200, "body": b"<html>", "headers": {"content-type": "text/html"}}, "HTML"),
        (
            {"status": 200, "body": b'{"info": ', "headers": {"content-type": "application/json"}},
            "/lib/: not a page",
        ),
        (
            {"status": 200, "body": b"[]", "headers": {"content-type": "application/json"}},
            "/lib/: not a page",
        ),
    ],
    ids=lambda value: str(value.get("status")) if isinstance(value, dict) else value,
)
def test_an_index_that_answers_something_else_is_told(
    layercraft: CommandLine, index: LocalIndex, fault: dict[str, int], reason: str
) -> None:
    index.fail("/", **fault)
    ran = layercraft("build", "--require", "lib", "--json")
    assert ran.code == 1
    message = one_document(layercraft, ran)
    assert index.url.removeprefix("http://") in message
    assert reason in message
    assert "\n" not in message


def test_a_file_that_is_gone_from_its_host_is_named(layercraft: CommandLine, index: LocalIndex) -> None:
    index.fail("/files/", status=404)
    ran = layercraft("build", "--require", "lib")
    assert ran.code == 1
    assert "lib-2.0-py3-none-any.whl" in one_line(layercraft, ran)


def test_errors_are_one_document_whatever_they_quote(layercraft: CommandLine) -> None:
    ran = layercraft("build", 'a"b\n{}', "--json")
    assert json.loads(ran.out)["error"]["message"].startswith("unknown recipe")
