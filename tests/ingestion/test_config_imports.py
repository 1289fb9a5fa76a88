"""Nodes out of an HR export: checked with the others, refused by file and line."""

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from ingestion.config_loader import load_config
from ingestion.config_tree import Node
from ingestion.config_yaml import ConfigError
from ingestion.imported_tables import copy_tables
from ingestion.pipeline import warehouse_path

ROOT = """\
imports:
  - {file: people.csv, type: user}
entities:
  - {id: acme, type: organisation}
  - {id: team-a, type: team, parent: acme}
  - {id: team-b, type: team, parent: acme}
"""
HEADER = "id,name,email,aliases,parent,owner,cost_center,valid_from_at,valid_to_at\n"
MOVE = datetime(2026, 11, 2, tzinfo=UTC)


def folder(tmp_path: Path, people: str, entities: str = ROOT) -> Path:
    (tmp_path / "entities.yaml").write_text(entities, encoding="utf-8")
    (tmp_path / "people.csv").write_text(people, encoding="utf-8")
    return tmp_path


def node(path: Path, name: str) -> Node:
    [found] = [node for node in load_config(path).nodes if node.id == name]
    return found


def refusals(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    return str(caught.value).splitlines()


def test_a_row_is_a_node(tmp_path: Path) -> None:
    row = "ada,Ada L,Ada@acme.example,countess; al@old.example,team-a,Bob,CC-1,2020-01-01,\n"
    ada = node(folder(tmp_path, HEADER + row), "ada")
    assert (ada.type, ada.name, ada.email) == ("user", "Ada L", "ada@acme.example")
    assert ada.aliases == ("countess", "al@old.example")
    # Its only row holds for ever: a node has a parent at every instant.
    assert [(e.parent, e.valid_from_at, e.valid_to_at) for e in ada.parents] == [
        ("team-a", None, None)
    ]
    assert [(o.name, o.valid_from_at) for o in ada.owners] == [("Bob", None)]
    assert [c.cost_center for c in ada.cost_centers] == ["CC-1"]


def test_rows_of_one_id_are_moves_in_order_of_their_dates(tmp_path: Path) -> None:
    rows = "hedy,Hedy,,,team-b,,CC-2,2026-11-02,\nhedy,Hedy,,,team-a,,CC-1,,\n"
    hedy = node(folder(tmp_path, HEADER + rows), "hedy")
    assert [(e.parent, e.valid_from_at, e.valid_to_at) for e in hedy.parents] == [
        ("team-a", None, MOVE),
        ("team-b", MOVE, None),
    ]
    assert [(c.cost_center, c.valid_from_at) for c in hedy.cost_centers] == [
        ("CC-1", None),
        ("CC-2", MOVE),
    ]


def test_an_export_keeps_its_own_headers(tmp_path: Path) -> None:
    entities = ROOT.replace("type: user", "type: user, parent: acme, columns: {id: Login, name: N}")
    path = folder(tmp_path, "Salary,Login,N\n1,ada,Ada\n", entities)
    assert (node(path, "ada").name, node(path, "ada").parents[0].parent) == ("Ada", "acme")


@pytest.mark.parametrize(
    ("people", "expected"),
    [
        ("id,parent\nada,nowhere\n", "people.csv:2: ada is an orphan: nothing is called nowhere"),
        ("id,parent\nbob,team-a\nada,bob2\nbob2,ada\n", "people.csv:3: cycle: ada > bob2 > ada"),
        (
            "id,parent,valid_from_at,valid_to_at\nx,team-a,,2026-11-09\nx,team-b,2026-11-02,\n",
            "people.csv:2: x has two parents from 2026-11-02T00:00:00+00:00: team-b overlaps",
        ),
        ("id,parent\nteam-a,acme\n", "people.csv:2: node team-a is declared twice"),
        ("id,parent\nÄda,acme\n", "people.csv:2: id: String should match pattern"),
        ("id,parent,valid_from_at\nx,acme,2026-11-02T10:00\n", "people.csv:2: valid_from_at: "),
        ("id,parent\nada\n,acme\n", "people.csv:3: id: Field required"),
        ("id,parent\nada,acme,more\n", "people.csv:2: more values than columns"),
        ("id,salary\nada,1\n", "people.csv:1: unknown column salary; known: id, type, name"),
        ("name\nAda\n", "people.csv:1: no column is called id"),
        ("id,parent,owner_email\nx,acme,a@b.example\n", "people.csv:2: owner_email and owner_chan"),
        ('id,parent\n"ada,acme\n', "people.csv:1: not CSV in UTF-8"),
    ],
)
def test_what_is_wrong_is_refused_by_file_and_line(
    tmp_path: Path, people: str, expected: str
) -> None:
    assert any(line.startswith(expected) for line in refusals(folder(tmp_path, people)))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("{file: gone.csv}", "entities.yaml:2: gone.csv is not in config/"),
        ("{table: hr.people}", "entities.yaml:2: table hr.people has not been read yet"),
        (
            "{file: a.csv, table: hr.people}",
            "entities.yaml:2: imports[0]: say either file or table",
        ),
        ("{file: ../people.csv}", "entities.yaml:2: imports[0].file: "),
        ("{file: a.csv, columns: {name: n}}", "entities.yaml:2: imports[0]: columns must name the"),
    ],
)
def test_an_import_that_leads_nowhere_is_refused(tmp_path: Path, said: str, expected: str) -> None:
    entities = ROOT.replace("{file: people.csv, type: user}", said)
    assert refusals(folder(tmp_path, "", entities))[0].startswith(expected)


