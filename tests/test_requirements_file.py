from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement

from layercraft.errors import RequirementError, UsageError
from layercraft.recipe.requirement_lines import logical_lines
from layercraft.recipe.requirements import Requested, RequirementsInput
from layercraft.recipe.requirements_file import Include, Setting, parse_requirements, read_requirements

if TYPE_CHECKING:
    from pathlib import Path

A, B = "a" * 64, "b" * 64
WHEEL = "https://files.example/numpy-2.2.6-cp313-cp313-manylinux_2_17_x86_64.whl"


def entries(text: str, **environment: str) -> tuple[Requested | Include | Setting, ...]:
    parsed = parse_requirements(text, source="requirements.txt", environment=environment)
    assert parsed.problems == ()
    return parsed.entries


def requested(text: str, **environment: str) -> list[Requested]:
    return [entry for entry in entries(text, **environment) if isinstance(entry, Requested)]


def problem(text: str) -> RequirementError:
    [found] = parse_requirements(text, source="requirements.txt", environment={}).problems
    return found


def read(folder: Path, **environment: str) -> RequirementsInput:
    return read_requirements(folder / "requirements.txt", environment=environment)


def write(folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")


# What a line says


def test_each_requirement_knows_its_line() -> None:
    found = requested("# first\n\nnumpy\n  Zope.Interface >= 5 # why\n")
    assert [(one.name, one.source) for one in found] == [
        ("numpy", "requirements.txt, line 3"),
        ("zope-interface", "requirements.txt, line 4"),
    ]


def test_extras_specifiers_and_markers_stay_as_written() -> None:
    text = 'fastapi[standard,all] >=0.110,<1; python_version < "3.13"'
    assert requested(text)[0].requirement == Requirement(text)


def test_a_hash_sign_opens_a_comment_only_after_white_space() -> None:
    found = requested(f"numpy @ {WHEEL}#sha256={A} # the comment")[0]
    assert found.hashes == (A,)
    assert found.url == WHEEL


def test_a_continued_line_is_one_line_and_counts_from_its_first() -> None:
    found = requested(f"six \\\n  --hash=sha256:{A} \\\n  --hash sha256:{B.upper()}\nattrs\n")
    assert [(one.name, one.hashes, one.source) for one in found] == [
        ("six", (A, B), "requirements.txt, line 1"),
        ("attrs", (), "requirements.txt, line 4"),
    ]


def test_a_comment_ends_a_continuation() -> None:
    assert [one.name for one in requested("six \\\n# a comment \\\nattrs")] == ["six", "attrs"]


def test_a_backslash_on_the_last_line_joins_nothing() -> None:
    assert [one.name for one in requested("six \\")] == ["six"]


def test_windows_line_ends_change_nothing() -> None:
    assert requested("six>=1\r\nattrs \\\r\n >=20\r\n") == requested("six>=1\nattrs \\\n >=20\n")


def test_variables_come_from_the_environment_given() -> None:
    assert str(requested("numpy==${NUMPY_1}", NUMPY_1="2.0")[0]) == "numpy==2.0"
    assert str(requested("numpy ; os_name == '${lower}$X'")[0]) == 'numpy; os_name == "${lower}$X"'


def test_a_bare_url_of_a_wheel_is_named_by_its_file() -> None:
    found = requested(f'{WHEEL}#sha256={A}; python_version >= "3.12"')[0]
    assert (found.name, found.url, found.hashes) == ("numpy", WHEEL, (A,))
    assert str(found.requirement.marker) == 'python_version >= "3.12"'


def test_a_marker_may_follow_a_url_without_a_space() -> None:
    found = requested(f'numpy @ {WHEEL}; sys_platform == "linux"')[0]
    assert (found.url, str(found.requirement.marker)) == (WHEEL, 'sys_platform == "linux"')


def test_a_wheel_of_a_local_version_is_named_through_its_escaped_url() -> None:
    url = "http://127.0.0.1/torch-2.6.0%2Bcpu-cp313-cp313-linux_x86_64.whl"
    found = requested(url)[0]
    assert (found.name, found.filename) == ("torch", "torch-2.6.0+cpu-cp313-cp313-linux_x86_64.whl")


def test_options_that_change_nothing_for_wheels_are_taken_silently() -> None:
    lines = ("--only-binary :all:", "--prefer-binary", "--trusted-host=index.example", "--use-feature x")
    assert entries("\n".join(lines)) == ()
    assert requested("six --config-settings a=b --global-option=x")[0].hashes == ()


@pytest.mark.parametrize(
    "line", ["-r base.txt", "-rbase.txt", "--requirement base.txt", "--requirement=base.txt"]
)
def test_an_option_may_be_written_in_each_of_its_ways(line: str) -> None:
    assert entries(line) == (
        Include(kind="requirements", path="base.txt", source="requirements.txt, line 1"),
    )


def test_one_line_may_hold_several_options() -> None:
    found = entries("--pre --index-url https://i.example/simple --require-hashes")
    names = [entry.name for entry in found if isinstance(entry, Setting)]
    assert names == ["pre", "index-url", "require-hashes"]


@given(st.lists(st.sampled_from(["six", "attrs>=20", "numpy==2.*", "rich[jupyter]"]), max_size=8), st.data())
def test_comments_blank_lines_and_continuations_never_change_the_requirements(
    texts: list[str], data: st.DataObject
) -> None:
    def disguised(text: str) -> str:
        before = data.draw(st.sampled_from(["", "\n", "# six\n", "  # \\\n", " \\\n", "\t"]))
        after = data.draw(st.sampled_from(["", "  ", " # six", "\t#", " \\\n", " \\\n # six", "\n\n"]))
        return f"{before}{text}{after}"

    found = requested("\n".join(f"{disguised(text)}\n" for text in texts))
    assert [one.requirement for one in found] == [Requirement(text) for text in texts]


@given(st.text())
def test_no_text_at_all_brings_the_parser_down(text: str) -> None:
    parsed = parse_requirements(text, source="x", environment={})
    assert all(str(one).startswith("x, line ") and "\n" not in str(one) for one in parsed.problems)


@given(st.text(alphabet=st.sampled_from("a#\\ \n"), max_size=30))
def test_logical_lines_hold_no_line_end_and_number_upwards(text: str) -> None:
    lines = list(logical_lines(text))
    assert all(line.text.strip() and "\n" not in line.text for line in lines)
    numbers = [line.number for line in lines]
    assert numbers == sorted(set(numbers))


# What is refused


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("-e .", "editable"),
        ("-e git+https://host.example/x.git", "editable"),
        ("--editable=./pkg", "editable"),
        ("git+https://host.example/x.git@main", "repository"),
        ("git+ssh://host.example/x.git#egg=x", "repository"),
        ("git@host.example:x/x.git", "repository"),
        ("x @ git+https://host.example/x.git", "repository"),
        ("x @ hg+https://host.example/x", "repository"),
        (".", "local path"),
        (".[dev]", "local path"),
        ("./pkg", "local path"),
        ("../pkg", "local path"),
        ("/opt/pkg", "local path"),
        ("~/pkg", "local path"),
        ("libs/pkg", "local path"),
        ("C:\\libs\\pkg", "local path"),
        ("file:///opt/pkg", "local path"),
        ("x @ file:///opt/pkg", "local path"),
        ("x @ ./pkg", "local path"),
        ("./x-1.0.tar.gz", "local source archive"),
        ("x-1.0.tar.gz", "local source archive"),
        ("x-1.0.zip", "local source archive"),
        ("./x-1.0-py3-none-any.whl", "not supported yet"),
        ("x-1.0-py3-none-any.whl", "not supported yet"),
        ("x @ file:///opt/x-1.0-py3-none-any.whl", "not supported yet"),
        ("https://host.example/x-1.0.tar.gz", "not the address of a wheel"),
        ("x @ https://host.example/x-1.0.zip", "not the address of a wheel"),
        ("x @ https://host.example/archive/main", "not the address of a wheel"),
        ("x @ https://host.example/x.whl", "no wheel by its name"),
        ("y @ https://host.example/x-1.0-py3-none-any.whl", "wheel of x"),
        ("x @ ftp://host.example/x-1.0-py3-none-any.whl", "neither http nor https"),
        ("s3://bucket/x-1.0-py3-none-any.whl", "neither http nor https"),
        ("--extra-index-url https://host.example/simple", "second index"),
        ("-f ./wheels", "beside the index"),
        ("--find-links=https://host.example/", "beside the index"),
        ("--no-index", "no index"),
        ("--no-binary :all:", "from source"),
        ("--index-url ./mirror", "neither http nor https"),
        ("-r https://host.example/base.txt", "by its URL"),
        ("-c file:///base.txt", "by its URL"),
        ("-r", "lacks a value for -r"),
        ("--pre=yes", "has a value for --pre"),
        ("--requirment base.txt", "unknown option --requirment; did you mean --requirement?"),
        ("six --index-url https://host.example", "--index-url, which does not go with a requirement"),
        ("six --hash=sha256:1234", "not 64 hexadecimal digits"),
        ("six --hash", "without its value"),
        (f"six --hash=sha512:{A}", "no sha256 hash, only sha512"),
        ("x @ https://host.example/x-1.0-py3-none-any.whl#md5=1", "no sha256 hash, only md5"),
        ("-r 'base.txt", "quotation mark"),
        ("numpy>=1.x", "not a valid requirement: Expected"),
        ("numpy; python_versio < '3'", "not a valid requirement: Expected a marker variable"),
        ("numpy==${MISSING}", "environment variable MISSING, which is not set"),
    ],
)
def test_what_no_layer_can_be_made_of_is_refused_with_its_line(line: str, why: str) -> None:
    found = problem(f"six\n\n{line}\n")
    assert found.message.startswith(f"requirements.txt, line 3: `{line}`")
    assert why in found.message
    assert "\n" not in found.message


