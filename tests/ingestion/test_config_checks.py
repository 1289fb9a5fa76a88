"""What two declarations may not say about each other, by file and line."""

from pathlib import Path

import pytest
from written_config import write_config

from ingestion.config_loader import load_config
from ingestion.config_yaml import ConfigError

GOOD = {
    "entities": """\
entities:
  - {id: acme, type: organisation}
  - {id: team-a, type: team, parent: acme}
  - {id: ada, type: user, email: ada@acme.example, parent: team-a}
""",
    "customers": "customers:\n  - {id: northwind}\n",
    "features": "features:\n  - {id: chat}\n",
    "sources": """\
sources:
  - {id: one, system: litellm, evidence_layer: gateway, base_url_env: A, api_key_env: B}
""",
}
BUDGET = "period: month, amount: 10, thresholds: {info: 1}"
ENDPOINT = "url_env: U, secret_env: S, events: ['*']"
ALIAS = "provider: p, model: m, target_provider: p, target_model: n"


def refusals(tmp_path: Path, files: dict[str, str]) -> list[str]:
    write_config(tmp_path, GOOD | files)
    with pytest.raises(ConfigError) as caught:
        load_config(tmp_path)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param(
            {
                "budgets": f"budgets:\n  - {{id: b, entity: acme, {BUDGET}}}\n"
                f"  - {{id: b, entity: ada, {BUDGET}}}\n"
            },
            "budgets.yaml:3: budget b is declared twice (first: budgets.yaml:2)",
            id="one budget id twice",
        ),
        pytest.param(
            {"customers": "customers:\n  - {id: northwind}\n  - {id: team-a}\n"},
            "customers.yaml:3: node team-a is declared twice (first: entities.yaml:3)",
            id="one id in both trees",
        ),
        pytest.param(
            {"customers": "customers:\n  - {id: customers-internal}\n"},
            "customers.yaml:2: node customers-internal is declared twice (first: customers.yaml:1)",
            id="an id that the loader makes",
        ),
        pytest.param(
            {"sources": GOOD["sources"] + "evidence_order: [provider_log, two]\n"},
            "sources.yaml:3: two is neither a source nor one of"
            " gateway, provider_log, observability, saas",
            id="a place in the order for nobody",
        ),
        pytest.param(
            {"sources": GOOD["sources"] + "evidence_order:\n  - one\n  - gateway\n  - one\n"},
            "sources.yaml:6: one stands there twice",
            id="two places in the order",
        ),
        pytest.param(
            {"sources": GOOD["sources"] + "evidence_order: gateway\n"},
            "sources.yaml:3: evidence_order: Input should be a valid tuple (found: 'gateway')",
            id="an order that is no list",
        ),
        pytest.param(
            {"features": "features:\n  - {id: unattributed}\n"},
            "features.yaml:2: unattributed is a reserved word",
            id="reserved",
        ),
        pytest.param(
            {
                "entities": GOOD["entities"]
                + "  - {id: eve, type: user, email: ADA@acme.example, parent: team-a}\n"
            },
            "entities.yaml:5: eve has the e-mail of ada",
            id="one e-mail twice",
        ),
        pytest.param(
            {"budgets": f"budgets:\n  - {{id: b, entity: nobody, {BUDGET}}}\n"},
            "budgets.yaml:2: no entity is called nobody",
            id="budget of nobody",
        ),
        pytest.param(
            {"budgets": f"budgets:\n  - {{id: b, entity: team-a, to: [nobody], {BUDGET}}}\n"},
            "budgets.yaml:2: no endpoint is called nobody",
            id="recipient that is no endpoint",
        ),
        pytest.param(
            {
                "budgets": f"budgets:\n  - {{id: b, each: team, {BUDGET}}}\n"
                f"  - {{id: b-team-a, entity: ada, {BUDGET}}}\n"
            },
            "budgets.yaml:2: its own of team-a would be called b-team-a, which exists",
            id="expansion collides",
        ),
        pytest.param(
            {"sources": GOOD["sources"].replace("}\n", ", default_entity: northwind}\n")},
            "sources.yaml:2: no node of the owner tree is called northwind",
            id="default parent in the other tree",
        ),
        pytest.param(
            {
                "sources": GOOD["sources"].replace(
                    "}\n", ", auto_create: true, default_entity: acme}\n"
                )
            },
            "sources.yaml:2: auto_create needs default_customer: where new nodes hang",
            id="auto_create without a parent",
        ),
        pytest.param(
            {
                "sources": GOOD["sources"]
                + "  - {id: bill, system: openai_bill, admin_key_env: A}\n"
                + "  - {id: spare, system: openai_bill, admin_key_env: A, owns: []}\n"
                + "  - {id: second, system: openai_bill, admin_key_env: A, owns: [openai]}\n"
            },
            "sources.yaml:5: openai is owned by bill already",
            id="two bills of one provider",
        ),
        pytest.param(
            {"identities": "identities:\n  - {source: two, field: raw_team, match: same_id}\n"},
            "identities.yaml:2: no source is called two",
            id="rule of an unknown source",
        ),
        pytest.param(
            {
                "identities": "identities:\n"
                "  - field: raw_team\n    value: x\n    target: northwind\n"
            },
            "identities.yaml:4: no owner is called northwind",
            id="rule into the other tree",
        ),
        pytest.param(
            {"identities": "identities:\n  - {field: raw_key_hash, value: x, target: team-a}\n"},
            "identities.yaml:2: never matches: no source reads raw_key_hash for the owner",
            id="rule that can never match",
        ),
        pytest.param(
            {
                "identities": "identities:\n"
                "  - {dimension: feature, field: raw_feature, match: email}\n"
            },
            "identities.yaml:2: features have no e-mail",
            id="feature by e-mail",
        ),
        pytest.param(
            {
                "identities": "identities:\n  - {field: raw_team, value: x, target: team-a}\n"
                "  - {field: raw_team, value: [y, x], target: acme}\n"
            },
            "identities.yaml:3: x is already team-a by an earlier rule",
            id="one value, two nodes",
        ),
        pytest.param(
            {"webhooks": f"endpoints:\n  - {{id: e, entities: [acme, nobody], {ENDPOINT}}}\n"},
            "webhooks.yaml:2: no entity is called nobody",
            id="endpoint of nobody",
        ),
        pytest.param(
            {
                "enforcement": "gateways:\n"
                "  - {id: two, system: litellm, base_url_env: A, admin_key_env: B}\n"
            },
            "enforcement.yaml:2: no litellm source is called two",
            id="gateway nobody reads",
        ),
        pytest.param(
            {"enforcement": "gateways:\n  - {id: one, system: command, endpoint: e}\n"},
            "enforcement.yaml:2: no endpoint of kind command is called e",
            id="command without an endpoint",
        ),
        pytest.param(
            {
                "enforcement": "gateways:\n"
                "  - {id: one, system: openrouter, base_url_env: A, admin_key_env: B,"
                " targets: [team]}\n"
            },
            "enforcement.yaml:2: gateways[0]: targets: openrouter limits keys alone",
            id="gateway that limits no teams",
        ),
        pytest.param(
            {
                "prices": f"model_aliases:\n  - {{{ALIAS}, valid_to_at: 2026-02-01T00:00:00Z}}\n"
                f"  - {{{ALIAS}, valid_from_at: 2026-01-01T00:00:00Z}}\n"
            },
            "prices.yaml:3: m already has an alias at that time",
            id="two aliases at one time",
        ),
    ],
)
def test_a_contradiction_is_refused_at_its_line(
    tmp_path: Path, files: dict[str, str], expected: str
) -> None:
    assert refusals(tmp_path, files) == [expected]


