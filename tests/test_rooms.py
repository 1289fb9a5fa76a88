"""The structure holds: directions of imports, sizes, documentation, locks."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
FORBIDDEN = {
    "ingestion": {"dagster", "dagster_dbt", "dagster_dlt", "orchestration", "sandbox", "dbt"},
    "price_catalog": {"dagster", "dagster_dbt", "dagster_dlt", "orchestration", "sandbox", "dbt"},
    "sandbox": {"dagster", "dlt", "dbt", "ingestion", "orchestration", "price_catalog"},
    "orchestration": {"bench", "tests"},
}
# The demo is the one place where the platform starts its own vendors.
ALLOWED = {("orchestration/cli/demo.py", "sandbox")}
LOCKS = sorted(ROOT.glob("requirements*.lock"))


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).exists()]


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("room", sorted(FORBIDDEN))
def test_a_room_imports_only_what_stands_before_it(room: str) -> None:
    files = tracked(f"{room}/*.py")
    assert files
    for path in files:
        place = path.relative_to(ROOT).as_posix()
        wrong = {name for name in imported(path) & FORBIDDEN[room] if (place, name) not in ALLOWED}
        assert not wrong, f"{place} imports {sorted(wrong)}"


def test_no_file_is_longer_than_its_budget() -> None:
    def lines(path: Path) -> int:
        return len(path.read_text(encoding="utf-8").splitlines())

    budgets = {
        **{path: 400 if "tests" in path.parts else 300 for path in tracked("*.py")},
        **{path: 150 for path in tracked("*.sql")},
    }
    # One column a line: the standard event and the widest mart are long lists, not long thoughts.
    for name in ("stg_litellm__spend_logs", "stg_bedrock__invocations"):
        budgets[next(path for path in budgets if path.stem == name)] = 260
    assert {
        path.relative_to(ROOT).as_posix(): lines(path)
        for path, budget in budgets.items()
        if lines(path) > budget
    } == {}


def test_every_model_is_described_and_every_mart_column_too() -> None:
    described = {}
    for path in tracked("dbt_project/models/*.yml", "dbt_project/models/**/*.yml"):
        for model in yaml.safe_load(path.read_text(encoding="utf-8")).get("models", []):
            described[model["name"]] = model
    models = {path.stem: path for path in tracked("dbt_project/models/*.sql")}
    assert models.keys() == {name for name, model in described.items() if model.get("description")}
    for name, path in models.items():
        if "marts" not in path.parts or "intermediate" in path.parts:
            continue
        columns = described[name].get("columns", [])
        assert columns, f"{name} has no documented column"
        assert all(column.get("description") and column.get("data_type") for column in columns), (
            name
        )


def test_every_model_says_its_grain_first() -> None:
    for path in tracked("dbt_project/models/*.sql"):
        first = path.read_text(encoding="utf-8").lstrip().splitlines()[0]
        assert re.match(r"-- (one|exactly one) ", first), f"{path.name}: {first}"


def test_models_use_portable_sql_only() -> None:
    for path in tracked("dbt_project/models/*.sql"):
        sql = re.sub(r"--.*", "", path.read_text(encoding="utf-8").lower())
        for word in (r"\bqualify\b", r"\bgroup by all\b", r"\basof\b", r"\busing\s*\("):
            assert not re.search(word, sql), f"{path.name} uses {word}"
        assert not re.search(r"_usd\b[^,\n]*\s/\s", sql), f"{path.name} divides money"


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_locks_carry_hashes_and_no_addresses(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert "--hash=sha256:" in text
    assert "://" not in text
    assert not re.search(r"^litellm[=\[ ]", text, re.MULTILINE)
    pins = re.findall(r"^[a-z0-9_.\-\[\]]+==", text, re.MULTILINE)
    entries = re.findall(r"^[a-zA-Z0-9]", text, re.MULTILINE)
    assert len(pins) == len(entries)


def test_a_package_has_one_version_in_all_locks() -> None:
    versions: dict[str, set[str]] = {}
    for lock in LOCKS:
        for name, version, marker in re.findall(
            r"^([a-z0-9_.\-]+)(?:\[[^\]]*\])?==([^ \\]+)([^\\\n]*)",
            lock.read_text(encoding="utf-8"),
            re.MULTILINE,
        ):
            versions.setdefault(name + marker.strip(), set()).add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def test_the_installed_packages_agree_with_each_other() -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout


def test_a_documented_link_leads_somewhere() -> None:
    for page in tracked("*.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_documented_commands_exist() -> None:
    from orchestration.cli import main

    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    for name in ("README.md", "CONTRIBUTING.md", ".env.example"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert set(re.findall(r"`make ([a-z-]+)`", text)) <= targets
        assert set(re.findall(r"meterhouse ([a-z]+)`", text)) <= set(main.commands)


def test_the_seed_of_prices_is_the_file_it_says_it_is() -> None:
    import gzip
    import hashlib

    seed = yaml.safe_load((ROOT / "price_catalog/seed/seed.yml").read_text(encoding="utf-8"))
    content = gzip.decompress((ROOT / "price_catalog/seed/model_prices.json.gz").read_bytes())
    assert hashlib.sha256(content).hexdigest() == seed["sha256"]
    assert len(json.loads(content)) >= seed["models_count"]
