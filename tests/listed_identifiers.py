"""What a gateway lists and nobody has used yet, and where each belongs by the demo's rules."""

import pyarrow as pa

_TEXTS = ("identity_kind", "identifier", "identity_name", "team_identifier", "user_identifier")
_OTHERS = ("field", "email", "workspace_identifier", "organization_identifier", "limit_period")
_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("source", "source_instance", *_TEXTS, *_OTHERS)]
    + [("is_blocked", pa.bool_()), ("limit_usd", pa.decimal128(38, 15))]
    + [("extracted_at", pa.timestamp("us"))]
)
# Kind, identifier, name, team and user at the gateway: the node of the owner tree.
LISTED_BY = {
    ("key", "hash-a", "search-prod", None, None): "team-search",
    ("key", "hash-b", "unheard-of", "team-sales", None): "team-sales",
    ("key", "hash-c", "unheard-of", "team-sales", "grace@acme.example"): "user-grace",
    ("key", "hash-d", "unheard-of", None, None): None,
    ("team", "team-assist", "Assist", None, None): "team-assist",
}


def listed_table(source_instance: str) -> pa.Table:
    """Rows of `int_inventory__unioned`."""
    rows = [
        {"source": "litellm", "source_instance": source_instance}
        | dict(zip(_TEXTS, each, strict=True))
        for each in LISTED_BY
    ]
    return pa.Table.from_pylist(rows, schema=_SCHEMA)
