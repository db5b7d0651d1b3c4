"""What AWS says when it refuses, word for word, as the local AWS repeats it.

Each entry names the service, the status, the code and the message that AWS gives; the messages are
those of AWS's own pages ("Troubleshoot deployment issues in Lambda", "Error responses" of Amazon S3,
"Common errors" of the Lambda API) and of public reports of users. `{bucket}`, `{region}` and
`{operation}` stand for those of the request.
"""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One answer of AWS that is none. `drop` closes the connection instead: "before" or "after" the deed."""

    status: int = 0
    code: str = ""
    message: str = ""
    drop: str = ""

    def body(self, service: str, **words: str) -> tuple[str, bytes]:
        """Give the content type and the body in the service's own form."""
        message = self.message.format(**words)
        if service == "s3":
            text = f"<Error><Code>{self.code}</Code><Message>{message}</Message></Error>"
            return "application/xml", f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()
        return "application/json", json.dumps({"Type": "User", "message": message}).encode()


_ROLE = "User: arn:aws:iam::123456789012:user/someone is not authorized to perform: "
_GET_OBJECT = "Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {message}"

REFUSALS = {
    # The Lambda API
    "too-large": Refusal(
        status=413,
        code="RequestEntityTooLargeException",
        message="Request must be smaller than 70167211 bytes for the {operation} operation",
    ),
    "unzipped-size": Refusal(
        status=400,
        code="InvalidParameterValueException",
        message="Unzipped size must be smaller than 262144000 bytes",
    ),
    "not-a-zip": Refusal(
        status=400,
        code="InvalidParameterValueException",
        message="Could not unzip uploaded file. Please check your file, then try to upload again.",
    ),
    "throttled": Refusal(status=429, code="TooManyRequestsException", message="Rate exceeded"),
    "expired": Refusal(
        status=403,
        code="ExpiredTokenException",
        message="The security token included in the request is expired",
    ),
    "not-enabled": Refusal(  # what a region answers that the account has not opted in to
        status=403,
        code="UnrecognizedClientException",
        message="The security token included in the request is invalid.",
    ),
    "denied": Refusal(
        status=403,
        code="AccessDeniedException",
        message=f"{_ROLE}lambda:{{operation}} on resource: arn:aws:lambda:{{region}}:123456789012:layer:x "
        "because no identity-based policy allows the lambda:{operation} action",
    ),
    "quota": Refusal(status=400, code="CodeStorageExceededException", message="Code storage limit exceeded."),
    "signature": Refusal(
        status=403,
        code="InvalidSignatureException",
        message="The request signature we calculated does not match the signature you provided. Check your "
        "AWS Secret Access Key and signing method. The Canonical String for this request should have been "
        "'POST\nx-amz-security-token:TOPSECRET'",
    ),
    "clock": Refusal(
        status=403,
        code="InvalidSignatureException",
        message="Signature expired: 20260101T000000Z is now earlier than 20260101T001000Z",
    ),
    "internal": Refusal(status=500, code="ServiceException", message="An error occurred"),
    "role": Refusal(
        status=400,
        code="InvalidParameterValueException",
        message="The role defined for the function cannot be assumed by Lambda.",
    ),
    "combined-size": Refusal(
        status=400,
        code="InvalidParameterValueException",
        message="Function code combined with layers exceeds the maximum allowed size of 262144000 bytes. "
        "The actual size is 263669938 bytes.",
    ),
    "missing-key": Refusal(
        status=400,
        code="InvalidParameterValueException",
        message=_GET_OBJECT.format(code="NoSuchKey", message="The specified key does not exist."),
    ),
    "missing-bucket": Refusal(
        status=400,
        code="InvalidParameterValueException",
        message=_GET_OBJECT.format(code="NoSuchBucket", message="The specified bucket does not exist"),
    ),
    "unreadable-object": Refusal(
        status=403,
        code="AccessDeniedException",
        message="Your access has been denied by S3, please make sure your request credentials have "
        "permission to GetObject for {bucket}/temp. S3 Error Code: AccessDenied. "
        "S3 Error Message: Access Denied",
    ),
    "elsewhere": Refusal(
        status=400,
        code="InvalidParameterValueException",
        message=_GET_OBJECT.format(
            code="PermanentRedirect",
            message="The bucket is in this region: eu-central-1. Please use this region to retry the request",
        ),
    ),
    # Amazon S3
    "s3-no-bucket": Refusal(status=404, code="NoSuchBucket", message="The specified bucket does not exist"),
    "s3-denied": Refusal(
        status=403,
        code="AccessDenied",
        message=f"{_ROLE}s3:{{operation}} on resource: &quot;arn:aws:s3:::{{bucket}}/temp&quot; "
        "because no identity-based policy allows the s3:{operation} action",
    ),
    "s3-expired": Refusal(status=400, code="ExpiredToken", message="The provided token has expired."),
    "s3-slow": Refusal(status=503, code="SlowDown", message="Please reduce your request rate."),
    # the network
    "broken": Refusal(drop="before"),
    "answer-lost": Refusal(drop="after"),
}
