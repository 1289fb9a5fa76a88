"""The words declarations are written with: ids, names of variables, fields of an event."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Id = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
EnvName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]{0,127}$")]
Text = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")
]
Email = Annotated[str, StringConstraints(max_length=254, pattern=r"^[^@\s]+@[^@\s]+$")]
Money = Annotated[Decimal, Field(max_digits=20, decimal_places=6)]
OwnerField = Literal[
    "raw_agent", "raw_user", "raw_team", "raw_workspace", "raw_organization", "raw_application",
    "raw_key_alias", "raw_key_hash",
]  # fmt: skip
CustomerField = Literal[
    "raw_customer", "raw_organization", "raw_workspace", "raw_team", "raw_user", "raw_key_alias",
    "raw_key_hash",
]  # fmt: skip
AnyField = Literal[OwnerField, CustomerField, "raw_feature"]
Dimension = Literal["owner", "customer", "feature"]


class Declared(BaseModel):
    """One declaration: frozen, unknown fields refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