@pytest.mark.parametrize(
    "line", ["-e .", "git+https://h.example/x", "./x", "x @ https://h.example/x.tar.gz", "-f x"]
)
def test_a_refusal_says_the_way_out(line: str) -> None:
    assert problem(line).hint


def test_a_single_equals_sign_is_corrected() -> None:
    assert problem("numpy=2.0").hint == "an exact version is written with =="


def test_a_sha512_beside_a_sha256_is_passed_over() -> None:
    assert requested(f"six --hash=sha512:{A}{A} --hash=sha256:{B}")[0].hashes == (B,)


def test_messages_hold_no_credentials() -> None:
    message = problem("x @ https://user:secret@host.example/x-1.0.tar.gz").message
    assert "secret" not in message
    assert "//host.example" in message


def test_messages_hold_no_values_of_variables() -> None:
    text = "x @ https://host.example/x-1.tar.gz?token=${TOKEN}"
    [found] = parse_requirements(text, source="x", environment={"TOKEN": "secret"}).problems
    assert "${TOKEN}" in found.message
    assert "secret" not in str(found)


def test_a_requirement_is_shown_without_its_credentials() -> None:
    assert "secret" not in str(requested("x @ https://u:secret@h.example/x-1-py3-none-any.whl")[0])


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    write(tmp_path, requirements="-e .\nsix\n-r base.txt\nnumpy=2\n", base="./pkg\n")
    with pytest.raises(RequirementError) as caught:
        read(tmp_path)
    lines = caught.value.message.splitlines()
    assert [line.split("txt, ")[1].split(":")[0] for line in lines] == ["line 1", "line 4", "line 1"]
    assert "with ==" in lines[1]
    assert isinstance(caught.value, UsageError)