def test_the_two_roots_have_two_names(tmp_path: Path) -> None:
    assert refusals(tmp_path, {"customers": "root: {id: acme}\n"}) == [
        "customers.yaml:1: node acme is declared twice (first: entities.yaml:2)",
        "customers.yaml:1: node acme-unattributed is declared twice (first: entities.yaml:2)",
    ]


def test_each_makes_one_budget_an_entity_of_the_type(tmp_path: Path) -> None:
    files = {
        "entities": GOOD["entities"] + "  - {id: team-b, type: team, parent: acme}\n",
        "budgets": f"budgets:\n  - {{id: monthly, each: team, {BUDGET}}}\n",
    }
    write_config(tmp_path, GOOD | files)
    budgets = load_config(tmp_path).budgets
    assert [(b.id, b.entity) for b in budgets] == [
        ("monthly-team-a", "team-a"),
        ("monthly-team-b", "team-b"),
    ]


def test_aliases_that_follow_each_other_are_fine(tmp_path: Path) -> None:
    aliases = (
        f"model_aliases:\n  - {{{ALIAS}, valid_to_at: 2026-01-01T00:00:00Z}}\n"
        f"  - {{{ALIAS}, valid_from_at: 2026-01-01T00:00:00Z}}\n"
    )
    write_config(tmp_path, GOOD | {"prices": aliases})
    assert len(load_config(tmp_path).model_aliases) == 2
