"""The JSON schema of `destinations.yaml`, for editors. Says what the reader accepts, as far as a schema can.

The checked-in copy is `rules/destinations.schema.json`; a test compares them.
"""

from collections.abc import Mapping
from typing import Final

from bot.model.destinations import KINDS
from bot.rules.destinations import (
    CHAT_FORM,
    COMMON_KEYS,
    KIND_KEYS,
    MAX_DESCRIBED,
    NAME_FORM,
    REQUIRED_KEYS,
    SECRET_FORM,
    THREAD_FORM,
)
from bot.rules.schema import MAX_TAGS, SEVERITIES, TAG_FORM


def _one_or_list(description: str, item: Mapping[str, object], most: int) -> dict[str, object]:
    several = {"type": "array", "items": dict(item), "maxItems": most}
    return {"description": description, "anyOf": [dict(item), several]}


def _secret(description: str) -> dict[str, object]:
    return {
        "description": f"{description} secret:NAME is the setting OIBOT_SECRETS__NAME, env:NAME a variable.",
        "type": "string",
        "pattern": f"^{SECRET_FORM.pattern}$",
        "examples": ["secret:ops_url"],
    }


_NUMBER: Final = {"type": ["string", "integer"]}
_COMMON: Final[dict[str, object]] = {
    "kind": {"description": "What it is.", "enum": list(KINDS)},
    "default": {
        "description": "Where alerts go whose rule names no destination; exactly one is.",
        "type": "boolean",
        "default": False,
    },
    "severities": _one_or_list(
        "It also gets alerts of these severities, whatever their rules name.", {"enum": list(SEVERITIES)}, 20
    ),
    "min_severity": {
        "description": "It also gets alerts of this severity and above, whatever their rules name.",
        "enum": list(SEVERITIES),
    },
    "tags": _one_or_list(
        "It also gets alerts with at least one of these tags, whatever their rules name.",
        {"type": ["string", "integer"], "pattern": f"^{TAG_FORM.pattern}$"},
        MAX_TAGS,
    ),
}
_KEYS: Final[dict[str, dict[str, object]]] = {
    "telegram": {
        "chat": {"description": "Number of the chat.", **_NUMBER, "pattern": f"^{CHAT_FORM.pattern}$"},
        "topic": {"description": "Number of a topic of that group.", "type": "integer", "minimum": 1},
        "token": _secret("Token of another bot than that of the settings."),
    },
    "discord": {
        "webhook": _secret("Address of the webhook, where it is not that of the settings."),
        "thread": {
            "description": "Number of a thread of the channel, in quotes.",
            "type": "string",
            "pattern": f"^{THREAD_FORM.pattern}$",
        },
    },
    "webhook": {
        "url": {
            "description": "Where the JSON is posted; https, or secret:NAME where the address itself is one.",
            "type": "string",
            "examples": ["https://example.org/alerts"],
        },
        "secret": _secret("What messages are signed with."),
        "private": {
            "description": "It may stand in a private network.",
            "type": "boolean",
            "default": False,
        },
    },
    "apprise": {"url": _secret("Address in the form of Apprise.")},
    "console": {},
}


def destination_file_schema() -> dict[str, object]:
    """The schema of the whole file, draft 2020-12; plain values, ready for JSON."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Destinations of oibot",
        "description": "Where alerts go. docs/destinations.md explains every key.",
        "type": "object",
        "additionalProperties": False,
        "required": ["destinations"],
        "properties": {
            "version": {"description": "Version of this form.", "enum": [1, "1"]},
            "destinations": {
                "description": "Each destination under its name.",
                "type": "object",
                "maxProperties": MAX_DESCRIBED,
                "propertyNames": {"pattern": f"^{NAME_FORM.pattern}$"},
                "additionalProperties": {
                    "type": "object",
                    "required": ["kind"],
                    "oneOf": [{"$ref": f"#/$defs/{kind}"} for kind in KINDS],
                },
            },
        },
        "$defs": {
            kind: {
                "type": "object",
                "additionalProperties": False,
                "required": ["kind", *REQUIRED_KEYS[kind]],
                "not": {"required": ["severities", "min_severity"]},
                "properties": {
                    **{key: _COMMON[key] for key in COMMON_KEYS},
                    "kind": {"description": "What it is.", "const": kind},
                    **{key: _KEYS[kind][key] for key in KIND_KEYS[kind]},
                },
            }
            for kind in KINDS
        },
    }
