"""Standard Webhooks signatures: what a receiver checks to know that a message is ours and whole."""

import base64
import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime


def secret_bytes(secret: str) -> bytes:
    """The key inside `whsec_…`; ValueError (without the secret) if it is not 24 to 64 bytes."""
    encoded = secret.removeprefix("whsec_")
    try:
        key = base64.b64decode(encoded, validate=True)
    except ValueError:
        raise ValueError("a webhook secret is whsec_ and base64") from None
    if not 24 <= len(key) <= 64:
        raise ValueError(f"a webhook secret has 24 to 64 bytes, this one {len(key)}")
    return key


def signature(secret: str, *, message_id: str, timestamp: int, body: bytes) -> str:
    """One `v1,…` signature over id, timestamp and the exact bytes."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(secret_bytes(secret), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def headers(
    secrets: Iterable[str], *, message_id: str, attempted_at: datetime, body: bytes
) -> dict[str, str]:
    """The three headers of an attempt; one signature for each secret that is in force.

    Without a secret there is none: Slack checks none.
    """
    timestamp = int(attempted_at.timestamp())
    signatures = [
        signature(secret, message_id=message_id, timestamp=timestamp, body=body)
        for secret in secrets
    ]
    named = {"webhook-id": message_id, "webhook-timestamp": str(timestamp)}
    return {**named, "webhook-signature": " ".join(signatures)} if signatures else named
