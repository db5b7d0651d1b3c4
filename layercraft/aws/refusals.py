"""What AWS and boto3 say when they refuse, and what that means: cause and remedy, as data.

Codes and messages are those of the AWS Lambda API reference ("Common errors", PublishLayerVersion),
of its developer guide ("Troubleshoot deployment issues in Lambda"), of the Amazon S3 API reference
("Error responses") and of botocore's exceptions.
"""

from __future__ import annotations

from dataclasses import dataclass

from layercraft.errors import (
    AwsError,
    ConfigurationError,
    CredentialsError,
    LayercraftError,
    LayerTooLargeError,
    UsageError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """One way to be refused: known by one of `codes`, and by `words` in the message where they are given.

    `cause` and `hint` may name `{region}`, `{bucket}`, `{operation}`, `{action}` (of IAM), `{said}`
    (AWS's words) and the named groups of `words`.
    """

    codes: tuple[str, ...]
    words: str = ""
    cause: str
    hint: str
    kind: type[LayercraftError] = AwsError


_SIGN_IN = "sign in anew, with `aws sso login` or `aws configure`, or name another --profile"
_DELETE = "delete versions of layers and functions that nobody uses (--retain N does it for a layer)"

REFUSALS = (
    Refusal(
        codes=("ExpiredTokenException", "ExpiredToken", "RequestExpired", "TokenRefreshRequired"),
        cause="the AWS credentials have expired",
        hint=_SIGN_IN,
        kind=CredentialsError,
    ),
    Refusal(
        codes=("InvalidSignatureException", "RequestTimeTooSkewed", "SignatureDoesNotMatch"),
        words="Signature (expired|not yet current)|difference between the request time",
        cause="AWS refuses the time of the request: this machine's clock is wrong",
        hint="set the clock",
        kind=CredentialsError,
    ),
    Refusal(
        codes=("InvalidSignatureException", "SignatureDoesNotMatch"),
        cause="AWS refuses the signature: the secret access key does not belong to the access key",
        hint=_SIGN_IN,
        kind=CredentialsError,
    ),
    Refusal(
        codes=(
            "UnrecognizedClientException",
            "InvalidClientTokenId",
            "InvalidAccessKeyId",
            "InvalidToken",
            "IncompleteSignature",
            "MissingAuthenticationTokenException",
            "AuthFailure",
        ),
        cause="AWS does not know these credentials in {region}",
        hint="if they work elsewhere, the account has not enabled {region}: `aws account enable-region "
        "--region-name {region}`; else " + _SIGN_IN,
        kind=CredentialsError,
    ),
    Refusal(
        codes=("AccessDeniedException", "AccessDenied"),
        words=r"denied by S3",
        cause="access denied: Lambda reads the object with your credentials, and {bucket} refuses them",
        hint="allow s3:GetObject on arn:aws:s3:::{bucket}/*, and kms:Decrypt where KMS encrypts the bucket",
    ),
    Refusal(
        codes=("AccessDeniedException", "AccessDenied", "AllAccessDisabled"),
        words=r"perform: (?P<allowed>[\w-]+:\w+)(?: on resource: (?P<resource>[^\s]+))?",
        cause="access denied: {allowed} is not allowed on {resource}",
        hint="allow {allowed} to this user or role; the README has a policy for each command",
    ),
    Refusal(
        codes=("AccessDeniedException", "AccessDenied", "AllAccessDisabled"),
        cause="access denied: {action} is not allowed ({said})",
        hint="allow {action} to this user or role; the README has a policy for each command",
    ),
    Refusal(
        codes=("RequestEntityTooLargeException", "413"),
        cause="the zip is too large for one request to Lambda",
        hint="name a bucket with --bucket: it goes through S3 then",
    ),
    Refusal(
        codes=("InvalidParameterValueException",),
        words="Unzipped size must be smaller than (?P<limit>[0-9]+)",
        cause="the layer is larger unzipped than the {limit} bytes that Lambda takes",
        hint="see what takes the space with `layercraft analyze`",
        kind=LayerTooLargeError,
    ),
    Refusal(
        codes=("InvalidParameterValueException",),
        words="combined with layers exceeds .*size is (?P<size>[0-9]+) bytes",
        cause="function and layers together have {size} bytes unzipped, over the limit of 262144000",
        hint="see what takes the space with `layercraft analyze`",
        kind=LayerTooLargeError,
    ),
    Refusal(
        codes=("InvalidParameterValueException",),
        words="Could not unzip",
        cause="Lambda cannot unzip the file",
        hint="see whether `layercraft verify` finds out why",
    ),
    Refusal(
        codes=("InvalidParameterValueException",),
        words="S3 Error Code: NoSuchKey",
        cause="the temporary object is no longer in the bucket {bucket}",
        hint="see whether a lifecycle rule or someone else removes objects there at once",
    ),
    Refusal(
        codes=("InvalidParameterValueException", "NoSuchBucket"),
        words="NoSuchBucket|bucket does not exist",
        cause="there is no bucket {bucket}",
        hint="create it in {region}: `aws s3 mb s3://{bucket} --region {region}`",
    ),
    Refusal(
        codes=("InvalidParameterValueException", "PermanentRedirect", "AuthorizationHeaderMalformed", "301"),
        words=r"in this region: (?P<there>[\w-]+)|expecting '(?P<expected>[\w-]+)'",
        cause="the bucket {bucket} is in {there}{expected}, and Lambda takes only one in {region}",
        hint="name one bucket for each region: --bucket 'my-layers-{{region}}'",
    ),
    Refusal(
        codes=(
            "PermanentRedirect",
            "AuthorizationHeaderMalformed",
            "IllegalLocationConstraintException",
            "301",
        ),
        cause="the bucket {bucket} is in another region than {region}",
        hint="name one bucket for each region: --bucket 'my-layers-{{region}}'",
    ),
    Refusal(
        codes=("InvalidParameterValueException",),
        words="role .*cannot be assumed",
        cause="Lambda may not assume the role that was given with --role",
        hint="its trust policy must allow sts:AssumeRole to lambda.amazonaws.com",
    ),
    Refusal(
        codes=("InvalidBucketName", "NoSuchKey", "AccessPointAliasRequired"),
        cause="{bucket} is no name of a bucket ({said})",
        hint="name a bucket with --bucket, without s3:// and without a folder (--prefix)",
    ),
    Refusal(
        codes=(
            "TooManyRequestsException",
            "Throttling",
            "ThrottlingException",
            "SlowDown",
            "RequestLimitExceeded",
        ),
        cause="AWS keeps saying that it is asked too often ({said})",
        hint="try again in a minute",
    ),
    Refusal(
        codes=("ResourceNotFoundException",),
        cause="there is no such thing in {region} ({said})",
        hint="see that region, name and version are right, and that the credentials are of that account",
    ),
    Refusal(
        codes=("CodeStorageExceededException",),
        cause="the account's storage for functions and layers in {region} is full",
        hint=_DELETE + ", or ask for a higher quota",
    ),
    Refusal(
        codes=(
            "ServiceException",
            "InternalError",
            "InternalFailure",
            "ServiceUnavailable",
            "500",
            "502",
            "503",
        ),
        cause="AWS failed in {region} ({said})",
        hint="try again in a while",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What boto3 itself raises, known by the names of exceptions; `cause` and `hint` as in Refusal."""

    exceptions: tuple[str, ...]
    cause: str
    hint: str
    kind: type[LayercraftError] = AwsError


TROUBLES = (
    Trouble(
        exceptions=("ProfileNotFound",),
        cause="there is no AWS profile of this name ({said})",
        hint="see `aws configure list-profiles`",
        kind=UsageError,
    ),
    Trouble(
        exceptions=("NoRegionError",),
        cause="no AWS region is configured",
        hint="name one with --region",
        kind=UsageError,
    ),
    Trouble(
        exceptions=("NoCredentialsError", "PartialCredentialsError", "NoAuthTokenError"),
        cause="there are no AWS credentials",
        hint="sign in with `aws sso login` or `aws configure`, name a --profile, or set "
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        kind=CredentialsError,
    ),
    Trouble(
        exceptions=("SSOError", "TokenRetrievalError", "CredentialRetrievalError", "RefreshError"),
        cause="the AWS credentials cannot be renewed ({said})",
        hint=_SIGN_IN,
        kind=CredentialsError,
    ),
    Trouble(
        exceptions=("HTTPClientError", "ConnectionError"),
        cause="AWS in {region} cannot be reached, or the connection broke ({said})",
        hint="see that this machine reaches it, through its proxy and firewall",
    ),
    Trouble(
        exceptions=(
            "ParamValidationError",
            "InvalidRegionError",
            "UnknownRegionError",
            "InvalidEndpointConfigurationError",
        ),
        cause="boto3 refuses a value ({said})",
        hint="see the options and the AWS configuration",
        kind=UsageError,
    ),
    Trouble(
        exceptions=("ConfigParseError", "ConfigNotFound"),
        cause="the AWS configuration cannot be read ({said})",
        hint="see the file ~/.aws/config",
        kind=ConfigurationError,
    ),
    Trouble(
        exceptions=("ValueError",),
        cause="boto3 cannot use the AWS configuration ({said})",
        hint="see ~/.aws/config and the variables of the environment that begin with AWS_",
        kind=ConfigurationError,
    ),
)
