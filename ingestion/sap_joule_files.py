"""Months of SAP usage out of files a person exported, where no service key is to be had.

A file is named for its month, `2026-10.json` (as the report answers it: `content` or a bare list)
or `2026-10.csv` (a line of the report's field names first). A newer export of a month takes the
older one's place in the folder; it is a newer reading of that month.
"""

import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ingestion.http import SourceError
from ingestion.json_text import decode_json

_NAME = re.compile(r"\d{4}-(0[1-9]|1[0-2])\.(json|csv)")
_NEEDED = ("globalAccountId", "serviceId", "measureId", "usage")
_MOST_BYTES = 256 << 20


def exported_months(folder: Path) -> dict[str, Path]:
    """The file of each month in the folder, oldest first; what is named otherwise is none."""
    if not folder.is_dir():
        raise SourceError(f"sap_joule: there is no folder {folder.name} to read exports from")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if _NAME.fullmatch(path.name):
            if path.stem in found:
                raise SourceError(f"sap_joule: {path.stem} is exported twice, as JSON and as CSV")
            found[path.stem] = path
    return found


def rows_of(path: Path) -> Iterator[tuple[str, Any]]:
    """Where each row of an export stands, and the row."""
    if path.stat().st_size > _MOST_BYTES:
        raise SourceError(f"sap_joule: {path.name} is larger than {_MOST_BYTES} bytes")
    read = _from_json if path.suffix == ".json" else _from_csv
    for number, row in enumerate(read(path), start=1):
        yield f"{path.name} row {number}", row


def _from_json(path: Path) -> list[Any]:
    try:
        content = decode_json(path.read_bytes())
    except ValueError:
        raise SourceError(f"sap_joule: {path.name} is not JSON") from None
    rows = content.get("content") if isinstance(content, dict) else content
    if not isinstance(rows, list):
        raise SourceError(f"sap_joule: {path.name} holds no list of rows")
    return rows


def _from_csv(path: Path) -> Iterator[Mapping[str, Any]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.DictReader(file)
        missing = [name for name in _NEEDED if name not in (lines.fieldnames or ())]
        if missing:
            raise SourceError(f"sap_joule: {path.name} has no column {', '.join(missing)}")
        for line in lines:
            # An empty cell is a field that was not told; a cell beyond the header is none of ours.
            yield {name: value for name, value in line.items() if name and value not in ("", None)}
