"""Reading YAML that was mistyped or meant to do harm: refused by file and line, without hanging."""

from decimal import Decimal
from pathlib import Path

import pytest

from ingestion.config_yaml import ConfigError, Document, read_yaml


def read(tmp_path: Path, text: str | bytes) -> Document:
    file = tmp_path / "budgets.yaml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_yaml(file, shown_as="budgets.yaml")


def refusal(tmp_path: Path, text: str | bytes) -> str:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    return str(caught.value)


def test_amounts_are_decimals_of_their_text(tmp_path: Path) -> None:
    value = read(tmp_path, "a: 0.1\nb: 2500.10\nc: 1e3\nd: 20000\n").value
    assert value == {"a": Decimal("0.1"), "b": Decimal("2500.10"), "c": Decimal("1e3"), "d": 20000}
    assert [type(v) for v in value.values()] == [Decimal, Decimal, Decimal, int]


def test_plain_words_stay_words(tmp_path: Path) -> None:
    value = read(
        tmp_path, "a: no\nb: 12:30\nc: 010\nd: 2026-11-02\ne: .inf\nf: true\ng: ~\nh:\n"
    ).value
    assert value == {
        "a": "no",
        "b": "12:30",
        "c": 10,
        "d": "2026-11-02",
        "e": ".inf",
        "f": True,
        "g": None,
        "h": None,
    }


def test_an_empty_file_declares_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, "# only a comment\n").value == {}


def test_a_key_written_twice_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, "budgets:\n  - id: a\n    amount: 1\n    amount: 2\n") == (
        "budgets.yaml:4: duplicate key: amount"
    )


@pytest.mark.parametrize(
    "text",
    [
        "a: !!python/object/apply:os.system ['true']\n",
        "a: !!python/name:os.system\n",
        "a: !!binary aGk=\n",
        "a: !include secrets.yaml\n",
        "a: !!set {x, y}\n",
    ],
)
def test_tags_are_refused(tmp_path: Path, text: str) -> None:
    assert refusal(tmp_path, text).startswith("budgets.yaml:1: the tag")


def test_a_billion_laughs_are_refused_before_they_expand(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert refusal(tmp_path, "\n".join(lines)) == "budgets.yaml:1: aliases expand to too much"


def test_more_aliases_than_a_person_writes_are_refused(tmp_path: Path) -> None:
    assert "more than 100 aliases" in refusal(
        tmp_path, "a: &a x\nb: [" + ", ".join(["*a"] * 101) + "]\n"
    )


def test_an_alias_to_its_own_parent_is_refused(tmp_path: Path) -> None:
    assert "aliases expand to too much" in refusal(tmp_path, "a: &a [x, *a]\n")


def test_a_few_aliases_are_fine(tmp_path: Path) -> None:
    assert read(tmp_path, "a: &a [x]\nb: *a\n").value == {"a": ["x"], "b": ["x"]}


@pytest.mark.parametrize("opened", ["[", "{a: ", "- "])
def test_bottomless_nesting_is_refused(tmp_path: Path, opened: str) -> None:
    found = refusal(tmp_path, opened * 5000)
    # PyYAML has a limit of its own, which some ways of nesting meet first.
    assert "nested deeper than 24 levels" in found or "maximum nesting depth" in found


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: [1, 2\n", 3),
        ("a: 1\n  b: 2\n", 2),
        ("a: 'unfinished\n", 2),
        ("a: 1\n---\nb: 2\n", 2),
        ("a: *nowhere\n", 1),
    ],
)
def test_broken_yaml_names_the_line(tmp_path: Path, text: str, line: int) -> None:
    assert refusal(tmp_path, text).startswith(f"budgets.yaml:{line}: not YAML")


def test_merge_keys_are_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, "a: &a {x: 1}\nb:\n  <<: *a\n") == (
        "budgets.yaml:3: merge keys (<<) are not supported"
    )


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, b"a: 1\nb: \xff\xfe\n") == "budgets.yaml:2: not UTF-8 text"
    assert "not YAML" in refusal(tmp_path, b"a: \x00\n")


@pytest.mark.parametrize("number", ["9" * 5000, "1." + "0" * 5000])
def test_endless_numbers_are_refused(tmp_path: Path, number: str) -> None:
    assert refusal(tmp_path, f"a: {number}\n") == "budgets.yaml:1: a number this long is a mistake"


def test_a_file_too_large_is_not_read(tmp_path: Path) -> None:
    assert "larger than 8000000 bytes" in refusal(tmp_path, b"#" * 8_000_001)


def test_a_place_is_found_by_its_path_and_a_missing_key_by_its_mapping(tmp_path: Path) -> None:
    document = read(tmp_path, "budgets:\n  - id: a\n    amount: 1\n  - id: b\n")
    assert document.line(("budgets", 0, "amount")) == 3
    assert document.line(("budgets", 1, "amount")) == 4
    assert document.line(("budgets", 0, "a-union's-tag", "amount")) == 3
