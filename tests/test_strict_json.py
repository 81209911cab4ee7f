"""JSON from people: what is taken, and that everything else is refused in one plain line."""

import json

import pytest

from jobs import strict_json
from jobs.errors import InvalidInput


def nested(levels: int) -> str:
    return "[" * levels + "]" * levels


@pytest.mark.parametrize(
    "document", ['{"a": [1, -2.5, true, null, "é", {"b": {}}]}', " [] \n", '"text"', "0", nested(33)]
)
def test_it_reads_what_json_is(document):
    assert strict_json.loads(document) == json.loads(document)
    assert strict_json.loads(document.encode()) == json.loads(document)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("", "JSON: is empty"),
        (" \n", "JSON: is empty"),
        ("{", "JSON: expecting property name enclosed in double quotes at character 2"),
        ("{'a': 1}", "JSON: expecting property name enclosed in double quotes at character 2"),
        ('{"a": }', "JSON: expecting value at character 7"),
        ('{"a": 1,}', "JSON: "),
        ('{"a" 1}', "JSON: expecting ':' delimiter at character 6"),
        ('"a\nb"', "JSON: invalid control character at character 3"),
        ('"\\x"', "JSON: invalid \\escape"),
        ('"open', "JSON: unterminated string starting at character 1"),
        ("{} {}", "JSON: has more after its end, from character 4 on"),
        ("[1] x", "JSON: has more after its end, from character 5 on"),
        ("NaN", "JSON: NaN is not a number"),
        ('{"a": -Infinity}', "JSON: -Infinity is not a number"),
        ("1e999", "JSON: the number 1e999 is too large"),
        ("9" * 5_000, "JSON: the number 99999999999999999999… is too long, with 5,000 characters"),
        ("0." + "1" * 5_000, "JSON: the number 0.111111111111111111… is too long, with 5,002 characters"),
        ('{"id": 1, "id": 2}', "id: the same name stands twice in one object"),
        ('{"a": {"b c": 1, "b c": 2}}', "JSON: the same name stands twice in one object"),
        (nested(34), "JSON: is nested more than 32 levels deep"),
        (nested(200_000), "JSON: is nested more than 32 levels deep"),
        ("[" * 200_000, "JSON: is nested more than 32 levels deep"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "JSON: is nested more than 32 levels deep"),
        ("\ufeff{}", "JSON: starts with a byte order mark; save it as UTF-8 without one"),
        ('"' + "x" * 1_048_576 + '"', "JSON: has 1,048,578 bytes; at most 1,048,576 are taken"),
    ],
)
def test_it_refuses_what_is_not_and_says_where(document, message):
    with pytest.raises(InvalidInput) as refusal:
        strict_json.loads(document)
    assert str(refusal.value).startswith(message)
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 200


@pytest.mark.parametrize("document", [b'{"a": "\xff"}', '{"a": 1}'.encode("utf-16"), b"\x80"])
def test_it_refuses_bytes_that_are_not_utf_8(document):
    with pytest.raises(InvalidInput, match="JSON: is not UTF-8 at byte"):
        strict_json.loads(document)


@pytest.mark.parametrize("document", ["[]", "1", "null", '"{}"'])
def test_it_takes_only_an_object_for_a_job(document):
    with pytest.raises(InvalidInput, match="JSON: must be an object"):
        strict_json.load_object(document)


def test_it_keeps_a_name_that_is_no_word_out_of_the_message():
    with pytest.raises(InvalidInput) as refusal:
        strict_json.loads('{"\\u001b[2J": 1, "\\u001b[2J": 2}')
    assert str(refusal.value).isprintable()
