"""The JSON schema of a rule file, for editors: completion, hover texts and a first check while typing.

It says what the loader accepts as YAML 1.2 reads it: `15m`, `5%` and `20_000_000` are texts there, so each has a
pattern. Expressions and templates are texts; only the linter knows what they mean. The checked-in copy is
`rules/rules.schema.json`; a test compares them.
"""

from collections.abc import Mapping
from typing import Final

from bot.delivery.template import MAX_LENGTH as MAX_TEMPLATE
from bot.rules.parse import MAX_LENGTH as MAX_EXPRESSION
from bot.rules.readers import MAX_WORDS
from bot.rules.schema import (
    ID_FORM,
    KINDS,
    MAX_GLOB_LENGTH,
    MAX_NAME_LENGTH,
    MAX_TAGS,
    SEVERITIES,
    TAG_FORM,
    VENUES,
)

_AMOUNT: Final = r"^\+?([0-9]+(_[0-9]+)*(\.[0-9]+(_[0-9]+)*)?|\.[0-9]+)([eE][+-]?[0-9]{1,2})?[kKMB]?$"
_NUMBER: Final = r"^\+?([0-9]+(_[0-9]+)*(\.[0-9]+(_[0-9]+)*)?|\.[0-9]+)([eE][+-]?[0-9]{1,2})?[kKMB%]?$"
_DURATION: Final = r"^\+?([0-9]+(_[0-9]+)*(\.[0-9]+)?|\.[0-9]+)[smhd]$"


