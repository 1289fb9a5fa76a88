"""SAP's months are read whole, appended where they differ, and told apart by their meters."""

import json
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from raw_loads import loaded, refusal, rows_of, tied
from sap_joule_server import (
    NOW,
    PULLS,
    REPORTS,
    SECRET,
    Account,
    account_server,
    load_sap_joule,
    recorded,
)
from scripted_server import Answer

from ingestion.http import SourceError
from ingestion.sap_joule_api import Reports, ServiceKey, read_service_key, sign_in
from ingestion.sap_joule_records import METERS, Meter, meter_of

RAW = "raw_sap_joule.monthly_usage"
COST = "raw_sap_joule.monthly_cost"
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.http.BACKOFF_SECONDS", 0.001)


@pytest.fixture
def account() -> Iterator[Account]:
    """An account with October as it stood on the tenth."""
    with account_server() as running:
        running.usage["202610"] = recorded(PULLS[0][1])
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A warehouse nothing was loaded into."""
    return tmp_path / "home"


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse with one month, shared by runs that must leave it as it is."""
    home = tmp_path_factory.mktemp("untouched")
    with account_server() as account:
        account.usage["202610"] = recorded(PULLS[0][1])
        load_sap_joule(home, account)
    return home


def refused(home: Path, account: Account, **facts: Any) -> str:
    """Why the run failed; the warehouse and what it remembers are as they were."""

    def standing() -> Any:
        states = rows_of(home, "select version_hash from raw_sap_joule._dlt_pipeline_state")
        return states, tied(home, table=RAW)

    before = standing()
    with pytest.raises(PipelineStepFailed) as failed:
        load_sap_joule(home, account, **facts)
    assert SECRET not in str(failed.value) and "uas-token" not in str(failed.value)
    assert standing() == before
    return refusal(failed)


def signed_in(account: Account) -> Reports:
    """The client of the reports, without a run."""
    return sign_in(read_service_key(account.service_key, token_url=None, reporting_url=None))


# Months


def test_an_account_without_usage_makes_tables(account: Account, home: Path) -> None:
    account.usage = {"202610": recorded("monthlyUsage_empty")}
    load_sap_joule(home, account)
    for resource in ("monthly_usage", "monthly_cost", "cloud_credits", "daily_usage"):
        assert tied(home, table=f"raw_sap_joule.{resource}") == (0, 0, 0)


def test_a_month_is_read_as_sap_told_it(account: Account, home: Path) -> None:
    load_sap_joule(home, account)
    assert loaded(home, "measure_id, unit, usage", table=RAW) == [
        ("ai_units", "ai_units", Decimal(120)),
        ("capacity_units_grounding", "capacity_units", Decimal("0.42")),
        ("genai_token_capacity_units", "capacity_units", Decimal("3.71")),
        ("input_tokens", "input_tokens", Decimal(812_000)),
        ("output_tokens", "output_tokens", Decimal(61_000)),
        ("requests", "requests", Decimal(41_200)),
    ]
    [asked] = [asked for asked in account.script.asked if asked.path == f"{REPORTS}/monthlyUsage"]
    assert asked.query == {"fromDate": "202610", "toDate": "202610"}


def test_the_first_run_reads_the_history_and_later_ones_what_may_still_change(
    account: Account, home: Path
) -> None:
    load_sap_joule(home, account, days=120)
    # 120 days before 10 October is 12 June.
    assert account.asked_months("monthlyUsage") == [
        "202606",
        "202607",
        "202608",
        "202609",
        "202610",
    ]
    account.script.asked.clear()
    load_sap_joule(home, account, now=NOW + DAY)
    assert account.asked_months("monthlyUsage") == ["202608", "202609", "202610"]
    account.script.asked.clear()
    load_sap_joule(home, account, now=NOW + 100 * DAY, deep_reread=True)
    # 18 January, over the turn of the year.
    assert account.asked_months("monthlyUsage") == [
        "202608", "202609", "202610", "202611", "202612", "202701",
    ]  # fmt: skip


def test_an_unchanged_month_appends_nothing(account: Account, home: Path) -> None:
    for days in range(5):
        load_sap_joule(home, account, now=NOW + days * DAY)
    assert tied(home, table=RAW) == (6, 6, 0)


def test_each_reading_that_differs_is_appended_whole(account: Account, home: Path) -> None:
    for now, pull in PULLS:
        account.usage["202610"] = recorded(pull)
        load_sap_joule(home, account, now=now)
    units = loaded(home, "_dlt_load_id, measure_id, usage", table=RAW)
    assert [usage for _, measure, usage in units if measure == "ai_units"] == [
        Decimal(120), Decimal("134.5"), Decimal(405), Decimal(402),
    ]  # fmt: skip
    assert tied(home, table=RAW) == (24, 24, 0)


