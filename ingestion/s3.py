"""Objects of an S3 bucket as sources list them; what goes wrong, in words that are safe to log."""

from collections.abc import Iterator, Mapping
from typing import Any

from ingestion.http import SourceError, SourceUnavailable

# A request that failed is sent again; the pause between tries doubles up to 20 s.
MAX_ATTEMPTS = 5


def client_config(**more: Any) -> Any:
    """botocore's settings of every client: bounded waiting, bounded tries."""
    from botocore.config import Config

    retries = {"mode": "standard", "max_attempts": MAX_ATTEMPTS}
    return Config(retries=retries, connect_timeout=10, read_timeout=60, **more)


def listed(
    client: Any, *, system: str, bucket: str, prefix: str, **more: Any
) -> Iterator[Mapping[str, Any]]:
    """The objects below a prefix, page by page, as ListObjectsV2 tells them."""
    from botocore.exceptions import BotoCoreError, ClientError

    paginator = client.get_paginator("list_objects_v2")
    try:
        for page in paginator.paginate(Bucket=bucket, Prefix=prefix, **more):
            # Of an answer that is no listing (a proxy's page, say) boto3 makes an empty one.
            if page.get("Name") != bucket:
                raise SourceError(f"{system}: listing {bucket} was answered by something else")
            yield from page.get("Contents", [])
    except ClientError as error:
        raise SourceError(f"{system}: listing {bucket} failed: {error_code(error)}") from None
    except BotoCoreError as error:
        raise SourceUnavailable(f"{system}: listing {bucket} failed: {error_code(error)}") from None


def error_code(error: Exception) -> str:
    """What went wrong, by the service's code or the error's class."""
    response = getattr(error, "response", None)
    return response["Error"]["Code"] if response else type(error).__name__