def rule_file_schema() -> dict[str, object]:
    """The schema of a whole file, draft 2020-12; plain values, ready for JSON."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Rules of oibot",
        "description": "One file of rules. docs/rules.md explains every key.",
        **_mapping(
            {
                "version": {"description": "Version of the rule language.", "enum": [1, "1"]},
                "defaults": _described(
                    "What holds for every rule of this file that does not say otherwise.",
                    _mapping({key: _RULE[key] for key in _DEFAULTS}),
                ),
                "rules": {
                    "description": "The rules, each an item of this list.",
                    "type": "array",
                    "items": {"$ref": "#/$defs/rule"},
                },
            },
            required=("rules",),
        ),
        "$defs": {"rule": _mapping(_RULE, required=("id", "when"))},
    }


def _mapping(properties: Mapping[str, object], *, required: tuple[str, ...] = ()) -> dict[str, object]:
    made: dict[str, object] = {
        "type": "object",
        "additionalProperties": False,
        "properties": dict(properties),
    }
    return {**made, "required": list(required)} if required else made


def _described(description: str, schema: Mapping[str, object]) -> dict[str, object]:
    return {"description": description, **schema}


def _expression(description: str, *examples: str) -> dict[str, object]:
    return {
        "description": description,
        "type": "string",
        "minLength": 1,
        "maxLength": MAX_EXPRESSION,
        "examples": list(examples),
    }


def _duration(
    description: str, default: str, *, words: tuple[str, ...] = (), others: tuple[str | int, ...] = (0, "0")
) -> dict[str, object]:
    accepted: list[object] = [{"type": "string", "pattern": _DURATION}]
    if words or others:
        accepted.append({"enum": [*(words or others)]})
    return {"description": f"{description} A number and s, m, h or d.", "anyOf": accepted, "default": default}


def _words(description: str, item: Mapping[str, object]) -> dict[str, object]:
    return {
        "description": description,
        "anyOf": [dict(item), {"type": "array", "items": dict(item), "maxItems": MAX_WORDS}],
    }


def _amount(description: str) -> dict[str, object]:
    accepted = [{"type": "number", "minimum": 0, "maximum": 1e15}, {"type": "string", "pattern": _AMOUNT}]
    return {"description": f"{description} Such as 20M or 20_000_000.", "anyOf": accepted}


def _boolean(description: str, *, default: bool) -> dict[str, object]:
    return {"description": description, "type": "boolean", "default": default}


_WORD: Final = {"type": ["string", "integer"]}
_TEXT: Final = {"type": "string", "minLength": 1}
_GLOB: Final = {"type": "string", "minLength": 1, "maxLength": MAX_GLOB_LENGTH}

_SCOPE: Final[dict[str, object]] = {
    "symbols": _words("Only these symbols, with * and ? as wildcards.", _GLOB),
    "exclude": _words("Not these symbols; wins over symbols.", _GLOB),
    "venues": _words("Only these venues.", {"enum": list(VENUES)}),
    "types": _words("Kinds of contracts; crypto perpetuals when left out.", {"enum": list(KINDS)}),
    "quotes": _words("Quote assets; USDT when left out.", _TEXT),
    "top": {
        "description": "Only the N largest.",
        "anyOf": [
            {"type": "integer", "minimum": 1, "maximum": 10_000},
            {"type": "string", "pattern": r"^[0-9]+(_[0-9]+)*k?$"},
        ],
    },
    "by": {"description": "What top orders by.", "enum": ["oi_usd", "volume_24h"], "default": "oi_usd"},
    "min_oi_usd": _amount("At least this much open interest, in dollars."),
    "min_volume_24h": _amount("At least this much traded in 24 hours, in dollars."),
}

_DEFAULTS: Final = ("for", "cooldown", "repeat", "severity", "notify", "tags", "silent", "ttl", "chart")

_RULE: Final[dict[str, object]] = {
    "id": {
        "description": "Unique name made of a-z, 0-9 and _; keep it when you rename the rule.",
        "type": ["string", "integer"],
        "pattern": f"^{ID_FORM.pattern}$",
    },
    "name": {"description": "What people see.", "type": ["string", "number"], "maxLength": MAX_NAME_LENGTH},
    "enabled": _boolean("false switches the rule off.", default=True),
    "scope": _described("Which contracts the rule looks at.", _mapping(_SCOPE)),
    "per": {
        "description": "symbol: one alert for each contract. market: one alert for all of them together.",
        "enum": ["symbol", "market"],
        "default": "symbol",
    },
    "when": _expression("The condition that must hold to fire.", "pct(oi, 15m) >= 5%", "ratio(volume, 5m) >= 4"),
    "clear": _expression("The condition that ends the alert; by default: when is false.", "pct(oi, 15m) < 2.5%"),
    "for": _duration("How long when must hold before the alert fires.", "0s"),
    "cooldown": _duration("Pause from the end of an alert until the next may fire, for each contract.", "15m"),
    "repeat": _duration("Tell again this often while the alert lasts, or off.", "off", words=("off",)),
    "escalate": {
        "description": "Tell again when the value has moved this much further, in its own unit, or off.",
        "anyOf": [
            {"type": "number", "exclusiveMinimum": 0, "maximum": 1e15},
            {"type": "string", "pattern": _NUMBER},
            {"const": "off"},
        ],
        "default": "off",
    },
    "value": _expression(
        "The expression shown as the measured value; by default the left side of the first true comparison.",
        "pct(oi, 1h)",
    ),
    "once": _boolean("Fire one time only.", default=False),
    "severity": {
        "description": "critical passes quiet hours and goes first.",
        "enum": list(SEVERITIES),
        "default": "warning",
    },
    "notify": _words("Names of destinations; main is the default one.", _WORD),
    "tags": {
        "description": "Words for routing and muting groups of rules.",
        "anyOf": [
            {"type": ["string", "integer"], "pattern": f"^{TAG_FORM.pattern}$"},
            {
                "type": "array",
                "items": {"type": ["string", "integer"], "pattern": f"^{TAG_FORM.pattern}$"},
                "maxItems": MAX_TAGS,
            },
        ],
    },
    "silent": _boolean("Send without a sound.", default=False),
    "ttl": _duration(
        "Age from which a firing that could not be told is late; 15m unless the settings say else.", "15m", others=()
    ),
    "chart": _boolean("Attach a chart.", default=True),
    "message": {
        "description": "Your own text instead of the built-in layout, such as {{ symbol }}: OI {{ value }}.",
        "type": "string",
        "minLength": 1,
        "maxLength": MAX_TEMPLATE,
    },
    "inhibits": _words("Ids of rules that stay quiet about a contract while this one fires on it.", _WORD),
}
