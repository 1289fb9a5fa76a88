"""Who a request is from: a bearer token, or a Standard Webhooks signature, each of one source.

Tokens are kept hashed and every comparison takes the same time whatever it finds. A signature is
over `id.timestamp.body`; one that is more than five minutes off the clock is refused, and so is
the same id and timestamp a second time. A retry is signed anew under the same id.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ingestion.collector.sources import OtelSource
from ingestion.source_config import EvidenceLayer, SourceConfig

SKEW_SECONDS = 300
_SECRET_BYTES = range(24, 65)


class NoSecret(Exception):
    """The collector cannot know its senders; the message names variables, never their values."""


@dataclass(frozen=True)
class Sender:
    """A source instance that may push; of its token the hash is kept."""

    instance: str
    system: str
    evidence_layer: EvidenceLayer
    token_convention: str | None
    token_sha256: bytes | None
    secret: bytes | None


@dataclass(frozen=True)
class Delivery:
    """A signed delivery: its id and the time it was signed for, which together come once."""

    id: str
    timestamp: int


def senders_of(sources: Sequence[SourceConfig], environ: Mapping[str, str]) -> list[Sender]:
    """The sources whose token or secret is set; raises NoSecret where there is none of them."""
    found = [
        sender
        for sender in (sender_of(source, environ) for source in sources)
        if sender.token_sha256 or sender.secret
    ]
    if not found:
        names = [
            name
            for source in sources
            for name in (source.push_token_env, source.push_secret_env)
            if name
        ]
        raise NoSecret(
            f"no sender can sign in: set {' or '.join(names)}"
            if names
            else "no source in config/sources.yaml has a push_token_env or push_secret_env"
        )
    for field in ("token_sha256", "secret"):
        shown = [value for sender in found if (value := getattr(sender, field))]
        if len(set(shown)) < len(shown):
            raise NoSecret("two sources have the same token or secret: each needs its own")
    return found


def sender_of(source: SourceConfig, environ: Mapping[str, str]) -> Sender:
    """A source as a sender, with what it signs in with where that is set."""
    token = environ.get(source.push_token_env or "")
    secret = environ.get(source.push_secret_env or "")
    return Sender(
        instance=source.id,
        system=source.system,
        evidence_layer=source.evidence_layer,
        token_convention=source.token_convention if isinstance(source, OtelSource) else None,
        token_sha256=hashlib.sha256(token.encode()).digest() if token else None,
        secret=_secret_bytes(secret, source.push_secret_env or "") if secret else None,
    )


def _secret_bytes(secret: str, name: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise NoSecret(f"{name} is not whsec_ and base64") from None
    if len(key) not in _SECRET_BYTES:
        raise NoSecret(f"{name} has {len(key)} bytes: 24 to 64 are needed")
    return key


def by_token(senders: Sequence[Sender], authorization: str) -> Sender | None:
    """The sender of a bearer token."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        return None
    shown = hashlib.sha256(token.strip().encode()).digest()
    found = None
    for sender in senders:
        if hmac.compare_digest(sender.token_sha256 or b"", shown):
            found = sender
    return found


def by_signature(
    senders: Sequence[Sender], headers: Mapping[str, str], body: bytes, *, now: datetime
) -> tuple[Sender, Delivery] | None:
    """The sender whose secret signed these bytes for about now, and which delivery it is."""
    delivery_id, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not 0 < len(delivery_id) <= 256 or "." in delivery_id or not _is_number(stamp):
        return None
    if abs(now.timestamp() - int(stamp)) > SKEW_SECONDS:
        return None
    signed = f"{delivery_id}.{stamp}.".encode() + body
    shown = [
        signature.encode()
        for version, _, signature in (
            each.partition(",") for each in headers.get("webhook-signature", "").split(" ")
        )
        if version == "v1"
    ]
    found = None
    for sender in senders:
        expected = base64.b64encode(hmac.new(sender.secret or b"", signed, hashlib.sha256).digest())
        for signature in shown:
            if hmac.compare_digest(expected, signature) and sender.secret:
                found = sender
    return (found, Delivery(delivery_id, int(stamp))) if found else None


def _is_number(stamp: str) -> bool:
    return stamp.isascii() and stamp.isdecimal() and len(stamp) <= 12
