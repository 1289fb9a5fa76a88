"""Every system usage or bills are read from: the one list a new source is added to.

The platform knows a system by its config model, its dlt source and the contracts of its resources;
the fields of the model are the keyword arguments of the source.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Union

from dlt.extract import DltSource
from pydantic import Field

from ingestion import (
    agentforce,
    anthropic_bill,
    aws_cur,
    bedrock,
    databricks,
    helicone,
    langfuse,
    litellm,
    openai_bill,
    openrouter,
    portkey,
    revenue,
    sap_joule,
    snowflake_cortex,
)
from ingestion.collector import sources as pushing
from ingestion.collector import tables as collector_tables
from ingestion.contracts import Contract
from ingestion.source_config import SourceConfig

_ENV = "_env"


@dataclass(frozen=True)
class System:
    """One kind of source; `source` is None where it pushes to the collector."""

    config: type[SourceConfig]
    source: Callable[..., DltSource] | None
    contracts: tuple[Contract, ...]


SYSTEMS: dict[str, System] = {
    "agentforce": System(
        agentforce.AgentforceSource, agentforce.agentforce_source, agentforce.CONTRACTS
    ),
    "anthropic_bill": System(
        anthropic_bill.AnthropicBillSource,
        anthropic_bill.anthropic_bill_source,
        anthropic_bill.CONTRACTS,
    ),
    "aws_cur": System(aws_cur.AwsCurSource, aws_cur.aws_cur_source, aws_cur.CONTRACTS),
    "bedrock": System(bedrock.BedrockSource, bedrock.bedrock_source, bedrock.CONTRACTS),
    "databricks": System(
        databricks.DatabricksSource, databricks.databricks_source, databricks.CONTRACTS
    ),
    "helicone": System(helicone.HeliconeSource, helicone.helicone_source, helicone.CONTRACTS),
    "langfuse": System(langfuse.LangfuseSource, langfuse.langfuse_source, langfuse.CONTRACTS),
    "litellm": System(litellm.LiteLLMSource, litellm.litellm_source, litellm.CONTRACTS),
    "openai_bill": System(
        openai_bill.OpenAIBillSource, openai_bill.openai_bill_source, openai_bill.CONTRACTS
    ),
    "openrouter": System(
        openrouter.OpenRouterSource, openrouter.openrouter_source, openrouter.CONTRACTS
    ),
    "portkey": System(portkey.PortkeySource, portkey.portkey_source, portkey.CONTRACTS),
    # What we are paid, not what we pay: the other side of margin.
    "revenue": System(revenue.RevenueSource, revenue.revenue_source, revenue.CONTRACTS),
    "sap_joule": System(sap_joule.SapJouleSource, sap_joule.sap_joule_source, sap_joule.CONTRACTS),
    "snowflake_cortex": System(
        snowflake_cortex.SnowflakeCortexSource,
        snowflake_cortex.snowflake_cortex_source,
        snowflake_cortex.CONTRACTS,
    ),
    # Nothing is read from a sender: what it pushes is drained from the collector's spool.
    "collector": System(pushing.CollectorSource, None, collector_tables.CONTRACTS),
    "otel": System(pushing.OtelSource, None, ()),
}

# One entry of config/sources.yaml: the model its `system` names.
Source = Annotated[
    Union[tuple(system.config for system in SYSTEMS.values())],  # noqa: UP007
    Field(discriminator="system"),
]


def is_read(source: SourceConfig) -> bool:
    """Whether we read from this source; else it is switched off, or it pushes to the collector."""
    return source.enabled and SYSTEMS[source.system].source is not None


def credential_fields(config: type[SourceConfig]) -> tuple[str, ...]:
    """The arguments of a system's source that come from the environment."""
    return tuple(
        name.removesuffix(_ENV)
        for name in config.model_fields
        if name.endswith(_ENV) and name not in SourceConfig.model_fields
    )


def missing_variables(source: SourceConfig, environ: Mapping[str, str]) -> list[str]:
    """The variables a source names that are not set: such a source is simply not scheduled."""
    named = [getattr(source, name + _ENV) for name in credential_fields(type(source))]
    return [name for name in named if name and not environ.get(name)]


def build_source(
    source: SourceConfig,
    *,
    credentials: Mapping[str, str | None],
    now: datetime,
    deep_reread: bool,
) -> DltSource:
    """A fresh dlt source of one instance: one built at import fails on its second run."""
    system = SYSTEMS[source.system]
    if system.source is None:
        raise ValueError(f"{source.id} pushes to the collector: there is nothing to read")
    options: dict[str, Any] = {
        name: getattr(source, name)
        for name in type(source).model_fields
        if name != "system" and name not in SourceConfig.model_fields and not name.endswith(_ENV)
    }
    secrets = {name: credentials.get(name) for name in credential_fields(type(source))}
    return system.source(**options, **secrets, instance=source.id, now=now, deep_reread=deep_reread)
