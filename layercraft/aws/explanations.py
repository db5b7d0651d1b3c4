"""What boto3 raises, as layercraft's errors: one line with the cause, and the remedy."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from layercraft.aws.refusals import REFUSALS, TROUBLES
from layercraft.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Generator

    from layercraft.errors import LayercraftError

_LONGEST = 300  # characters of AWS's own words
_PASSWORD = re.compile(r"(?<=://)[^/@\s]+@")  # of an address, before its host
_HEADER = re.compile(r"Invalid header value.*", re.DOTALL)  # goes on with the value: a token, say


def explained(error: BaseException, *, region: str = "", bucket: str = "") -> LayercraftError:
    """Turn an exception of botocore into one line with its cause, and the remedy.

    AWS's own words stand in it where they tell no secret: a refused signature repeats the request's
    headers, session token and all, so nothing of such a message is told.
    """
    from botocore.exceptions import ClientError

    words = {"region": region or "this region", "bucket": bucket or "that was named", "said": _said(error)}
    if isinstance(error, ClientError):
        return _refused(error, words)
    names = {each.__name__ for each in type(error).__mro__}
    for trouble in TROUBLES:
        if names.intersection(trouble.exceptions):
            return _told(trouble.kind, region, trouble.cause.format(**words), trouble.hint.format(**words))
    return _told(AwsError, region, f"AWS cannot be asked ({words['said']})", None)


def code_of(error: BaseException) -> str:
    """Give AWS's code of a refusal, or an empty text for what is none."""
    return str(_answer(error).get("Code", ""))


@contextmanager
def explaining(*, region: str = "", bucket: str = "") -> Generator[None]:
    """Turn what boto3 raises in a block into layercraft's errors, all of which name the region.

    A ValueError is what it raises for a configuration that cannot be meant, such as an endpoint that is
    no address.
    """
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError, Boto3Error, ValueError) as error:
        cause = error.__context__ if isinstance(error, Boto3Error) else error
        known = isinstance(cause, (BotoCoreError, ClientError))
        raise explained(cause if known and cause else error, region=region, bucket=bucket) from error


def _refused(error: Any, words: dict[str, str]) -> LayercraftError:  # noqa: ANN401 (botocore's, loaded lazily)
    code, message = code_of(error), str(_answer(error).get("Message", ""))
    service = "s3" if re.search("Object|Bucket|Multipart|UploadPart", error.operation_name) else "lambda"
    # What a multipart upload needs, and PutObject, is one action of IAM.
    action = re.sub(r"\w*Multipart\w*|UploadPart", "PutObject", error.operation_name)
    words |= {"operation": error.operation_name, "action": f"{service}:{action}"}
    for refusal in REFUSALS:
        if code in refusal.codes and (match := re.search(refusal.words, message)):
            groups = {name: (text or "").rstrip(".,") for name, text in match.groupdict().items()}
            if "resource" in groups:
                groups["resource"] = groups["resource"].strip('"') or "it"
            told = {**words, **groups}
            return _told(
                refusal.kind, words["region"], refusal.cause.format(**told), refusal.hint.format(**told)
            )
    return _told(AwsError, words["region"], f"{error.operation_name} failed: {words['said']}", None)


def _told(kind: type[LayercraftError], region: str, cause: str, hint: str | None) -> LayercraftError:
    place = f"{region}: " if region and region != "this region" and region not in cause else ""
    return kind(place + cause, hint=hint)


def _answer(error: BaseException) -> dict[str, Any]:
    """Give AWS's answer: an error of the connection has a response too, and it is None."""
    response: dict[str, Any] = getattr(error, "response", None) or {}
    return dict(response.get("Error", {}))


def _said(error: BaseException) -> str:
    text = _HEADER.sub(
        "a header cannot be sent; are the credentials of one line?",
        str(_answer(error).get("Message") or error),
    )
    lines = _PASSWORD.sub("", text).strip().splitlines() or [type(error).__name__]
    return lines[0][:_LONGEST].rstrip(".")
