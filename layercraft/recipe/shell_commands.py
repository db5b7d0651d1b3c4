"""The commands of a shell script, one after the other, each with its line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from layercraft.recipe.shell_words import NotConvertibleError, Operator, Word, script_lines, tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, MutableMapping

    from layercraft.recipe.shell_words import Token

_OPENERS = {"for": "done", "while": "done", "until": "done", "select": "done", "if": "fi", "case": "esac"}
_COMPOUND = {
    "for": "a loop",
    "while": "a loop",
    "until": "a loop",
    "select": "a loop",
    "if": "a condition",
    "case": "a condition",
    "{": "a group of commands",
    "(": "a group of commands",
    "function": "a function",
}
_WORD = re.compile(r"[\w{}()-]+")
_FUNCTION = re.compile(r"[\w-]+\s*\(\s*\)")
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_HARMLESS_TARGETS = ("/dev/null", "/dev/stdout", "/dev/stderr")
_IGNORED_FAILURES = ("true", ":", "exit", "echo", "printf")


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands joined by `|`, each as its words."""

    commands: tuple[tuple[Word, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What one line of a script says: pipelines in their order, or why it cannot be told."""

    line: int
    text: str
    pipelines: tuple[Pipeline, ...] = ()
    problem: str = ""


@dataclass(slots=True)
class Script:
    """Reads a script line by line; assignments that it meets are known to the lines that follow."""

    text: str
    variables: MutableMapping[str, str] = field(default_factory=dict)

    def statements(self) -> Iterator[Statement]:
        """Give what each line says; a loop or another construct of several lines is one statement."""
        lines = script_lines(self.text)
        for number, line in lines:
            if what := _compound(line):
                whole = _to_the_end(line, lines)
                yield Statement(line=number, text=whole, problem=f"it is {what}")
            elif "<<" in line:
                rest = [line, *(text for _, text in lines)]
                yield Statement(
                    line=number, text="\n".join(rest), problem="a here-document may hold all that follows"
                )
            else:
                yield self._statement(number, line)

    def _statement(self, number: int, line: str) -> Statement:
        try:
            found = tuple(self._pipelines(list(tokens(line, self.variables))))
        except NotConvertibleError as error:
            return Statement(line=number, text=line, problem=str(error))
        return Statement(line=number, text=line, pipelines=found)

    def _pipelines(self, found: Iterable[Token]) -> Iterator[Pipeline]:
        """Cut a line at `;`, `&&` and `||`; what runs only after a failure must be harmless."""
        commands: list[list[Word]] = [[]]
        before = ";"
        for token in (*_without_redirections(found), Operator(";")):
            if isinstance(token, Word):
                commands[-1].append(token)
            elif token.text in ("|", "|&"):
                commands.append([])
            elif token.text in (";", "&&", "||"):
                pipeline = Pipeline(tuple(map(tuple, commands)))
                if before == "||":
                    _check_ignored(pipeline)
                elif any(commands) and not self._assigns(pipeline):
                    yield pipeline
                commands, before = [[]], token.text
            else:
                raise NotConvertibleError(f"it uses {token.text}")

    def _assigns(self, pipeline: Pipeline) -> bool:
        """Remember `NAME=value`, where a command is nothing else."""
        words = [word for word in pipeline.commands[0] if word.text not in ("export", "readonly", "local")]
        matches = [_ASSIGNMENT.fullmatch(word.text) for word in words]
        if len(pipeline.commands) > 1 or not all(matches):
            return False
        for match in matches:
            if match:
                self.variables[match[1]] = match[2]
        return True


def _without_redirections(found: Iterable[Token]) -> Iterator[Token]:
    rest = iter(found)
    for token in rest:
        if isinstance(token, Operator) and token.redirects:
            target = next(rest, Operator(""))
            harmless = target.text in _HARMLESS_TARGETS or target.text.isdigit()
            if ">" in token.text and not harmless:
                raise NotConvertibleError(f"it writes {target.text}")
        else:
            yield token


def _check_ignored(pipeline: Pipeline) -> None:
    first = pipeline.commands[0][0].text if pipeline.commands[0] else ""
    if len(pipeline.commands) > 1 or first not in _IGNORED_FAILURES:
        raise NotConvertibleError(f"{first} runs only where the command before it fails")


def _compound(line: str) -> str | None:
    """Tell what a line begins, where that is no simple command."""
    match = _WORD.match(line)
    if _FUNCTION.match(line):
        return _COMPOUND["function"]
    if line.startswith("("):
        return _COMPOUND["("]
    return _COMPOUND.get(match[0]) if match else None


def _to_the_end(line: str, lines: Iterator[tuple[int, str]]) -> str:
    """Take the lines up to the end of a construct of several lines."""
    whole = [line]
    depth = _depth(line)
    while depth > 0:
        following = next(lines, None)
        if following is None:
            break
        whole.append(following[1])
        depth += _depth(following[1])
    return "\n".join(whole)


def _depth(line: str) -> int:
    """Tell how many constructs a line opens, less those that it closes."""
    words = re.findall(r"(?:^|[;&|]|\bdo\b|\bthen\b|\belse\b)\s*([a-z]+|[{}()])", line)
    words += re.findall(r"\)\s*(\{)", line)
    opened = sum(word in _OPENERS or word in "{(" for word in words)
    return opened - sum(word in _OPENERS.values() or word in "})" for word in words)
