"""The file drop: `inbox/<source>/*.ndjson[.gz]`, one standard event a line.

A file is read whole and once: it is remembered by its name and hash. The folder names the source;
write a file elsewhere and move it in. Files are never changed or removed here.
"""

import hashlib
import logging
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingestion.batches import SetAside
from ingestion.collector.auth import Sender
from ingestion.collector.events import NamesAnotherSource, event_row
from ingestion.collector.stored import Row
from ingestion.collector.values import TooDeep, refused
from ingestion.json_text import decode_json

MOST_FILE_BYTES = 4_000_000_000
MOST_RATIO, LEAST_BYTES = 200, 20_000_000
MOST_LINE_BYTES = 1_000_000
_CHUNK_BYTES = 1 << 20
_SUFFIXES = (".ndjson", ".ndjson.gz")
_FOLDER = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LOG = logging.getLogger(__name__)


class _TooMuch(Exception):
    """A file that unpacks to more than is read."""


@dataclass(frozen=True)
class InboxFile:
    """A file of the inbox: its source, its name there, and the hash of its bytes."""

    path: Path
    instance: str
    sha256: str

    @property
    def name(self) -> str:
        """Its place in the inbox."""
        return f"{self.instance}/{self.path.name}"


def inbox_path(home: Path) -> Path:
    """Where files are dropped."""
    return home / "inbox"


def listed(home: Path) -> list[Path]:
    """The files that may be read, by name; nothing that leads out of the inbox."""
    inbox = inbox_path(home)
    if not inbox.is_dir():
        return []
    return [
        path
        for folder in sorted(inbox.iterdir())
        if folder.is_dir() and not folder.is_symlink() and _FOLDER.fullmatch(folder.name)
        for path in sorted(folder.iterdir())
        if path.name.endswith(_SUFFIXES) and path.is_file() and not path.is_symlink()
    ]


def new_files(
    home: Path, *, instances: frozenset[str], known: Mapping[str, str]
) -> Iterator[InboxFile]:
    """The files of known sources that were not read before."""
    for path in listed(home):
        instance = path.parent.name
        if instance not in instances:
            _LOG.warning("inbox/%s is not read: config/sources.yaml has no such sender", instance)
            continue
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if known.get(f"{instance}/{path.name}") != digest:
            yield InboxFile(path, instance, digest)


def rows_of(file: InboxFile, *, sender: Sender, pepper: bytes) -> Iterator[tuple[str, Row]]:
    """Where each line stands, and its event, or why it is set aside."""
    number = 0
    try:
        for number, line in enumerate(_lines(file.path), start=1):
            if line.strip():
                yield f"inbox {file.name} line {number:09}", _row(line, sender, pepper)
    except (_TooMuch, zlib.error, EOFError) as error:
        reason = "too_large" if isinstance(error, _TooMuch) else "not_gzip"
        rest = SetAside(column_name=None, reason=reason, sha256=file.sha256)
        yield f"inbox {file.name} after line {number:09}", rest


def _row(line: bytes, sender: Sender, pepper: bytes) -> Row:
    digest = hashlib.sha256(line).hexdigest()
    if len(line) > MOST_LINE_BYTES:
        return SetAside(column_name=None, reason="too_long", sha256=digest)
    try:
        event: Any = decode_json(line)
    except ValueError:
        return SetAside(column_name=None, reason="not_json", sha256=digest)
    try:
        return event_row(
            event,
            instance=sender.instance,
            evidence_layer=sender.evidence_layer,
            pepper=pepper,
        )
    except NamesAnotherSource:
        return refused(event, "source", "another_source")
    except TooDeep:
        return SetAside(column_name=None, reason="too_deep", sha256=digest)


def _lines(path: Path) -> Iterator[bytes]:
    """The lines of a file, unpacked as they are needed; of an over-long one as much as shows it."""
    rest = b""
    for chunk in _unpacked(path) if path.suffix == ".gz" else _chunks(path):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole
        if len(rest) > 2 * MOST_LINE_BYTES:
            rest = rest[: MOST_LINE_BYTES + 1]
    if rest:
        yield rest


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def _unpacked(path: Path) -> Iterator[bytes]:
    most = min(MOST_FILE_BYTES, max(LEAST_BYTES, path.stat().st_size * MOST_RATIO))
    unzip, size = zlib.decompressobj(wbits=31), 0
    for packed in _chunks(path):
        rest = packed
        while rest:
            chunk = unzip.decompress(rest, _CHUNK_BYTES)
            size += len(chunk)
            if size > most:
                raise _TooMuch
            yield chunk
            rest = unzip.unconsumed_tail
            if unzip.eof and unzip.unused_data:
                rest, unzip = unzip.unused_data, zlib.decompressobj(wbits=31)
    if not unzip.eof:
        raise EOFError