def test_a_table_is_read_from_its_copy_and_one_that_is_gone_is_refused(tmp_path: Path) -> None:
    entities = ROOT.replace("file: people.csv", "table: hr.people")
    path, home = folder(tmp_path, "", entities), tmp_path / "home"
    home.mkdir()
    copies = home / "imported_tables"
    with duckdb.connect(str(warehouse_path(home))) as connection:
        connection.execute("create schema hr; create table hr.people (id text, parent text)")
        connection.execute("insert into hr.people values ('ada', 'team-a')")
    copy_tables(path, home=home, to=copies)
    assert "ada" in {node.id for node in load_config(path, tables=copies).nodes}

    with duckdb.connect(str(warehouse_path(home))) as connection:
        connection.execute("drop table hr.people")
    with pytest.raises(ConfigError) as caught:
        copy_tables(path, home=home, to=copies)
    assert str(caught.value) == "entities.yaml:2: the warehouse has no table hr.people"
    # What was copied last still reads.
    assert "ada" in {node.id for node in load_config(path, tables=copies).nodes}


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("date", "2026-11-02"),
        ("timestamp", "2026-11-02 00:00:00"),
        ("timestamp_s", "2026-11-02 00:00:00"),
        ("timestamp_ms", "2026-11-02 00:00:00"),
        ("timestamp_ns", "2026-11-02 00:00:00"),
        # Midnight of UTC, told in the zone of New Delhi.
        ("timestamptz", "2026-11-02 05:30:00+05:30"),
        ("text", "2026-11-02T00:00:00Z"),
    ],
)
def test_times_of_a_table_are_those_of_utc(tmp_path: Path, kind: str, told: str) -> None:
    entities = ROOT.replace("file: people.csv", "table: hr.people")
    path, home = folder(tmp_path, "", entities), tmp_path / "home"
    home.mkdir()
    with duckdb.connect(str(warehouse_path(home))) as connection:
        connection.execute("create schema hr")
        connection.execute(f"create table hr.people (id text, parent text, valid_from_at {kind})")
        connection.execute("insert into hr.people values ('hedy', 'team-a', null)")
        connection.execute("insert into hr.people values ('hedy', 'team-b', ?)", [told])
    copy_tables(path, home=home, to=home)

    [hedy] = [node for node in load_config(path, tables=home).nodes if node.id == "hedy"]
    assert [(e.parent, e.valid_from_at, e.valid_to_at) for e in hedy.parents] == [
        ("team-a", None, MOVE),
        ("team-b", MOVE, None),
    ]


def test_a_time_of_a_table_is_not_rounded_to_one_that_config_takes(tmp_path: Path) -> None:
    entities = ROOT.replace("file: people.csv", "table: hr.people")
    path = folder(tmp_path, "", entities)
    with duckdb.connect(str(warehouse_path(tmp_path))) as connection:
        connection.execute(
            "create schema hr; create table hr.people as select 'hedy' as id, 'team-a' as parent,"
            " null::timestamp as valid_from_at union all"
            " select 'hedy', 'team-b', timestamp '2026-11-02 00:00:00.000001'"
        )
    copy_tables(path, home=tmp_path, to=tmp_path)
    with pytest.raises(ConfigError, match="people:3: valid_from_at: must fall on a quarter"):
        load_config(path, tables=tmp_path)
