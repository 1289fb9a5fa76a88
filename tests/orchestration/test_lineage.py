"""A path of the marts, read as the names in it."""

from orchestration.governance.lineage import lineage_of


def test_a_lineage_is_the_path_from_the_root_down_to_the_node() -> None:
    assert lineage_of("acme / team-a / ada", "ada") == ("acme", "team-a", "ada")


def test_a_key_with_a_slash_is_one_name() -> None:
    assert lineage_of("acme / ci/cd", "ci/cd") == ("acme", "ci/cd")


def test_a_node_without_a_path_is_its_own_lineage() -> None:
    assert lineage_of(None, "ada") == lineage_of("", "ada") == ("ada",)
