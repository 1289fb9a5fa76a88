"""Numbers no column accepts stay readable; what is no JSON is one kind of error."""

import math

import pytest

from ingestion.json_text import decode_json, inside, tags_text


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e400", "9" * 5_000])
def test_a_number_that_is_none_leaves_the_rest_of_the_page_readable(text: str) -> None:
    page = decode_json(b'{"bad": %s, "good": 7}' % text.encode())
    assert not math.isfinite(page["bad"])
    assert page["good"] == 7


def test_large_whole_numbers_stay_what_they_are() -> None:
    assert decode_json(b"[9223372036854775808]") == [2**63]
    assert decode_json(b'["\\ud800", 12345678901234567890123]')[1] == 12345678901234567890123


@pytest.mark.parametrize(
    "text",
    [b"", b"<html></html>", b'{"data": [', b'{"a": "\xff"}', b"[" * 100_000],
    ids=["empty", "HTML", "truncated", "no UTF-8", "nested too deeply"],
)
def test_what_is_no_json_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError):
        decode_json(text)


def test_a_path_ends_where_there_is_no_object() -> None:
    record = {"a": {"b": 3, "list": [1]}, "none": None}
    assert inside(record, "a", "b") == 3
    assert inside(record, "a", "list", "x") is None
    assert inside(record, "none", "x") is None
    assert inside("text", "x") is None


def test_tags_are_sorted_and_those_that_are_no_text_are_left_out() -> None:
    assert tags_text({"team": "a", "feature": "chat"}) == '{"feature":"chat","team":"a"}'
    assert tags_text({"feature": "chat", "bad": "\ud800", "\udfff": "x"}) == '{"feature":"chat"}'
    assert tags_text({"bad": "\ud800"}) is None
    assert tags_text({}) is None
