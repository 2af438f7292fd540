"""The schema of destinations says what the reader says, as far as a schema can."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from bot.app.destinations import plan_of_file
from bot.cli.schema import schema_text
from bot.model.alert import Notice, TellKind
from bot.model.view import AlertView
from bot.rules.destination_schema import destination_file_schema
from bot.rules.destinations import COMMON_KEYS, KIND_KEYS, TOP_KEYS, load_destinations_text
from bot.rules.loader import load_text
from bot.settings import Settings
from bot.settings_sections import TelegramSection

ROOT = Path(__file__).parents[3]
SCHEMA = destination_file_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def accepts(content):
    return VALIDATOR.is_valid(YAML(typ="safe", pure=True).load(content))


def test_it_is_a_schema_and_the_checked_in_copy_is_the_newest():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    checked_in = (ROOT / "rules" / "destinations.schema.json").read_text(encoding="utf-8")
    assert checked_in == schema_text("destinations"), "run: oibot schema destinations > rules/destinations.schema.json"
    assert json.loads(checked_in) == SCHEMA


def test_it_knows_every_key_and_describes_it():
    assert set(SCHEMA["properties"]) == set(TOP_KEYS)
    assert set(SCHEMA["$defs"]) == set(KIND_KEYS)
    for kind, keys in KIND_KEYS.items():
        properties = SCHEMA["$defs"][kind]["properties"]
        assert set(properties) == {*COMMON_KEYS, *keys}
        assert all(value["description"].endswith(".") for value in properties.values())


@pytest.mark.parametrize(
    "keys",
    [
        "kind: console", "kind: console, severities: critical", "kind: console, severities: [info, critical]",
        "kind: console, min_severity: info", "kind: console, tags: oi", "kind: console, tags: [oi, a-b]",
        "kind: telegram, chat: -1001234567890", "kind: telegram, chat: '71', topic: 3", "kind: discord",
        "kind: telegram, chat: 1, token: 'secret:x'", "kind: discord, webhook: 'env:X', thread: '123'",
        "kind: webhook, url: 'https://x.org', secret: 'secret:x', private: true", "kind: apprise, url: 'secret:x'",
    ],
)  # fmt: skip
def test_both_accept(keys):
    text = f"destinations: {{a: {{{keys}, default: true}}}}"
    assert load_destinations_text("d.yaml", text).problems == ()
    assert accepts(text), [e.message for e in VALIDATOR.iter_errors(YAML(typ="safe", pure=True).load(text))]


@pytest.mark.parametrize(
    "keys",
    [
        "kind: sms", "chat: 1", "kind: telegram", "kind: telegram, chat: '@me'", "kind: telegram, chat: 1, topic: 0",
        "kind: telegram, chat: 1, url: x", "kind: discord, webhook: 'https://x'", "kind: webhook, url: 'https://x.org'",
        "kind: apprise, url: 'ntfy://x'", "kind: console, severities: loud", "kind: console, quiet_hours: 5",
        "kind: console, severities: info, min_severity: info", "kind: console, tags: 'a b'", "kind: console, private: true",
    ],
)  # fmt: skip
def test_both_refuse(keys):
    text = f"destinations: {{a: {{{keys}, default: true}}}}"
    assert load_destinations_text("d.yaml", text).errors
    assert not accepts(text)


def test_the_examples_of_the_guide_are_accepted_by_both():
    guide = (ROOT / "docs" / "destinations.md").read_text(encoding="utf-8")
    examples = [block.split("```")[0] for block in guide.split("```yaml\n")[1:]]
    whole = [example for example in examples if "\ndestinations:" in f"\n{example}"]
    assert len(whole) == 3
    for example in whole:
        assert load_destinations_text("docs/destinations.md", example).problems == ()
        assert accepts(example)


def test_the_guide_sends_each_rule_where_it_says():
    """Its first file of destinations, its rules, and its table of who is told and why."""
    guide = (ROOT / "docs" / "destinations.md").read_text(encoding="utf-8")
    blocks = [block.split("```")[0] for block in guide.split("```yaml\n")[1:]]
    plan = plan_of_file(
        Settings.model_construct(telegram=TelegramSection()), load_destinations_text("d.yaml", blocks[0])
    )
    rules = load_text("r.yaml", blocks[1], destinations=plan.names)
    assert not rules.errors
    table = dict(re.findall(r"^\| `(\w+)` \| (`.+`) \| ", guide, re.MULTILINE))
    for rule in rules.rules:
        view = AlertView(
            rule.id,
            "",
            "A",
            "",
            "",
            rule.severity,
            "",
            "fire",
            1,
            1,
            "",
            "",
            None,
            value_is_ratio=False,
            tags=rule.tags,
        )
        notice = Notice("k", TellKind.FIRE, 0, rule.id, "A", rule.severity, rule.notify, 1, view)
        expected = re.findall(r"`(\w+)`", table.pop(rule.id))
        assert sorted(plan.routes.destinations(notice)) == sorted(expected)
    assert len(rules.rules) == 3