# Files


def test_includes_are_read_in_place_and_relative_to_their_file(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    write(tmp_path, requirements="six\n-r sub/base.txt\nrich\n-c limits.txt\n", limits="numpy<2\n")
    write(tmp_path / "sub", base="attrs\n-r more.txt\n-c ../limits.txt\n", more="numpy\n")
    found = read(tmp_path)
    assert [one.name for one in found.requirements] == ["six", "attrs", "numpy", "rich"]
    assert [str(one) for one in found.constraints] == ["numpy<2", "numpy<2"]
    assert found.requirements[2].source == f"{tmp_path / 'sub' / 'more.txt'}, line 1"
    assert [path.name for path in found.files] == [
        "requirements.txt",
        "base.txt",
        "more.txt",
        "limits.txt",
        "limits.txt",
    ]


def test_settings_of_included_files_count(tmp_path: Path) -> None:
    write(
        tmp_path,
        requirements="-r base.txt\n-i https://i.example/s\n",
        base="six\n--pre\n-i https://i.example/s\n",
    )
    found = read(tmp_path)
    assert found.prereleases
    assert found.index_url == "https://i.example/s"
    assert not found.require_hashes


def test_two_different_indexes_are_refused_without_showing_them(tmp_path: Path) -> None:
    write(tmp_path, requirements="six\n-i https://u:secret@one.example\n-i https://two.example\n")
    with pytest.raises(RequirementError, match=r"line 3: names another index than .*line 2") as caught:
        read(tmp_path)
    assert "secret" not in str(caught.value)


def test_files_that_include_each_other_are_refused(tmp_path: Path) -> None:
    write(tmp_path, requirements="six\n-r base.txt\n", base="attrs\n-c requirements.txt\n")
    with pytest.raises(
        RequirementError, match=r"base\.txt, line 2: .*requirements\.txt → base\.txt → requirements"
    ):
        read(tmp_path)


def test_a_file_may_be_included_twice(tmp_path: Path) -> None:
    write(tmp_path, requirements="-r a.txt\n-r b.txt\n", a="-r c.txt\n", b="-r c.txt\n", c="six\n")
    assert [one.name for one in read(tmp_path).requirements] == ["six", "six"]


def test_a_missing_include_is_told_with_the_line_that_names_it(tmp_path: Path) -> None:
    write(tmp_path, requirements="six\n-r absent.txt\n")
    with pytest.raises(
        RequirementError, match=r"requirements\.txt, line 2: cannot read .*absent\.txt: no such"
    ):
        read(tmp_path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(RequirementError, match=r"^cannot read .*requirements\.txt: no such"):
        read(tmp_path)


def test_a_file_that_asks_for_nothing_is_refused(tmp_path: Path) -> None:
    write(tmp_path, requirements="# numpy\n")
    with pytest.raises(RequirementError, match="asks for no package"):
        read(tmp_path)


@pytest.mark.parametrize(
    "data",
    [
        codecs.BOM_UTF8 + b"six # \xc3\xa9",
        codecs.BOM_UTF16_LE + "six # é".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + "six".encode("utf-16-be"),
        b"# -*- coding: latin-1 -*-\nsix # \xe9",
    ],
)
def test_byte_order_marks_and_declared_encodings_are_followed(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "requirements.txt").write_bytes(data)
    assert [one.name for one in read(tmp_path).requirements] == ["six"]


def test_bytes_that_are_not_utf8_are_told_with_their_line(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_bytes(b"six\nattrs # caf\xe9\n")
    with pytest.raises(RequirementError, match=r"requirements\.txt, line 2: the bytes are not utf-8"):
        read(tmp_path)


def test_an_unknown_encoding_is_told(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_bytes(b"# coding: klingon\nsix\n")
    with pytest.raises(RequirementError, match="unknown encoding: klingon"):
        read(tmp_path)


@pytest.mark.parametrize(("line", "what"), [("six[all]<2", "extras"), (f"numpy @ {WHEEL}", "an address")])
def test_a_constraint_narrows_versions_and_nothing_else(tmp_path: Path, line: str, what: str) -> None:
    write(tmp_path, requirements="six\n-c limits.txt\n", limits=line)
    with pytest.raises(RequirementError, match=rf"limits\.txt, line 1: .* is a constraint with {what}"):
        read(tmp_path)


def test_require_hashes_asks_each_requirement_for_one(tmp_path: Path) -> None:
    write(tmp_path, requirements=f"--require-hashes\nsix --hash=sha256:{A}\nattrs\nrich\n-c limits.txt\n")
    write(tmp_path, limits=f"rich==1 --hash=sha256:{B}\n")
    with pytest.raises(RequirementError) as caught:
        read(tmp_path)
    assert "line 3: attrs has no --hash" in caught.value.message
    assert "rich" not in caught.value.message


# Requirements of the command line


def test_requirements_of_the_command_line_are_read_alike() -> None:
    found = RequirementsInput.of(["pandas>=2", f"six --hash=sha256:{A}"])
    assert [(one.name, one.hashes, one.source) for one in found.requirements] == [
        ("pandas", (), "--require"),
        ("six", (A,), "--require"),
    ]


def test_all_bad_requirements_of_the_command_line_are_told_at_once() -> None:
    with pytest.raises(RequirementError) as caught:
        RequirementsInput.of(["pandas=2", "six", "./x"])
    assert len(caught.value.message.splitlines()) == 2