def test_a_directory_has_usage_only(account: Account, home: Path) -> None:
    load_sap_joule(home, account, kind="directory")
    asked = {asked.path for asked in account.script.asked}
    assert asked == {"/oauth/token", f"{REPORTS}/monthlyDirectoryUsage"}
    assert tied(home, table=RAW) == (6, 6, 0)


def test_days_are_read_where_they_are_wanted(account: Account, home: Path) -> None:
    account.days = recorded("subaccountUsage_day_20261005")
    load_sap_joule(home, account, subaccounts=["33333333-3333-4333-8333-333333333333"])
    columns = "cast(day_at as date)::text as day_on, usage, unit"
    assert loaded(home, columns, table="raw_sap_joule.daily_usage") == [
        ("2026-10-05", Decimal("0.37"), "capacity_units")
    ]
    asked = [asked.query for asked in account.script.asked if "subaccountUsage" in asked.path]
    assert [(query["fromDate"], query["toDate"]) for query in asked] == [
        ("20260801", "20260831"), ("20260901", "20260930"), ("20261001", "20261010"),
    ]  # fmt: skip
    assert {query["periodPerspective"] for query in asked} == {"DAY"}


def test_credits_are_a_row_for_each_update_of_a_phase(account: Account, home: Path) -> None:
    path = Path(__file__).parents[1] / "fixtures" / "sap_joule" / "cloudCreditsDetails.json"
    account.credits = json.loads(path.read_text(encoding="utf-8"))
    load_sap_joule(home, account)
    columns = "currency, credits_amount, balance_amount"
    assert loaded(home, columns, table="raw_sap_joule.cloud_credits") == [
        ("EUR", Decimal(50_000), Decimal("38211.4"))
    ]


# Costs


def test_costs_are_estimated_until_they_are_billed(account: Account, home: Path) -> None:
    account.costs["202610"] = recorded("monthlySubaccountsCost_202610_estimated")
    account.costs["202610"][0]["usage"] = "12.0"
    load_sap_joule(home, account)
    account.costs["202610"] = recorded("monthlySubaccountsCost_202610_billed")
    load_sap_joule(home, account, now=NOW + DAY)
    columns = "cost_amount, currency, is_estimated, usage, charged_blocks, is_informational"
    assert loaded(home, columns, table=COST) == [
        (Decimal("11.4"), "EUR", False, Decimal(12), Decimal(12), True),
        (Decimal(12), "EUR", True, Decimal(12), Decimal(12), True),
    ]


def test_a_claimed_cost_that_is_not_in_dollars_fails_the_run(
    account: Account, untouched: Path
) -> None:
    account.costs["202610"] = recorded("monthlySubaccountsCost_202610_billed")
    assert refused(untouched, account, claimed=["ai-core"]) == (
        "sap_joule: costs of ai-core in 2026-10 are not in USD: take it out of claimed_services, "
        "and price its units"
    )


# Meters


@pytest.mark.parametrize(
    ("row", "unit"),
    [
        ({"serviceId": "ai-core", "measureId": "capacity_units"}, "capacity_units"),
        ({"serviceId": "das-application", "plan": "new", "measureId": "ai_units"}, "ai_units"),
        ({"serviceId": "ai-core", "measureId": "gpu_hours"}, "unmapped"),
        ({"serviceId": "builder", "serviceName": "Joule Studio"}, "unmapped"),
        ({"serviceId": "x", "metricName": "AI Units"}, "unmapped"),
        ({"serviceId": "x", "categoryName": "Artificial Intelligence"}, "unmapped"),
        ({"serviceId": "hana-cloud", "measureId": "email_chains"}, "other"),
        ({"serviceId": "mail", "measureId": None, "metricName": 5}, "other"),
    ],
)
def test_a_measure_counts_in_the_unit_of_its_meter(row: dict[str, Any], unit: str) -> None:
    assert meter_of(row, METERS)[0] == unit


def test_a_meter_of_ones_own_comes_first_and_may_name_a_plan() -> None:
    own = Meter(service="ai-core", plan="free", measure="capacity_units", unit="trial_units",
                aggregation="max", is_informational=True)  # fmt: skip
    row = {"serviceId": "ai-core", "plan": "free", "measureId": "capacity_units"}
    assert meter_of(row, (own, *METERS)) == ("trial_units", "max", True)
    assert meter_of({**row, "plan": "extended"}, (own, *METERS)) == ("capacity_units", "sum", False)


