"""Which catalogued model a raw name means, and why: pure, no usage, no I/O.

Belongs here: canonical provider names, the order of matching, recognised suffixes and prefixes.
Does not: rates (parse.py), arithmetic (cost.py). The dbt model `int_prices__model_lookup` answers
the same question in SQL; a test compares both.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

# Names of one payee as the price file, gateways and OpenTelemetry spell it. `vertex_ai-*` is a rule
PROVIDER_ALIASES: Mapping[str, str] = {
    "amazon": "aws_bedrock",
    "amazon-nova": "amazon_nova",
    "amazon_bedrock": "aws_bedrock",
    "aws": "aws_bedrock",
    "aws.bedrock": "aws_bedrock",
    "azure.ai.inference": "azure_ai",
    "azure.ai.openai": "azure",
    "azure_openai": "azure",
    "azure_text": "azure",
    "bedrock": "aws_bedrock",
    "bedrock_converse": "aws_bedrock",
    "cohere_chat": "cohere",
    "fireworks": "fireworks_ai",
    "fireworks_ai-embedding-models": "fireworks_ai",
    "gcp.gemini": "gemini",
    "gcp.vertex_ai": "vertex_ai",
    "google": "gemini",
    "google_ai_studio": "gemini",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "text-completion-codestral": "codestral",
    "text-completion-inception": "inception",
    "text-completion-openai": "openai",
    "together": "together_ai",
    "togetherai": "together_ai",
    "vertex": "vertex_ai",
    "vertex_ai_beta": "vertex_ai",
    "x-ai": "xai",
    "x_ai": "xai",
}

# Where the model runs, in front of a Bedrock id.
GEO_PREFIXES = ("us-gov", "global", "apac", "us", "eu", "jp", "au", "ca")

# Providers whose models the price file lists again as `<region>/<model>`.
REGIONAL_PROVIDERS = frozenset({"aws_bedrock", "azure"})

_YEAR_TO_DAY = "20[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])"
_DASHED_DAY = "20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_DATE_SUFFIX = re.compile(f"(-{_DASHED_DAY}|-{_YEAR_TO_DAY}|@{_YEAR_TO_DAY}|@default)$")
_OPENROUTER_VARIANT = re.compile(":(nitro|floor|thinking)$")
_VERSION_SUFFIX = "-v1:0"
_BEDROCK_ARN = re.compile(
    "^arn:aws[a-z-]*:bedrock:[a-z0-9-]*:[0-9]*:(foundation-model|inference-profile)/"
)
_BEDROCK_ROUTE = re.compile("^(bedrock/)?(converse/|invoke/)?")

MatchedBy = Literal["alias", "exact", "catalogue_alias", "date_suffix", "region", "none"]
Confidence = Literal["declared", "exact", "derived", "none"]


@dataclass(frozen=True)
class CatalogueIndex:
    """What can be matched: catalogued (provider, model) pairs, and the user's aliases now."""

    models: frozenset[tuple[str, str]]
    aliases: Mapping[tuple[str, str], tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Match:
    """The catalogued model of a raw name, or none; `region_extract` is what a geo prefix said."""

    provider: str | None
    model: str | None
    matched_by: MatchedBy
    confidence: Confidence
    region_extract: str | None = None


def canonical_provider(name: str) -> str:
    """The one name of a payee, for every spelling that sources and the price file use."""
    lowered = name.strip().lower()
    if lowered.startswith("vertex_ai-"):
        return "vertex_ai"
    return PROVIDER_ALIASES.get(lowered, lowered)


def index_of(
    models: Iterable[tuple[str, str]],
    *,
    aliases: Mapping[tuple[str, str], tuple[str, str]],
) -> CatalogueIndex:
    """An index over canonical (provider, model) pairs, aliases keyed by (provider, raw name)."""
    return CatalogueIndex(models=frozenset(models), aliases=dict(aliases))


def match(raw_model: str, *, provider: str, index: CatalogueIndex) -> Match:
    """User alias, then exact, then a listed prefix taken off, then a date suffix; nothing else.

    No open-ended prefix and no `contains`: `gpt-5.6-sol` is not `gpt-5`. An alias whose target is
    not in the catalogue matches nothing: guessing past a declaration would hide its mistake.
    """
    canonical = canonical_provider(provider)
    aliased = index.aliases.get((canonical, raw_model))
    if aliased is not None:
        if aliased in index.models:
            return Match(aliased[0], aliased[1], "alias", "declared")
        return Match(None, None, "none", "none")

    if (canonical, raw_model) in index.models:
        return Match(canonical, raw_model, "exact", "exact")

    unrouted = _without_route(raw_model, provider=canonical)
    based, region = _without_geo(unrouted, provider=canonical)
    for name, extracted in ((unrouted, None), (based, region)):
        if (canonical, name) in index.models:
            return Match(canonical, name, "catalogue_alias", "derived", extracted)

    for name, extracted in ((unrouted, None), (based, region)):
        for shortened in _without_suffixes(name):
            if (canonical, shortened) in index.models:
                return Match(canonical, shortened, "date_suffix", "derived", extracted)
    return Match(None, None, "none", "none")


def _without_route(name: str, *, provider: str) -> str:
    """The name without its gateway route, Bedrock ARN, or the organisation part of a fine-tune."""
    if name.startswith("ft:"):
        return ":".join(name.split(":")[:2])
    if provider == "aws_bedrock":
        return _BEDROCK_ROUTE.sub("", _BEDROCK_ARN.sub("", name))
    if provider == "openrouter":
        # Where a request is sent does not change what its model costs; `:free` is another price.
        return _OPENROUTER_VARIANT.sub("", name.removeprefix("openrouter/"))
    return name.removeprefix(f"{provider}/")


def _without_geo(name: str, *, provider: str) -> tuple[str, str | None]:
    """A Bedrock id without its geo prefix, and the prefix."""
    if provider == "aws_bedrock":
        for prefix in GEO_PREFIXES:
            if name.startswith(f"{prefix}."):
                return name.removeprefix(f"{prefix}."), prefix
    return name, None


def _without_suffixes(name: str) -> tuple[str, ...]:
    """The base names behind recognised suffixes: without `-v1:0`, then also without the date."""
    unversioned = name.removesuffix(_VERSION_SUFFIX)
    undated = _DATE_SUFFIX.sub("", unversioned)
    return tuple(base for base in (unversioned, undated) if base != name)


def without_date(name: str) -> str:
    """The undated alias of a dated snapshot id; the name itself where it carries no date."""
    return _DATE_SUFFIX.sub("", name)


def match_in_region(
    raw_model: str, *, provider: str, region: str | None, index: CatalogueIndex
) -> Match:
    """The match of a name where the price file may list `<region>/<model>` beside the model.

    A geo profile has its own price wherever it is called from, so its region is left alone.
    """
    found = match(raw_model, provider=provider, index=index)
    canonical = canonical_provider(provider)
    if canonical not in REGIONAL_PROVIDERS or not region or found.region_extract is not None:
        return found
    # An alias to another provider's model means that model, wherever the act ran.
    if found.provider not in (None, canonical):
        return found
    name = found.model or _without_route(raw_model, provider=canonical)
    regional = f"{region.lower()}/{name}"
    if (canonical, regional) not in index.models:
        return found
    if found.matched_by == "alias":
        return replace(found, model=regional)
    return Match(canonical, regional, "region", "derived")
