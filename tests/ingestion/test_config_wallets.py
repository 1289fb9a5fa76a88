"""What wallets and their entries may not say, by file and line; what they become."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from written_config import write_config

from ingestion.config_loader import Config, load_config
from ingestion.config_tables import config_tables
from ingestion.config_yaml import ConfigError

GOOD = {
    "entities": "entities:\n  - {id: acme, type: organisation}\n"
    "  - {id: team-a, type: team, parent: acme}\n  - {id: app, type: application, parent: acme}\n",
    "sources": "sources: [{id: bill, system: openai_bill, admin_key_env: A}]\n",
    "features": "features: [{id: chat}, {id: search}]\n",
}
DAY = "2026-10-01T00:00:00Z"
W = f"entity: acme, valid_from_at: {DAY}"
TOP_UP = "auto_top_up: {threshold: 5, amount: 50}"


def wallet(text: str, name: str = "w") -> dict[str, str]:
    return {"wallets": f"wallets:\n  - {{id: {name}, {text}}}\n"}


def entries(*texts: str, to: str = W) -> dict[str, str]:
    items = [f"  - {{id: e{n}, wallet: w, {text}}}\n" for n, text in enumerate(texts)]
    return wallet(to) | {"wallet_entries": "wallet_entries:\n" + "".join(items)}


def entry(kind: str, text: str, *, to: str = W) -> dict[str, str]:
    return entries(f"kind: {kind}, effective_at: {DAY}, {text}", to=to)


def recurring(text: str) -> dict[str, str]:
    return wallet(f"{W}, recurring: [{{id: r, amount: 5, starts_at: {DAY}, {text}}}]")


def loaded(tmp_path: Path, files: dict[str, str]) -> Config:
    return load_config(write_config(tmp_path, GOOD | files))


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (wallet("entity: acme"), "valid_from_at is needed"),
        (wallet(f"entity: nobody, valid_from_at: {DAY}"), "no entity is called nobody"),
        (wallet(f"{W}, sources: [other]"), "no source is called other"),
        (wallet(f"{W}, applications: [team-a]"), "no application is called team-a"),
        (wallet(f"{W}, features: [nothing]"), "no feature is called nothing"),
        (wallet(f"{W}, measure: tokens"), "Input should be 'cost' or 'charged'"),
        (wallet(f"{W}, currency: EUR"), "Input should be 'USD'"),
        (wallet(f"{W}, conversion_rate: 0"), "greater than 0"),
        (wallet(f"{W}, colour: red"), "unknown field"),
        (wallet(W, "all"), "all is a reserved word"),
        (recurring("every: hour"), "Input should be 'day'"),
        (recurring("every: month, expires: after"), "expires_after_days belongs to expires"),
        (recurring(f"every: day, ends_at: {DAY}"), "starts_at must be before ends_at"),
        (
            wallet(
                f"{W}, recurring: [{{id: r, amount: 5, every: month,"
                " starts_at: 2026-10-31T00:00:00Z}]"
            ),
            "a day that every month has",
        ),
        (wallet(f"{W}, auto_top_up: {{threshold: 5}}"), "either amount or target"),
        (wallet(f"{W}, auto_top_up: {{threshold: 5, target: 5}}"), "target must be above"),
        (wallet(f"{W}, alerts: [{{feature: chat}}]"), "needs at least one of info"),
        (wallet(f"{W}, alerts: [{{warning: 5}}]"), "a warning needs a critical"),
        (wallet(f"{W}, alerts: [{{info: 1, critical: 2}}]"), "info >= warning >= critical"),
        (wallet(f"{W}, alerts: [{{condition: above, info: 1}}]"), "below its thresholds"),
        (wallet(f"{W}, alerts: [{{unit: credits, info: 1}}]"), "needs a conversion_rate"),
        (wallet(f"{W}, alerts: [{{info: 1}}, {{info: 2}}]"), "one for the wallet and one"),
        (wallet(f"{W}, alerts: [{{info: 1, hysteresis: -0.1}}]"), "greater than or equal to 0"),
        (wallet(f"{W}, alerts: [{{info: 1, renotify_after: daily}}]"), "should match pattern"),
        (
            wallet(f"{W}, features: [search], alerts: [{{feature: chat, info: 1}}]"),
            "chat is no feature that draws on w",
        ),
        (entry("grant", "priority: 1"), "a grant needs an amount"),
        (entry("grant", "amount: -5"), "amount must be above 0"),
        (entry("adjustment", "amount: 0"), "amount must not be 0"),
        (entry("grant", f"amount: 5, expires_at: {DAY}"), "effective_at must be before"),
        (entry("adjustment", "amount: 5, priority: 1"), "priority belongs to a grant"),
        (entry("transfer", "amount: 5"), "to_wallet belongs to a transfer"),
        (entry("transfer", "amount: 5, to_wallet: w"), "a transfer is to another wallet"),
        (entry("transfer", "amount: 5, to_wallet: v"), "no wallet is called v"),
        (entry("void", "amount: 5"), "either a grant or a top_up"),
        (entry("void", "grant: e7"), "w has no grant called e7"),
        (entry("grant", "amount: 5, top_up: 1"), "w has no auto_top_up"),
        (entry("grant", "amount: 5.0000001"), "decimal places"),
        ({"wallet_entries": f"wallet_entries: [{{id: e, wallet: w, kind: grant, amount: 5, "
          f"effective_at: {DAY}}}]\n"}, "no wallet is called w"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_line(
    tmp_path: Path, files: dict[str, str], expected: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, files)
    text = str(refused.value)
    assert expected in text
    assert text.startswith(("wallets.yaml:2: ", "wallet_entries.yaml:"))


def test_an_idempotency_key_is_used_once(tmp_path: Path) -> None:
    twice = entries(f"kind: grant, amount: 5, effective_at: {DAY}")
    twice["wallet_entries"] += twice["wallet_entries"].partition("\n")[2]
    with pytest.raises(ConfigError, match="wallet entry e0 is declared twice"):
        loaded(tmp_path, twice)


def test_wallets_and_entries_become_rows(tmp_path: Path) -> None:
    files = entries(
        f"kind: grant, amount: 12.5, priority: 2, effective_at: {DAY}",
        f"kind: grant, amount: 50, effective_at: {DAY}, top_up: 3, category: promotional",
        f"kind: void, top_up: 4, effective_at: {DAY}",
        f"kind: void, grant: e0, effective_at: {DAY}",
        f'kind: void, grant: "w/r/2026-10-01T00:00", amount: 1, effective_at: {DAY}',
        to=f"{W}, shared: true, features: [chat, search], sources: [bill], {TOP_UP}, "
        f"recurring: [{{id: r, amount: 5, every: month, starts_at: {DAY}}}], "
        "alerts: [{info: 9, hysteresis: 0.05, renotify_after: 24h, paused: true}]",
    )
    tables = config_tables(loaded(tmp_path, files), extracted_at=datetime(2026, 11, 1, tzinfo=UTC))
    [row] = tables["wallets"].to_pylist()
    assert (row["is_shared"], row["measure"], row["usd_per_credit"]) == (True, "cost", None)
    assert json.loads(row["top_up_json"])["amount"] == "50"
    assert json.loads(row["recurring_json"])[0]["expires"] == "never"
    [alert] = json.loads(row["alerts_json"])
    asked = ("info", "hysteresis", "renotify_after", "paused")
    assert [alert[name] for name in asked] == ["9", "0.05", "24h", True]
    limits = [(each["dimension"], each["limit_value"]) for each in
              tables["wallet_limits"].to_pylist()]  # fmt: skip
    assert limits == [("source", "bill"), ("feature", "chat"), ("feature", "search")]
    columns = ["entry_kind", "amount_usd", "category", "grant_id", "top_up_id"]
    found = [tuple(each.values()) for each in tables["wallet_entries"].select(columns).to_pylist()]
    assert found == [
        ("grant", Decimal("12.5"), "purchased", None, None),
        ("grant", 50, "promotional", None, "w/top-up/3"),
        ("void", None, None, "w/top-up/4", None),
        ("void", None, None, "e0", None),
        ("void", 1, None, "w/r/2026-10-01T00:00", None),
    ]


def test_a_customers_wallet_may_stand_in_the_customers_own_file(tmp_path: Path) -> None:
    (tmp_path / "customers").mkdir()
    text = (
        "customers: [{id: cust-x}]\n"
        f"wallets: [{{id: x, entity: cust-x, valid_from_at: {DAY}}}]\n"
        f"wallet_entries: [{{id: x1, wallet: x, kind: grant, amount: 5, effective_at: {DAY}}}]\n"
    )
    (tmp_path / "customers" / "x.yaml").write_text(text, encoding="utf-8")
    config = loaded(tmp_path, {})
    assert [each.id for each in config.wallets] == ["x"]
    assert [each.id for each in config.wallet_entries] == ["x1"]


def test_an_amount_of_as_many_digits_as_may_be_said_stays_exact(tmp_path: Path) -> None:
    """14 digits before the point and 15 places make 29: more than Decimal keeps by itself."""
    most = "9" * 14
    budget = f"{{id: b, entity: acme, period: month, amount: {most}, thresholds: {{critical: 1}}}}"
    files = entry("grant", f"amount: {most}") | {"budgets": f"budgets: [{budget}]\n"}
    tables = config_tables(loaded(tmp_path, files), extracted_at=datetime(2026, 11, 1, tzinfo=UTC))
    assert tables["wallet_entries"]["amount_usd"].to_pylist() == [Decimal(most)]
    assert tables["budgets"]["amount"].to_pylist() == [Decimal(most)]
