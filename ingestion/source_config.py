"""What every entry of `config/sources.yaml` may say, whatever its system."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from ingestion.config_types import CustomerField, Declared, EnvName, Id, OwnerField, Text

EvidenceLayer = Literal["gateway", "observability", "provider_log", "saas", "invoice"]
# Of several sources that show one request the first of these carries its cost. A bill shows none.
EVIDENCE_ORDER: tuple[EvidenceLayer, ...] = ("gateway", "provider_log", "observability", "saas")


class SourceConfig(Declared):
    """One instance of a system. A system adds the keyword arguments of its dlt source.

    A field `x_env` names the environment variable that holds the argument `x`; `push_token_env`
    and `push_secret_env` name what a sender shows to the collector instead.
    """

    id: Id
    system: str
    enabled: bool = True
    evidence_layer: EvidenceLayer
    cost_policy: Literal["trust_reported", "reprice"] = "trust_reported"
    # What this source shows is metered by that one already, so that it carries no cost here: all of
    # it, or what the keys named (by alias or hash) were used for.
    covered_by: Id | None = None
    covered_keys: tuple[Text, ...] = ()
    # Providers whose bill this source is the one authority for: what they bill beyond what was
    # metered becomes charges. One source owns a provider.
    owns: tuple[Text, ...] = ()
    # Where what it reports differs by more than this share from our own rates, the day is flagged.
    cost_tolerance: Annotated[Decimal, Field(ge=0, le=1, decimal_places=6)] = Decimal("0.02")
    # Data last read so long ago is old: limits that depend on it are held.
    stale_after_hours: Annotated[int, Field(ge=1, le=24 * 31)] = 6
    entity_from: tuple[OwnerField, ...] = ("raw_agent", "raw_user", "raw_team", "raw_key_alias")
    customer_from: tuple[CustomerField, ...] = ("raw_customer",)
    auto_create: bool = False
    default_entity: Id | None = None
    default_customer: Id | None = None
    push_token_env: EnvName | None = None
    push_secret_env: EnvName | None = None
