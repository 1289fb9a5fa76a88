"""A raw name means a catalogued model by an alias, exactly, or by what a list says comes off."""

import pytest

from price_catalog.match import (
    CatalogueIndex,
    canonical_provider,
    index_of,
    match,
    match_in_region,
)

BEDROCK = "aws_bedrock"
INDEX = index_of(
    [
        ("openai", "gpt-5"),
        ("openai", "gpt-4o"),
        ("openai", "gpt-4o-2024-05-13"),
        ("openai", "ft:gpt-4o-2024-08-06"),
        ("anthropic", "claude-sonnet-4-5"),
        ("vertex_ai", "claude-haiku"),
        (BEDROCK, "anthropic.claude-x-v1:0"),
        (BEDROCK, "us.anthropic.claude-x-v1:0"),
        (BEDROCK, "amazon.nova"),
        (BEDROCK, "eu-west-1/amazon.nova"),
        (BEDROCK, "eu-west-1/mistral.old"),
        ("openrouter", "openai/gpt-4o"),
        ("azure", "gpt-4o"),
        ("azure", "eu/gpt-4o"),
    ],
    aliases={
        ("azure", "acme-prod"): ("openai", "gpt-4o"),
        ("openai", "gpt-4o"): ("openai", "gpt-5"),
        ("openai", "typo"): ("openai", "gpt-6o"),
    },
)
PLAIN = CatalogueIndex(models=INDEX.models)
ARN = "arn:aws:bedrock:us-east-1:123456789012"


@pytest.mark.parametrize(
    ("provider", "raw_model", "model", "matched_by"),
    [
        ("openai", "gpt-4o", "gpt-4o", "exact"),
        ("OpenAI", "gpt-4o-2024-05-13", "gpt-4o-2024-05-13", "exact"),
        ("openai", "gpt-4o-2099-12-31", "gpt-4o", "date_suffix"),
        ("openai", "openai/gpt-4o", "gpt-4o", "catalogue_alias"),
        ("anthropic", "claude-sonnet-4-5-20250929", "claude-sonnet-4-5", "date_suffix"),
        ("vertex_ai-anthropic_models", "claude-haiku@20250101", "claude-haiku", "date_suffix"),
        ("vertex_ai", "claude-haiku@default", "claude-haiku", "date_suffix"),
        ("openai", "ft:gpt-4o-2024-08-06:acme::x1", "ft:gpt-4o-2024-08-06", "catalogue_alias"),
        ("bedrock", f"{ARN}:foundation-model/amazon.nova", "amazon.nova", "catalogue_alias"),
        ("bedrock", "amazon.nova-20250101-v1:0", "amazon.nova", "date_suffix"),
        ("openrouter", "openai/gpt-4o:nitro", "openai/gpt-4o", "catalogue_alias"),
        ("openrouter", "openai/gpt-4o-20240513:thinking", "openai/gpt-4o", "date_suffix"),
        ("openrouter", "openrouter/openai/gpt-4o", "openai/gpt-4o", "catalogue_alias"),
        ("openrouter", "openai/gpt-4o:free", None, "none"),
        ("azure", "our-gpt-4o", None, "none"),
        # Looks alike, and is another model at another price.
        ("openai", "gpt-5.6-sol", None, "none"),
        ("openai", "gpt-5-mini", None, "none"),
        ("openai", "gpt-4", None, "none"),
        ("openai", "gpt-4o-2024-13-01", None, "none"),
        ("openai", "ft:gpt-4o-mini:acme::x1", None, "none"),
        ("anthropic", "gpt-4o", None, "none"),
        ("bedrock", f"{ARN}:application-inference-profile/abc", None, "none"),
        ("", "", None, "none"),
    ],
)
def test_a_name_matches_by_the_rules_and_by_nothing_else(
    provider: str, raw_model: str, model: str | None, matched_by: str
) -> None:
    found = match(raw_model, provider=provider, index=PLAIN)
    assert (found.model, found.matched_by) == (model, matched_by)


@pytest.mark.parametrize(
    ("provider", "raw_model", "region", "model", "matched_by"),
    [
        ("aws", "amazon.nova", "eu-west-1", "eu-west-1/amazon.nova", "region"),
        ("aws", "amazon.nova", "us-east-1", "amazon.nova", "exact"),
        ("aws", "amazon.nova-20250101-v1:0", "eu-west-1", "eu-west-1/amazon.nova", "region"),
        # Listed in the region alone.
        ("aws", "mistral.old", "eu-west-1", "eu-west-1/mistral.old", "region"),
        # A geo profile has its own price wherever it is called from.
        ("aws", "jp.amazon.nova", "eu-west-1", "amazon.nova", "catalogue_alias"),
        ("azure", "gpt-4o", "EU", "eu/gpt-4o", "region"),
        ("openai", "gpt-4o", "eu", "gpt-4o", "exact"),
    ],
)
def test_a_region_with_a_key_of_its_own_goes_first(
    provider: str, raw_model: str, region: str, model: str, matched_by: str
) -> None:
    found = match_in_region(raw_model, provider=provider, region=region, index=PLAIN)
    assert (found.model, found.matched_by) == (model, matched_by)


def test_a_users_alias_goes_before_an_exact_name() -> None:
    assert match("gpt-4o", provider="openai", index=INDEX).model == "gpt-5"
    found = match("acme-prod", provider="azure_openai", index=INDEX)
    assert (found.provider, found.model, found.matched_by) == ("openai", "gpt-4o", "alias")


def test_an_alias_to_another_providers_model_has_no_regional_price_of_the_own_one() -> None:
    found = match_in_region("acme-prod", provider="azure", region="eu", index=INDEX)
    assert (found.provider, found.model, found.matched_by) == ("openai", "gpt-4o", "alias")


def test_an_alias_to_an_unknown_model_matches_nothing() -> None:
    assert match("typo", provider="openai", index=INDEX).matched_by == "none"


def test_a_geo_prefix_in_the_catalogue_wins_and_another_one_comes_off_as_the_region() -> None:
    listed = match("us.anthropic.claude-x-v1:0", provider="bedrock", index=PLAIN)
    assert (listed.model, listed.region_extract) == ("us.anthropic.claude-x-v1:0", None)
    taken_off = match("bedrock/converse/eu.anthropic.claude-x-v1:0", provider="aws", index=PLAIN)
    assert (taken_off.model, taken_off.region_extract) == ("anthropic.claude-x-v1:0", "eu")
    profile = f"{ARN}:inference-profile/us.anthropic.claude-x-v1:0"
    assert match(profile, provider="aws", index=PLAIN).model == "us.anthropic.claude-x-v1:0"


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("bedrock", "aws_bedrock"),
        ("bedrock_converse", "aws_bedrock"),
        ("aws", "aws_bedrock"),
        ("aws.bedrock", "aws_bedrock"),
        ("vertex_ai-language-models", "vertex_ai"),
        (" OpenAI ", "openai"),
        ("unheard_of", "unheard_of"),
    ],
)
def test_every_spelling_of_a_provider_has_one_name(name: str, canonical: str) -> None:
    assert canonical_provider(name) == canonical
    assert canonical_provider(canonical) == canonical
