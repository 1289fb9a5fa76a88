"""JSON Schemas of the files in `config/`, for editors: names, types and choices as one types them.

Belongs here: the shape of each file around its declarations. What needs a second declaration to be
judged is told by `meterhouse doctor`, not by an editor.
"""

import json
from typing import Any

from pydantic import TypeAdapter

from ingestion.config_files import CUSTOMER_FILE, LISTS, SINGLES

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schemas() -> dict[str, str]:
    """File name in `config/schemas/` -> its text; the same text for the same declarations."""
    files = {name.removesuffix(".yaml"): sections for name, sections in LISTS.items()}
    texts = {}
    for name, sections in {**files, "customer": CUSTOMER_FILE}.items():
        schema = _schema(sections, SINGLES.get(f"{name}.yaml", {}))
        texts[f"{name}.schema.json"] = json.dumps(schema, indent=1, sort_keys=True) + "\n"
    return texts


def _schema(sections: dict[str, Any], singles: dict[str, Any]) -> dict[str, Any]:
    definitions: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    kinds = {name: tuple[kind, ...] for name, kind in sections.items()} | singles
    for name, kind in kinds.items():
        part = TypeAdapter(kind).json_schema(ref_template="#/$defs/{model}")
        definitions |= part.pop("$defs", {})
        # A section that is left empty is as one that is not there.
        properties[name] = {"anyOf": [part, {"type": "null"}]}
    return {
        "$schema": _DIALECT,
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "$defs": definitions,
    }
