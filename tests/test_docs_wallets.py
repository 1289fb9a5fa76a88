"""What docs/wallets.md shows is accepted as it stands there, and draws as it says."""

import re
import shutil
from decimal import Decimal
from pathlib import Path

from wallet_marts import Marts
from wallet_words import at, left, taken, use

from ingestion.config_loader import load_config
from ingestion.config_tables import config_tables
from orchestration.governance.wallet_book import Opening
from orchestration.governance.wallet_facts import read_wallets
from orchestration.governance.wallets import ledger

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "wallets.md").read_text(encoding="utf-8")


def test_the_example_is_a_configuration_and_draws_as_the_page_says(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    wallets, entries = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "config" / "wallets.yaml").write_text(wallets, encoding="utf-8")
    (tmp_path / "config" / "wallet_entries.yaml").write_text(entries, encoding="utf-8")
    tables = config_tables(load_config(tmp_path / "config"), extracted_at=at("2026-02-01"))
    marts = Marts(tmp_path)
    marts.publish(1, "2026-02-11")
    for row in tables["wallets"].to_pylist():
        facts = {name: row[name] for name in ("recurring_json", "top_up_json", "alerts_json")}
        marts.wallet(row["wallet_id"], **facts)
    for row in tables["wallet_entries"].to_pylist():
        marts.put("dim_wallet_entries", **{name: row[name] for name in list(row)[:12]})
    read = read_wallets(marts.con)
    spent = use("150", "2026-02-10T09:00", chain=("northwind-prepaid",))
    found = ledger(
        [row.wallet() for row in read.wallets],
        read.entries,
        [spent],
        opening=Opening(),
        as_of=at("2026-02-11"),
    )
    drawn = [(lot, Decimal(part)) for lot, part in taken(found, "use")]
    assert drawn == [("a", 50), ("b", 30), ("c", 70)]
    rest = {lot: Decimal(part) for lot, part in left(found, "northwind-prepaid").items()}
    assert rest == {"c": 30, "d": 200, "northwind-prepaid/monthly/2026-02-01T00:00": 75}


def test_every_mart_of_the_page_is_a_model() -> None:
    marts = set(re.findall(r"`wallets\.(fct_\w+)`", PAGE))
    folder = ROOT / "dbt_project" / "models" / "marts" / "wallets"
    assert marts == {path.stem for path in folder.glob("fct_*.sql")}
