"""Every error that layercraft raises on purpose, and the words for those that the system raises.

LayercraftError                 exit code 1: the job failed
├── UsageError                  exit code 2: the command line or the caller asked for what cannot be
│   ├── ConfigurationError      a file's line or key is wrong
│   └── RequirementError        a requirement that cannot work, with its line
├── ResolutionError             the index was read, and no answer exists
│   ├── UnknownPackageError     the index has no such package
│   └── NoSolutionError         versions exclude each other, or none fits the target
├── IndexUnreachableError       the index or a file host does not answer, or refuses
│   └── OfflineError            the answer is not in the cache and --offline forbids asking
├── BadIndexAnswerError         the index answered something that is no index page
├── HashMismatchError           bytes differ from the sha256 that names them
├── BadWheelError               a wheel that lies about itself, or that is no wheel
├── BadLockError                a lock file that is broken or does not fit the target
├── ConflictError               two distributions bring different files at one path (--strict)
├── LayerTooLargeError          over the limit; nothing was written
├── ScriptError                 cleanup.sh ended with an error
├── EngineError                 what a verification runs in is missing, stopped or refuses
├── AwsError                    AWS refuses, or does not answer
│   └── CredentialsError        no credentials, or none that AWS takes
├── OutputError                 a folder or file cannot be written
└── InterruptionError           exit code 130: a signal ended the job
"""

from __future__ import annotations


class LayercraftError(Exception):
    """The root: one clear line for people, and a hint at the way out.

    `message` says what, where and why in one line (a derivation may add lines);
    `hint` says what to do. The command line prints both and ends with `exit_code`.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(LayercraftError):
    """What was asked for cannot be: an unknown name, contradicting options."""

    exit_code = 2


class ConfigurationError(UsageError):
    """A line or key of a file is wrong; the message names the file and the key or line."""


class RequirementError(UsageError):
    """A requirement that is not valid, or that layercraft cannot serve (VCS, editable, source trees)."""


class ResolutionError(LayercraftError):
    """The index was read, and there is no set of wheels that answers the requirements."""


class UnknownPackageError(ResolutionError):
    """The index has no package of this name."""


class NoSolutionError(ResolutionError):
    """Requirements exclude each other, or no version has a wheel for the target."""


class IndexUnreachableError(LayercraftError):
    """The index, or the host of its files, does not answer or refuses to."""


class OfflineError(IndexUnreachableError):
    """An answer is not in the cache, and asking for it is forbidden."""


class BadIndexAnswerError(LayercraftError):
    """An index page that cannot be decoded."""


class HashMismatchError(LayercraftError):
    """Bytes that differ from the digest that names them."""


class BadWheelError(LayercraftError):
    """A wheel that lies about itself, is cut short, or is no wheel at all."""


class BadLockError(LayercraftError):
    """A lock file that is broken, or that does not fit the target."""


class ConflictError(LayercraftError):
    """Two distributions bring different files at one path, and `--strict` was given."""


class LayerTooLargeError(LayercraftError):
    """The layer is over a limit in unzipped bytes; nothing was written."""


class ScriptError(LayercraftError):
    """`cleanup.sh` ended with a non-zero exit code, or cannot be run here."""


class EngineError(LayercraftError):
    """A verification cannot run: no container engine or Python, a stopped daemon, a missing image."""


class AwsError(LayercraftError):
    """AWS refuses what it was asked for, or does not answer."""


class CredentialsError(AwsError):
    """There are no AWS credentials, or they are expired or wrong."""


class OutputError(LayercraftError):
    """A file or folder cannot be written: no space, no permission, not a folder."""


class InterruptionError(LayercraftError):
    """Ctrl-C or a signal ended the job, with the exit code of shells.

    The library raises it where something may be left, else KeyboardInterrupt as Python does.
    """

    exit_code = 130


def reason_of(error: OSError) -> str:
    """Give what the system says is wrong, as the end of a sentence: "permission denied"."""
    return (error.strerror or str(error)).lower()
