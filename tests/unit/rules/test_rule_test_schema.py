"""The schema of rule tests says what the reader says, as far as a schema can."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML

from bot.cli.schema import schema_text
from bot.rules.loader import load_text
from bot.rules.rule_test_items import INSTRUMENT_KEYS, MESSAGE_KEYS, STATE_KEYS, TEST_KEYS
from bot.rules.rule_test_reader import TOP_KEYS, read_rule_tests
from bot.rules.rule_test_schema import rule_test_schema

ROOT = Path(__file__).parents[3]
SHIPPED = sorted((ROOT / "rules" / "tests").glob("*.yaml"))
SCHEMA = rule_test_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
RULES = "rules: [{id: surge, when: 'pct(oi, 15m) > 5%'}]\n"


def errors_of(text):
    """As editors read it: YAML 1.2 with plain values, in which a time is a text."""
    quoted = re.sub(r"^start: (.+)$", r"start: '\1'", text, flags=re.MULTILINE)
    return [error.message for error in VALIDATOR.iter_errors(YAML(typ="safe", pure=True).load(quoted))]


def test_it_is_a_schema_and_the_checked_in_copy_is_the_newest():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    checked_in = (ROOT / "rules" / "rule-tests.schema.json").read_text(encoding="utf-8")
    assert checked_in == schema_text("tests"), "run: oibot schema tests > rules/rule-tests.schema.json"
    assert json.loads(checked_in) == SCHEMA


@pytest.mark.parametrize("path", SHIPPED, ids=[path.stem for path in SHIPPED])
def test_the_shipped_tests_name_it_and_are_accepted(path):
    text = path.read_text(encoding="utf-8")
    assert text.splitlines()[0] == "# yaml-language-server: $schema=../rule-tests.schema.json"
    assert errors_of(text) == []


def test_it_knows_every_key():
    parts = SCHEMA["$defs"]
    assert set(SCHEMA["properties"]) == set(TOP_KEYS)
    assert set(parts["test"]["properties"]) == set(TEST_KEYS)
    assert set(parts["instrument"]["properties"]) == set(INSTRUMENT_KEYS)
    assert set(parts["state"]["properties"]) == set(STATE_KEYS)
    assert set(parts["message"]["properties"]) == set(MESSAGE_KEYS)
    assert all(part["additionalProperties"] is False for part in (SCHEMA, *parts.values()))


GOOD = "rule_files: r.yaml\ntests:\n  - {name: a, series: {A: {oi: 100x20}}, expect: [{at: 1m, rule: surge, state: firing}]}\n"
TAKEN = [
    ("rule_files: r.yaml", "rule_files: [r.yaml, s.yaml]"),
    ("rule_files", "version: 1\nrule_files"),
    ("rule_files", "interval: 10s\nstart: 2026-01-01T00:00:00Z\nrule_files"),
    ("at: 1m", "at: 0"),
    ("state: firing", "value: 6%"),
    ("state: firing", "state: nodata"),
    ("oi: 100x20", "price: 5, funding_interval: 4h, type: tradfi"),
    ("expect: [", "expect_messages: 1, expect: ["),
    ("expect: [", "expect_messages: [{at: 0m, kind: end, text: a}, {text: [a, b]}], expect: ["),
]
REFUSED = [
    ("rule_files: r.yaml\n", ""),
    ("rule_files", "version: 2\nrule_files"),
    ("rule_files", "interval: 60\nrule_files"),
    ("name: a, ", ""),
    ("name: a", "nmae: a"),
    ("series: {A: {oi: 100x20}}", "series: {}"),
    ("oi: 100x20", "oi_usd: 100x20"),
    ("oi: 100x20", "oi: 1, type: spot"),
    ("oi: 100x20", "oi: [1, 2]"),
    ("at: 1m, ", ""),
    ("at: 1m", "at: soon"),
    (", state: firing", ""),
    ("state: firing", "state: fired"),
    ("expect: [", "expect_messages: -1, expect: ["),
    ("expect: [", "expect_messages: [{kind: start}], expect: ["),
]


def reader_errors(text):
    return [p.code for p in read_rule_tests("t.yaml", text.encode(), lambda _: load_text("r.yaml", RULES))[1]]


@pytest.mark.parametrize("change", [("a", "a"), *TAKEN])
def test_what_the_reader_takes_the_schema_takes_too(change):
    text = GOOD.replace(*change, 1)
    assert reader_errors(text) == []
    assert errors_of(text) == []


@pytest.mark.parametrize("change", REFUSED)
def test_what_the_reader_refuses_by_its_form_the_schema_refuses_too(change):
    text = GOOD.replace(*change, 1)
    assert reader_errors(text)
    assert errors_of(text)
