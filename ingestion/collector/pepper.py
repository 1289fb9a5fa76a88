"""The pepper that raw keys are hashed with: METERHOUSE_PEPPER, else made once under the home."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path


def pepper(home: Path, environ: Mapping[str, str] = os.environ) -> bytes:
    """The key of every HMAC of an identifier; the same for good, or identifiers would change."""
    given = environ.get("METERHOUSE_PEPPER")
    if given:
        return given.encode()
    path = home / "pepper"
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = home / f".pepper.{os.getpid()}"
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
        try:
            # Unlike a rename, a link never replaces the one another process made meanwhile.
            path.hardlink_to(fresh)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return path.read_bytes()