# Answers that are none


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("<html>504</html>", "a body that is not JSON"),
        ('{"content": [{"usa', "a body that is not JSON"),
        ({"error": "busy"}, "/monthlyUsage answered 200 without its content"),
        ([], "/monthlyUsage answered 200 without its content"),
        ({"content": [], "totalElements": 7}, "answered 0 rows of more"),
        ({"content": [{}], "last": False}, "answered 1 rows of more"),
    ],
)
def test_a_report_that_is_none_is_refused(account: Account, body: Any, said: str) -> None:
    account.rewrite = lambda asked, good: body if "monthly" in asked.path else good
    with pytest.raises(SourceError, match=said):
        signed_in(account).content("/monthlyUsage", params={})


def test_another_month_than_asked_fails_the_run_and_loads_nothing(
    account: Account, untouched: Path
) -> None:
    account.usage["202609"] = account.usage["202610"]
    assert "answered another month than 2026-09" in refused(untouched, account)


def test_contracts_that_are_none_fail_the_run(account: Account, untouched: Path) -> None:
    account.credits = {"contracts": [{"phases": None}]}
    assert "a contract without phases" in refused(untouched, account)


def test_a_refused_key_fails_at_once_and_says_what_it_needs(
    account: Account, untouched: Path
) -> None:
    account.script.canned = [Answer({"error": "unauthorized"}, status=401)]
    assert "the service key is not valid any more" in refused(untouched, account)
    assert len(account.script.asked) == 1
    account.script.canned = [Answer({"access_token": "uas-token"}), Answer({}, status=403)]
    assert "must be of plan reporting-ga-admin" in refused(untouched, account)


def test_a_busy_api_is_asked_again(account: Account) -> None:
    account.script.canned = [Answer(status=429, headers={"Retry-After": "0"}), Answer(status=503)]
    rows = signed_in(account).content("/monthlyUsage", params={"fromDate": "202610"})
    assert len(rows) == 6


@pytest.mark.parametrize("form", ["flat", "uaa_url", "apart"])
def test_a_service_key_is_read_in_each_of_its_forms(form: str) -> None:
    credentials = {"clientid": "id", "clientsecret": SECRET}
    key, apart = {
        "flat": ({"url": "http://t", "target_url": "http://r"}, {}),
        "uaa_url": ({"uaa_url": "http://t", "url": "http://x", "target_url": "http://r"}, {}),
        "apart": ({"url": "http://x"}, {"token_url": "http://t", "reporting_url": "http://r"}),
    }[form]
    found = read_service_key(
        json.dumps(key | credentials), **{"token_url": None, "reporting_url": None, **apart}
    )
    assert found == ServiceKey("http://t", "http://r", "id", SECRET)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("{'clientid'", "is not JSON"),
        ("[]", "has no token url"),
        (json.dumps({"url": "u", "clientsecret": SECRET}), "has no target_url"),
        (json.dumps({"url": "u", "target_url": "t", "clientsecret": SECRET}), "has no clientid"),
    ],
)
def test_a_service_key_that_lacks_something_is_named(key: str, said: str) -> None:
    with pytest.raises(SourceError, match=said) as error:
        read_service_key(key, token_url=None, reporting_url=None)
    assert SECRET not in str(error.value)


# Values


def test_what_does_not_fit_is_set_aside_with_its_reason(account: Account, home: Path) -> None:
    first = recorded(PULLS[0][1])[0] | {"spaceName": "canary-in-a-name", "note": "canary-in-a-note"}
    account.usage["202610"] = [
        *({**first, **row} for row in recorded("monthlyUsage_malformed")),
        "no object",  # type: ignore[list-item]
    ]
    load_sap_joule(home, account)
    assert loaded(home, "usage", table=RAW) == [Decimal("-3.5"), Decimal("7.25"), Decimal(120)]
    reasons = loaded(home, "column_name, reason", table=f"{RAW}__rejected")
    assert sorted(reasons, key=str) == [
        ("measure_id", "missing"),
        ("subaccount_id", "missing"),
        ("usage", "missing"),
        ("usage", "not_an_amount"),
        ("usage", "not_an_amount"),
        (None, "not_an_object"),
    ]
    assert tied(home, table=RAW) == (9, 3, 6)
    assert loaded(home, "unknown_fields_count", table=f"{RAW}__reads") == [8]
    written = [path.read_bytes() for path in home.rglob("*") if path.is_file()]
    assert not [text for text in written if b"canary-in-a" in text]
