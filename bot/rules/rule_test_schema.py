"""The JSON schema of a file of rule tests, for editors. Says what the reader accepts, as far as a schema can.

Series are texts here; only the reader knows what they mean. The checked-in copy is `rules/rule-tests.schema.json`; a test
compares them.
"""

from collections.abc import Mapping
from typing import Final

from bot.rules.rule_test import GIVEN, KINDS, STATES
from bot.rules.rule_test_items import ALSO, MAX_EXPECTED, MAX_TEXT, MAX_TEXTS
from bot.rules.rule_test_reader import MAX_RULE_FILES, MAX_TESTS
from bot.rules.schema import KINDS as TYPES

_DURATION: Final = r"^\+?([0-9]+(_[0-9]+)*(\.[0-9]+)?|\.[0-9]+)[smhd]$"
_AT: Final = {
    "description": "How long after the start, such as 32m; a whole number of intervals.",
    "anyOf": [{"type": "string", "pattern": _DURATION}, {"enum": [0, "0"]}],
}
_RULE: Final = {"description": "The id of a rule of the rule files.", "type": ["string", "integer"]}
_SYMBOL: Final = {"description": "One of the symbols of this test; all of them when left out.", "type": "string"}
_SERIES: Final[Mapping[str, str]] = {
    "price": "Mark price.",
    "index": "Index price.",
    "funding": "Rate of one payment, such as 0.01%.",
    "oi": "Open interest in coins.",
    "volume": "Traded in one step, in quote units.",
    "taker_buy": "Share of the volume that buyers took, from 0 to 1.",
    "volume_24h": "Traded in 24 hours, in quote units.",
    "liq_long": "Long positions liquidated in one step, in dollars.",
    "liq_short": "Short positions liquidated in one step, in dollars.",
    "long_short": "Longs per short of top traders.",
}


def rule_test_schema() -> dict[str, object]:
    """The schema of a whole file, draft 2020-12; plain values, ready for JSON."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tests of rules of oibot",
        "description": "One file of tests. docs/rule-tests.md explains every key.",
        **_mapping(
            {
                "version": {"description": "Version of the rule language.", "enum": [1, "1"]},
                "rule_files": _one_or_list(
                    "Rule files, named from the folder of this one.", {"type": "string"}, MAX_RULE_FILES
                ),
                "interval": {
                    "description": "From one step of the series to the next: a whole part of a minute or whole minutes.",
                    "type": "string",
                    "pattern": _DURATION,
                    "default": "1m",
                },
                "start": {
                    "description": "Date and time of the first step, in UTC.",
                    "type": "string",
                    "default": "2026-01-01T00:00:00Z",
                },
                "tests": {
                    "description": "The tests, each an item of this list.",
                    "type": "array",
                    "items": {"$ref": "#/$defs/test"},
                    "maxItems": MAX_TESTS,
                },
            },
            required=("rule_files", "tests"),
        ),
        "$defs": {
            "test": _test(),
            "instrument": _instrument(),
            "state": _state(),
            "message": _message(),
        },
    }


def _mapping(properties: Mapping[str, object], *, required: tuple[str, ...] = ()) -> dict[str, object]:
    made: dict[str, object] = {"type": "object", "additionalProperties": False, "properties": dict(properties)}
    return {**made, "required": list(required)} if required else made


def _one_or_list(description: str, item: Mapping[str, object], most: int) -> dict[str, object]:
    several = {"type": "array", "items": dict(item), "maxItems": most}
    return {"description": description, "anyOf": [dict(item), several]}


def _test() -> dict[str, object]:
    messages = {"type": "array", "items": {"$ref": "#/$defs/message"}, "maxItems": MAX_EXPECTED}
    return _mapping(
        {
            "name": {
                "description": "What the test shows; no two of a file have the same.",
                "type": ["string", "number"],
                "maxLength": MAX_TEXT,
            },
            "series": {
                "description": "Symbols and what they do. COIN{01..12}USDT stands for twelve symbols.",
                "type": "object",
                "minProperties": 1,
                "additionalProperties": {"$ref": "#/$defs/instrument"},
            },
            "expect": {
                "description": "What rules are at some times.",
                "type": "array",
                "items": {"$ref": "#/$defs/state"},
                "maxItems": MAX_EXPECTED,
            },
            "expect_messages": {
                "description": "What people are told: each message in order of time, or how many.",
                "anyOf": [{"type": "integer", "minimum": 0, "maximum": 1_000_000}, messages],
            },
        },
        required=("name", "series"),
    )


def _instrument() -> dict[str, object]:
    series = {
        name: {
            "description": f"{_SERIES[name]} 100x20 is 100 and twenty more, 100+0.6x10 rises, _x5 is five without a value.",
            "type": ["string", "number"],
            "examples": ["100x20 100+0.6x10 _x5"],
        }
        for name in GIVEN
    }
    others = {
        "type": {"description": "Kind of the contract.", "enum": list(TYPES), "default": TYPES[0]},
        "funding_interval": {
            "description": "From one payment of funding to the next.",
            "type": "string",
            "pattern": _DURATION,
            "default": "8h",
        },
    }
    return _mapping({**series, **others})


def _state() -> dict[str, object]:
    found = _mapping(
        {
            "at": _AT,
            "rule": _RULE,
            "symbol": _SYMBOL,
            "state": {"description": "Where its alert stands.", "enum": [*STATES, *ALSO]},
            "value": {
                "description": "The measured value, as exact as it is written.",
                "type": ["string", "number"],
                "examples": ["5.0%"],
            },
        },
        required=("at", "rule"),
    )
    return {**found, "anyOf": [{"required": ["state"]}, {"required": ["value"]}]}


def _message() -> dict[str, object]:
    return _mapping(
        {
            "at": _AT,
            "rule": _RULE,
            "symbol": _SYMBOL,
            "kind": {"description": "What it tells.", "enum": list(KINDS), "default": KINDS[0]},
            "first_line": {"description": "Its whole first line.", "type": ["string", "number"]},
            "text": _one_or_list("Stands somewhere in it.", {"type": ["string", "number"]}, MAX_TEXTS),
        }
    )
