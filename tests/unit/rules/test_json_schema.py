"""The schema that editors use says what the loader says, as far as a schema can."""

import json
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from bot.cli.schema import schema_text
from bot.rules.json_schema import rule_file_schema
from bot.rules.loader import TOP_KEYS, load_text
from bot.rules.rule_reader import DEFAULT_KEYS, RULE_KEYS, SCOPE_KEYS

ROOT = Path(__file__).parents[3]
SHIPPED = (ROOT / "rules" / "default.yaml").read_text(encoding="utf-8")
SCHEMA = rule_file_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
RULE = "rules:\n  - id: a\n    when: pct(oi, 15m) > 5%\n"


def as_editors_read(content):
    """YAML 1.2 with plain values."""
    return YAML(typ="safe", pure=True).load(content)


def accepts(content):
    return VALIDATOR.is_valid(as_editors_read(content))


def test_it_is_a_schema_and_the_checked_in_copy_is_the_newest():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    checked_in = (ROOT / "rules" / "rules.schema.json").read_text(encoding="utf-8")
    assert checked_in == schema_text(), "run: oibot schema > rules/rules.schema.json"
    assert json.loads(checked_in) == SCHEMA


def test_the_shipped_rules_name_it_and_are_accepted():
    assert SHIPPED.splitlines()[0] == "# yaml-language-server: $schema=./rules.schema.json"
    assert [error.message for error in VALIDATOR.iter_errors(as_editors_read(SHIPPED))] == []


def test_it_knows_every_key_and_describes_it():
    rule = SCHEMA["$defs"]["rule"]
    scope = rule["properties"]["scope"]
    assert set(SCHEMA["properties"]) == set(TOP_KEYS)
    assert set(rule["properties"]) == set(RULE_KEYS)
    assert set(scope["properties"]) == set(SCOPE_KEYS)
    assert set(SCHEMA["properties"]["defaults"]["properties"]) == set(DEFAULT_KEYS)
    for part in (SCHEMA, rule, scope):
        assert part["additionalProperties"] is False
        assert all(value["description"].endswith(".") for value in part["properties"].values())


WRONG = [
    "whne: oi > 1", "id: [b]", "when: [a]", "when: 5", "scope: all", "scope: {tpo: 5}", "scope: {top: 0}", "scope: {top: 1.5}",
    "scope: {top: many}", "scope: {by: price}", "scope: {types: spot}", "scope: {venues: [kraken]}", "scope: {min_oi_usd: 5%}",
    "scope: {min_oi_usd: -5}", "scope: {min_oi_usd: lots}", "scope: {symbols: {a: b}}", "scope: {symbols: [[A]]}", "per: both",
    "for: 15 min", "for: 15", "cooldown: soon", "cooldown: [1m]", "cooldown: -5m", "repeat: never", "escalate: 3 points",
    "escalate: 0", "escalate: -3", "escalate: [3]", "enabled: yes", "once: 1", "silent: on", "severity: loud", "severity: [info]",
    "notify: {to: main}", "tags: [a b]", "tags: {a: b}", "message: [a]", "message: {a: b}", "inhibits: {a: b}", "value: 5",
    "name: [a]", "chart: maybe",
]  # fmt: skip


def loads(line):
    key = line.partition(":")[0]
    content = (
        RULE
        if key not in {"id", "when"}
        else "".join(row for row in RULE.splitlines(keepends=True) if f" {key}:" not in row.replace("- id", " id"))
    )
    if key == "id":
        return f"rules:\n  - {line}\n    when: oi > 1\n"
    return content + f"    {line}\n"


@pytest.mark.parametrize("line", WRONG)
def test_what_the_loader_refuses_by_its_form_the_schema_refuses_too(line):
    content = loads(line)
    assert load_text("f.yaml", content).errors
    assert not accepts(content)


RIGHT = [
    "name: 5", "enabled: false", "scope: {top: 100, by: volume_24h, min_oi_usd: 20_000_000, min_volume_24h: 2.5k}",
    "scope: {top: 1_000, min_oi_usd: 2e7}", "scope: {top: 1k, min_oi_usd: .5M}", "scope: {symbols: BTCUSDT, exclude: ['1000*', A?USDT]}",
    "scope: {types: [perpetual, tradfi], quotes: USDC, venues: binance}", "scope: {}", "per: symbol", "for: 0", "for: 0s",
    "for: 30s", "for: 1.5h", "cooldown: 1d", "repeat: off", "repeat: 30m", "escalate: 3%", "escalate: .5%",
    "escalate: 0.03", "escalate: off", "value: pct(oi, 1h)", "once: true", "severity: critical", "notify: main", "notify: [main, ops]",
    "tags: slow", "tags: [a-b, C_d, 5]", "silent: true", "ttl: 1h", "chart: false", "message: '{{ symbol }}'", "inhibits: a1", "clear: oi < 5",
]  # fmt: skip


@pytest.mark.parametrize("line", RIGHT)
def test_what_the_loader_takes_the_schema_takes_too(line):
    content = RULE + f"    {line}\n"
    assert load_text("f.yaml", content).errors == ()
    assert accepts(content)


@pytest.mark.parametrize(
    ("content", "sound"),
    [
        ("version: 1\ndefaults: {cooldown: 1h, notify: [main], repeat: off}\n" + RULE, True),
        ("version: 2\n" + RULE, False),
        ("defaults: {when: oi > 1}\n" + RULE, False),
        ("rules: {id: a}", False),
        ("rules: [{id: a}]", False),
        ("rules: [{when: oi > 1}]", False),
        ("rules: [5]", False),
        ("version: 1", False),
        ("ruels: []", False),
    ],
)
def test_files_as_a_whole(content, sound):
    assert bool(load_text("f.yaml", content).errors) is not sound
    assert accepts(content) is sound
