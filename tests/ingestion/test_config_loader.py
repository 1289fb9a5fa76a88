"""A configuration is accepted whole or refused with every file and line that is wrong."""

from decimal import Decimal
from pathlib import Path

import pytest
from written_config import write_config

from ingestion.config_checks import values_of
from ingestion.config_loader import load_config
from ingestion.config_outward import OverrideRules
from ingestion.config_yaml import ConfigError
from ingestion.systems import SYSTEMS
from sandbox import company

DEMO = Path(__file__).parents[2] / "config"
ENTITIES = """\
entities:
  - {id: acme, type: organisation}
  - {id: team-a, type: team, parent: acme}
"""


def folder(tmp_path: Path, **files: str) -> Path:
    return write_config(tmp_path, {"entities": ENTITIES} | files)


def refusals(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    return str(caught.value).splitlines()


def test_the_demo_company_is_as_described() -> None:
    config = load_config(DEMO)
    of_type = {
        kind: [n.id for n in config.nodes if n.type == kind]
        for kind in {n.type for n in config.nodes}
    }
    assert {kind: len(ids) for kind, ids in of_type.items()} == {
        "organisation": 1,
        "workspace": 2,
        "team": 6,
        "user": 30,
        "agent": 4,
        "root": 1,
        "customer": 8,
        "internal": 1,
        "unattributed": 2,
    }
    assert of_type["unattributed"] == ["acme-unattributed", "customers-unattributed"]
    assert [feature.id for feature in config.features] == [
        "search",
        "chat",
        "summarise",
        "extract",
        "agents",
    ]
    assert {source.system for source in config.sources} == SYSTEMS.keys()
    assert [gateway.id for gateway in config.gateways] == [
        "litellm-main",
        "openrouter-main",
        "portkey-main",
    ]
    hard = [budget.entity for budget in config.budgets if budget.actions == ("block",)]
    assert hard == of_type["agent"] or sorted(hard) == sorted(of_type["agent"])


def test_the_demo_declares_everybody_the_sandbox_simulates() -> None:
    config = load_config(DEMO)
    ids = {node.id for node in config.nodes}
    emails = {node.email: node for node in config.nodes}
    aliases = {
        v for rule in config.identities if rule.field == "raw_key_alias" for v in values_of(rule)
    }
    for team in company.TEAMS:
        for name in team.members:
            last_parent = emails[company.email_of(name)].parents[-1].parent
            assert last_parent == team.team_id
    assert {f"agent-{agent.agent_id}" for agent in company.AGENTS} <= ids
    assert {f"cust-{name}" for name in company.CUSTOMERS} <= ids
    assert set(company.FEATURES) == {feature.id for feature in config.features}
    unknown = {key.alias for key in company.KEYS if key.team_id == company.UNKNOWN_TEAM}
    assert {key.alias for key in company.KEYS} - aliases == unknown


def test_a_folder_with_only_a_root_is_enough(tmp_path: Path) -> None:
    (tmp_path / "entities.yaml").write_text("entities: [{id: acme, type: organisation}]\n")
    config = load_config(tmp_path)
    assert [node.id for node in config.nodes] == [
        "acme",
        "acme-unattributed",
        "customers",
        "customers-internal",
        "customers-unattributed",
    ]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert refusals(tmp_path / "nowhere")[0].endswith("nowhere:1: no such configuration folder")


def test_a_missing_tree_is_named(tmp_path: Path) -> None:
    assert refusals(tmp_path) == ["entities.yaml:1: missing: it holds the root of the owner tree"]


def test_a_misspelt_file_is_refused(tmp_path: Path) -> None:
    (path := folder(tmp_path)).joinpath("budget.yaml").write_text("budgets: []\n")
    assert refusals(path)[0].startswith(
        "budget.yaml:1: unknown file; known: sources.yaml, entities.yaml"
    )


def test_an_unknown_section_is_refused(tmp_path: Path) -> None:
    path = folder(tmp_path, features="features: []\nfeature: []\n")
    assert refusals(path) == ["features.yaml:2: unknown section feature; known: features"]


def test_an_unknown_field_is_refused_at_its_line(tmp_path: Path) -> None:
    path = folder(tmp_path, features="features:\n  - id: chat\n    nmae: Chat\n")
    assert refusals(path) == ["features.yaml:3: features[0].nmae: unknown field"]


def test_how_long_a_persons_change_stands_is_declared(tmp_path: Path) -> None:
    assert load_config(folder(tmp_path)).override == OverrideRules()
    text = "override: {for_hours: 12, growth_ratio: 0.25}\n"
    override = load_config(folder(tmp_path, enforcement=text)).override
    assert (override.for_hours, override.growth_ratio) == (12, Decimal("0.25"))
    wrong = "override:\n  for_hours: 0\n  growth_ratio: 1.5\n  forever: true\n"
    assert refusals(folder(tmp_path, enforcement=wrong)) == [
        "enforcement.yaml:2: override.for_hours: Input should be greater than or equal to 1"
        " (found: '0')",
        "enforcement.yaml:3: override.growth_ratio: Input should be less than or equal to 1",
        "enforcement.yaml:4: override.forever: unknown field",
    ]


def test_a_gateway_cannot_be_armed_by_config(tmp_path: Path) -> None:
    text = """\
gateways:
  - id: litellm-main
    system: litellm
    base_url_env: A
    admin_key_env: B
    armed: true
"""
    assert refusals(folder(tmp_path, enforcement=text)) == [
        "enforcement.yaml:6: gateways[0].armed: unknown field"
    ]


@pytest.mark.parametrize(
    "name", ["x'); drop table fct; --", "{{ env_var('K') }}", "Team", "1a", "a" * 64, ""]
)
def test_an_id_that_is_no_id_is_shown_verbatim_and_refused(tmp_path: Path, name: str) -> None:
    path = folder(tmp_path, features=f'features:\n  - name: Chat\n    id: "{name}"\n')
    (line,) = refusals(path)
    assert line.startswith("features.yaml:3: features[0].id: ")
    assert repr(name) in line


def test_every_problem_of_every_file_is_reported_at_once(tmp_path: Path) -> None:
    path = folder(
        tmp_path,
        features="features:\n  - id: UPPER\n  - {}\n",
        budgets="budgets:\n  - id: b\n    entity: acme\n    amount: 1\n",
        webhooks="endpoints: 7\n",
    )
    assert [line.split(": ")[0] for line in refusals(path)] == [
        "budgets.yaml:2",
        "features.yaml:2",
        "features.yaml:3",
        "webhooks.yaml:1",
    ]


def test_a_customer_fits_in_one_file(tmp_path: Path) -> None:
    path = folder(tmp_path)
    (path / "customers").mkdir()
    (path / "customers" / "northwind.yaml").write_text(
        "customers:\n  - {id: cust-northwind}\nbudgets:\n"
        "  - {id: n, entity: cust-northwind, period: month, amount: 10, thresholds: {info: 1}}\n"
    )
    config = load_config(path)
    assert [budget.entity for budget in config.budgets] == ["cust-northwind"]
    (path / "customers" / "northwind.yaml").write_text("customers:\n  - {id: acme}\n")
    assert refusals(path) == [
        "customers/northwind.yaml:2: node acme is declared twice (first: entities.yaml:2)"
    ]


def test_equal_content_is_an_equal_version_whatever_its_spelling(tmp_path: Path) -> None:
    before = load_config(folder(tmp_path)).versions
    respelt = (
        "# a comment\nentities:\n  - type: organisation\n    id: acme\n"
        "  - {id: team-a, parent: acme, type: team}\n"
    )
    assert load_config(folder(tmp_path, entities=respelt)).versions == before


def test_the_versions_tell_what_a_change_can_affect(tmp_path: Path) -> None:
    before = load_config(folder(tmp_path)).versions
    renamed = load_config(
        folder(tmp_path, entities=ENTITIES.replace("type: team,", "type: team, name: A,"))
    ).versions
    moved = load_config(folder(tmp_path, features="features: [{id: chat}]\n")).versions
    alias = "model_aliases: [{provider: p, model: m, target_provider: p, target_model: n}]\n"
    repriced = load_config(folder(tmp_path, prices=alias, features="")).versions
    assert renamed.config_version != before.config_version
    assert renamed.attribution_version == before.attribution_version
    assert moved.attribution_version != before.attribution_version
    assert moved.pricing_version == before.pricing_version
    assert repriced.attribution_version == before.attribution_version
    assert repriced.pricing_version != before.pricing_version
