"""Rule files give every sound rule and every problem, at once, whatever is in them."""

import os
from pathlib import Path

import pytest

from bot.rules.ast import text
from bot.rules.check import measure_of
from bot.rules.explain import explanations
from bot.rules.files import MAX_FILES
from bot.rules.language import Measure
from bot.rules.limits import MAX_TOTAL_NODES
from bot.rules.loader import MAX_RULES, load_files, load_folder, load_text
from bot.rules.schema import Rule, Scope, condition_hash

WHEN = "pct(oi, 15m) > 5%"


def rule(body, **options):
    """The one rule of a file whose rule has these lines beside `id` and `when`."""
    lines = body.splitlines()
    content = "rules:\n  - id: a\n" + (f"    when: {WHEN}\n" if not body.startswith("when:") else "")
    loaded = load_text("f.yaml", content + "".join(f"    {line}\n" for line in lines), **options)
    assert loaded.errors == ()
    return loaded.rules[0]


def codes(content, **options):
    return [
        (problem.code, problem.line, problem.column) for problem in load_text("f.yaml", content, **options).problems
    ]


def test_a_rule_that_gives_only_what_it_must_has_every_default():
    found = rule("")
    assert found == Rule(id="a", when=found.when, name="a")
    assert (found.for_ms, found.cooldown_ms, found.severity, found.per) == (0, 900_000, "warning", "symbol")
    assert (found.repeat_ms, found.escalate, found.clear, found.notify) == (None, None, None, ("main",))
    assert found.scope == Scope(types=("perpetual",), quotes=("USDT",))
    assert not found.scope.is_ranked
    assert text(found.end) == "not pct(oi, 15m) > 5%"


def test_every_key_is_read():
    found = rule(
        """\
name: Growth
enabled: false
scope:
  symbols: ['BTC*', ETHUSDC]
  exclude: BTCDOMUSDT
  venues: [binance]
  types: [perpetual, tradfi]
  quotes: [USDT, USDC]
  top: 100
  by: volume_24h
  min_oi_usd: 20M
  min_volume_24h: 5_000_000
clear: pct(oi, 15m) < 2.5%
for: 30s
cooldown: 1.5h
repeat: 30m
escalate: 3%
value: oi_usd * 1%
once: true
severity: critical
notify: [main, ops]
tags: [slow]
silent: true
ttl: 6h
chart: false
message: "{{ symbol }}"
inhibits: [b]""".replace("value: oi_usd * 1%", "value: pct(oi, 1h)")
    )
    assert (found.name, found.enabled, found.once, found.severity) == ("Growth", False, True, "critical")
    assert found.scope == Scope(
        symbols=("BTC*", "ETHUSDC"), exclude=("BTCDOMUSDT",), venues=("binance",), types=("perpetual", "tradfi"),
        quotes=("USDT", "USDC"), top=100, by="volume_24h", min_oi_usd=2e7, min_volume_24h=5e6,
    )  # fmt: skip
    assert found.scope.is_ranked
    assert text(found.clear) == "pct(oi, 15m) < 2.5%"
    assert (found.for_ms, found.cooldown_ms, found.repeat_ms, found.escalate) == (30_000, 5_400_000, 1_800_000, 0.03)
    assert text(found.value) == "pct(oi, 1h)"
    assert (found.notify, found.tags, found.silent, found.chart) == (("main", "ops"), ("slow",), True, False)
    assert found.ttl_ms == 21_600_000
    assert (found.message, found.inhibits) == ("{{ symbol }}", ("b",))


def test_defaults_fill_what_a_rule_leaves_out_and_no_more():
    loaded = load_text(
        "f.yaml",
        f"""\
version: 1
defaults: {{cooldown: 1h, for: 1m, repeat: 2h, severity: info, notify: ops, ttl: 2m}}
rules:
  - {{id: a, when: "{WHEN}"}}
  - {{id: b, when: "{WHEN}", cooldown: 5m, for: 0, repeat: off, severity: critical, notify: main, ttl: 1d}}
""",
    )
    assert loaded.problems == ()
    a, b = loaded.rules
    assert (a.ttl_ms, b.ttl_ms) == (120_000, 86_400_000)
    assert (a.cooldown_ms, a.for_ms, a.repeat_ms, a.severity, a.notify) == (
        3_600_000,
        60_000,
        7_200_000,
        "info",
        ("ops",),
    )
    assert (b.cooldown_ms, b.for_ms, b.repeat_ms, b.severity, b.notify) == (300_000, 0, None, "critical", ("main",))


def test_a_condition_may_be_quoted_or_folded():
    quoted, folded = rule(f'when: "{WHEN}"'), rule("when: >-\n  pct(oi,\n  15m)\n  > 5%")
    assert quoted.when == folded.when
    assert quoted.condition_hash == folded.condition_hash


def test_the_condition_hash_sees_meaning_and_not_spelling():
    a, b = rule("when: pct(oi, 15m) > 5%"), rule("when: pct( oi,900s ) > 5.00%\ncooldown: 9h\nname: other")
    assert a.condition_hash == b.condition_hash == condition_hash(a.when, None)
    assert a.condition_hash != rule("when: pct(oi, 15m) > 6%").condition_hash
    assert a.condition_hash != rule("clear: pct(oi, 15m) < 1%").condition_hash


def test_a_bad_rule_never_stops_the_others():
    loaded = load_text(
        "f.yaml",
        f"""\
rules:
  - {{id: good, when: "{WHEN}"}}
  - {{id: bad, when: "pct(oi, 15m) >"}}
  - 5
  - {{id: slow, when: "{WHEN}", cooldown: soon}}
  - {{id: fine, when: "{WHEN}"}}
""",
    )
    assert [found.id for found in loaded.rules] == ["good", "fine"]
    assert [(p.code, p.line) for p in loaded.problems] == [("E201", 3), ("E107", 4), ("E105", 5)]


def test_a_near_miss_is_not_told_as_missing_too():
    assert codes("rules:\n  - id: a\n    whne: oi > 1\n") == [("E102", 3, 5)]
    assert codes("ruels: []\n") == [("E102", 1, 1)]


def test_keys_of_other_tools_are_understood():
    problems = load_text("f.yaml", f"rules:\n  - id: a\n    when: {WHEN}\n    hold: 30s\n").problems
    assert [(p.code, p.hint) for p in problems] == [("E102", 'did you mean "for"?')]


RULE = f"rules:\n  - id: a\n    when: {WHEN}\n"
EVERY_CODE = {
    "E101": ("rules:\n\t- id: a\n", 2, 1),
    "E102": (RULE + "    sevrity: info\n", 4, 5),
    "E103": (RULE + "    id: b\n", 4, 5),
    "E104": ("rules:\n  - id: a\n", 2, 5),
    "E105": (RULE + "    cooldown: 15 min\n", 4, 15),
    "E106": (RULE + "    severity: loud\n", 4, 15),
    "E107": (RULE + "    notify: {a: b}\n", 4, 13),
    "E108": ("rules: " + "[" * 30, 1, 27),
    "E109": ("rules: \x00\n", 1, 8),
    "E110": (RULE + f"  - id: a\n    when: {WHEN}\n", 4, 9),
    "E111": (f"rules:\n  - id: OI surge\n    when: {WHEN}\n", 2, 9),
    "E112": (RULE + "    notify: [main, opps]\n", 4, 20),
    "E113": ("version: 2\n" + RULE, 1, 10),
    "E114": (RULE + "    scope: {top: 0}\n", 4, 18),
    "E116": ("rules:\n  - id: a\n    when: stale(oi)\n    escalate: 5%\n", 4, 15),
    "E201": ("rules:\n  - id: a\n    when: oi >\n", 3, 15),
    "E202": ("rules:\n  - id: a\n    when: pct(oi, 15min) > 5%\n", 3, 19),
    "E203": ("rules:\n  - id: a\n    when: ptc(oi, 15m) > 5%\n", 3, 11),
    "E204": ("rules:\n  - id: a\n    when: pct(io, 15m) > 5%\n", 3, 15),
    "E205": ("rules:\n  - id: a\n    when: pct(oi) > 5%\n", 3, 11),
    "E206": ("rules:\n  - id: a\n    when: age(oi) > 5%\n", 3, 21),
    "E207": ("rules:\n  - id: a\n    when: pct(oi, 15m)\n", 3, 11),
    "E208": ("rules:\n  - id: a\n    when: pct(oi, 25h) > 5%\n", 3, 19),
    "E210": ("rules:\n  - id: a\n    when: count(stale(oi)) > 5\n", 3, 11),
    "E211": ("rules:\n  - id: a\n    when: " + "(" * 51 + "\n", 3, 61),
    "E212": ("rules:\n  - id: a\n    when: 1 > 2\n", 3, 11),
    "E213": ("rules:\n  - id: a\n    when: crosses(price, 5)\n    for: 30s\n", 4, 10),
    "W301": ("rules:\n  - id: a\n    when: pct(oi, 15m) > 5\n", 3, 26),
    "E401": (RULE + "    message: 'OI {{ value }'\n", 4, 27),
    "E402": (RULE + "    message: 'OI {{ valeu }}'\n", 4, 21),
    "E403": (RULE + "    message: 'OI {{ value * 2 }}'\n", 4, 21),
    "E404": (RULE + "    message: 'OI {{ value | upper }}'\n", 4, 29),
    "W303": (RULE + "    scope: {symbols: [BTC]}\n", 4, 23),
    "W304": (RULE + "    clear: pct(oi, 15m) > 2%\n", 4, 12),
    "W305": (RULE + "    scope: {by: oi_usd}\n", 4, 17),
    "W306": ("rules: []\n", 1, 8),
    "W307": (RULE + "    clear: pct(oi, 15m) > 6%\n", 4, 12),
    "W308": ("rules:\n  - id: a\n    when: zscore(funding, 24h) > 3\n", 3, 27),
    "W309": ("rules:\n  - id: a\n    when: oi > 1 and sum(volume, 90s) > 3M\n", 3, 34),
    "W310": (RULE + "    for: 5s\n", 4, 10),
    "W312": (RULE + "    inhibits: [b]\n", 4, 16),
    "W314": ("rules:\n  - id: a\n    when: oi > 1 and percentile(oi, 4h) > 100\n", 3, 22),
    "W316": ("rules:\n  - id: a\n    scope: {top: 4}\n    when: oi > 1 and rank(oi) <= 1\n", 4, 22),
    "W315": ("rules:\n  - id: a\n    when: oi > 1\n    value: pct(oi, 1h)\n    escalate: 5%\n", 5, 15),
}


@pytest.mark.parametrize("code", EVERY_CODE)
def test_every_code_is_told_at_its_place_and_nothing_else_is(code):
    content, line, column = EVERY_CODE[code]
    loaded = load_text("f.yaml", content, destinations={"main"})
    assert [(p.code, p.line, p.column) for p in loaded.problems] == [(code, line, column)]
    n_sound = 1 if (code.startswith("W") and code != "W306") or code == "E110" else 0
    assert len(loaded.rules) == n_sound


def test_every_code_has_its_example():
    told_elsewhere = {"E115", "E120", "W311"}  # a file that cannot be read, a venue's list
    known = {code for code, found in explanations().items() if not found.retired and found.of == "rules"}
    assert set(EVERY_CODE) | told_elsewhere == known


@pytest.mark.parametrize(
    "line",
    ["cooldown: 0x10", "cooldown: -5m", "cooldown: [1m]", "for: 25h", "repeat: 10s", "escalate: 0", "escalate: -3%",
     "escalate: .nan", "escalate: {a: b}", "enabled: yes", "once: 1", "name: ", "per: both", "severity: [info]",
     "scope: all", "scope: {top: 1.5}", "scope: {top: 5%}", "scope: {min_oi_usd: .inf}", "scope: {min_oi_usd: 1e999}",
     "scope: {min_oi_usd: 5%}", "scope: {types: spot}", "scope: {by: price}", "notify: ~", "value: stale(oi)",
     "clear: 5", "message: '{{ x }}'", "tags: [a b]", "tags: [" + ", ".join("abcdefghijklmnopqrstu") + "]", "scope: {symbols: '" + "*a" * 9 + "'}", "inhibits: [" + "b," * 101 + "]", "notify: [" + "b," * 21 + "]", "scope: {exclude: " + "A" * 41 + "}", "name: " + "x" * 81, "id2: a", "<<: {id: b}", "message: [a]", "scope: {venues: [kraken]}"],
)  # fmt: skip
def test_a_wrong_value_is_one_error_and_costs_the_rule(line):
    loaded = load_text("f.yaml", RULE + f"    {line}\n")
    assert len(loaded.errors) == 1
    assert loaded.errors[0].line == 4
    assert loaded.rules == ()


def test_booleans_and_choices_say_what_to_write():
    content = RULE + "    enabled: yes\n    severity: warn\n    scope: {types: perp}\n"
    assert [p.hint for p in load_text("f.yaml", content).problems] == [
        "write true",
        'did you mean "warning"?',
        'did you mean "perpetual"?',
    ]


def test_a_rule_that_is_wrong_keeps_its_id():
    content = f"rules:\n  - {{id: a, when: oi >}}\n  - {{id: a, when: '{WHEN}'}}\n"
    problems = load_text("f.yaml", content).problems
    assert [p.code for p in problems] == ["E201", "E110"]
    assert problems[1].message == 'the id "a" is taken; first in f.yaml:2'


def test_wrong_defaults_are_told_and_the_rules_still_run():
    loaded = load_text("f.yaml", f"defaults: {{cooldown: soon, color: red}}\nrules:\n  - {{id: a, when: '{WHEN}'}}\n")
    assert [p.code for p in loaded.problems] == ["E105", "E102"]
    assert [found.cooldown_ms for found in loaded.rules] == [900_000]


def test_destinations_are_checked_where_they_are_known():
    content = RULE + "    notify: opps\n"
    assert load_text("f.yaml", content).problems == ()
    (problem,) = load_text("f.yaml", content, destinations={"ops", "main"}).problems
    assert problem.message == 'no destination is called "opps"; there are: main, ops'


def test_too_many_rules_are_cut_off():
    content = "rules:\n" + "".join(f"- {{id: r{n}, when: oi > 1}}\n" for n in range(MAX_RULES + 5))
    loaded = load_text("f.yaml", content)
    assert len(loaded.rules) == MAX_RULES
    assert [(p.code, p.line) for p in loaded.problems] == [("E108", MAX_RULES + 2)]


def test_a_hostile_mapping_costs_one_message():
    content = "rules: [{" + ", ".join(f"k{n}: 1" for n in range(5_000)) + "}]"
    assert [p.code for p in load_text("f.yaml", content).problems] == ["E108"]


def test_a_folder_is_read_in_the_order_of_names_and_not_below(tmp_path: Path):
    for name, rule_id in (("b.yaml", "b"), ("a.yml", "a"), ("tests/c.yaml", "c"), ("notes.txt", "d")):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"rules: [{{id: {rule_id}, when: '{WHEN}'}}]")
    (tmp_path / "destinations.yaml").write_text("main: {telegram: 1}")
    loaded = load_folder(tmp_path)
    assert loaded.problems == ()
    assert [found.id for found in loaded.rules] == ["a", "b"]


def test_ids_are_unique_over_all_files(tmp_path: Path):
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(f"rules:\n  - id: x\n    when: {WHEN}\n")
    loaded = load_files([tmp_path / "a.yaml", tmp_path / "b.yaml"])
    assert [(p.code, p.file, p.message) for p in loaded.problems] == [
        ("E110", str(tmp_path / "b.yaml"), f'the id "x" is taken; first in {tmp_path / "a.yaml"}:2')
    ]
    assert len(loaded.rules) == 1


def test_a_bad_file_never_stops_the_others(tmp_path: Path):
    (tmp_path / "a.yaml").write_bytes(b"\xff")
    (tmp_path / "b.yaml").mkdir()
    (tmp_path / "c.yaml").write_text(RULE)
    (tmp_path / "d.yaml").symlink_to(tmp_path / "nowhere")
    loaded = load_folder(tmp_path)
    assert [(Path(p.file).name, p.code) for p in loaded.problems] == [
        ("a.yaml", "E109"),
        ("b.yaml", "E115"),
        ("d.yaml", "E115"),
    ]
    assert [found.id for found in loaded.rules] == ["a"]


def test_folders_that_are_missing_or_empty_are_told(tmp_path: Path):
    assert [p.code for p in load_folder(tmp_path / "none").problems] == ["E115"]
    assert [p.code for p in load_folder(tmp_path).problems] == ["W306"]
    assert [p.code for p in load_text("f.yaml", "").problems] == ["W306"]


def test_pipes_devices_and_links_that_lead_out_are_told_and_never_waited_for(tmp_path: Path):
    folder = tmp_path / "rules"
    folder.mkdir()
    (tmp_path / "outside.yaml").write_text(RULE)
    (folder / "..data").mkdir()
    (folder / "..data" / "real").write_text(f"rules: [{{id: mounted, when: '{WHEN}'}}]")
    os.mkfifo(folder / "a_pipe.yaml")
    (folder / "b_device.yaml").symlink_to("/dev/zero")
    (folder / "c_out.yaml").symlink_to(tmp_path / "outside.yaml")
    (folder / "d_loop.yaml").symlink_to(folder / "d_loop.yaml")
    (folder / "e_mounted.yaml").symlink_to(Path("..data") / "real")
    loaded = load_folder(folder)
    assert [found.id for found in loaded.rules] == ["mounted"]
    assert [(Path(p.file).name, p.code) for p in loaded.problems] == [
        ("a_pipe.yaml", "E115"), ("b_device.yaml", "E115"), ("c_out.yaml", "E115"), ("d_loop.yaml", "E115"),
    ]  # fmt: skip
    assert "no regular file" in loaded.problems[0].message
    assert "outside the folder" in loaded.problems[2].message
    named = load_files([folder / "c_out.yaml", folder / "a_pipe.yaml"])
    assert [found.id for found in named.rules] == ["a"]
    assert [p.code for p in named.problems] == ["E115"]


def test_a_huge_file_is_not_read_to_its_end(tmp_path: Path):
    with (tmp_path / "a.yaml").open("wb") as file:
        file.truncate(1 << 40)  # a hole: it takes no room on the disk
    assert [p.code for p in load_folder(tmp_path).problems] == ["E108"]


def test_many_files_cost_no_more_than_a_few(tmp_path: Path):
    for n in range(MAX_FILES + 3):
        (tmp_path / f"{n:03}.yaml").write_text(f"rules: [{{id: r{n}, when: '{WHEN}'}}]")
    loaded = load_folder(tmp_path)
    assert [(p.code, p.message) for p in loaded.problems] == [("E108", "more than 200 rule files")]
    assert len(loaded.rules) == MAX_FILES


def test_all_files_together_have_a_limit_of_bytes_values_and_aliases(tmp_path: Path):
    big = "#" + "x" * 250_000 + "\n" + "rules: []\n"
    for n in range(6):
        (tmp_path / f"{n}.yaml").write_text(big)
    told = [(Path(p.file).name, p.code) for p in load_folder(tmp_path).problems]
    assert told == [("0.yaml", "W306"), ("1.yaml", "W306"), ("2.yaml", "W306"), ("3.yaml", "W306"), ("4.yaml", "E108"), ("5.yaml", "E108")]  # fmt: skip


def test_values_and_aliases_are_counted_over_all_files(tmp_path: Path):
    per_file = 15_000
    for n in range(MAX_TOTAL_NODES // per_file + 1):
        (tmp_path / f"{n}.yaml").write_text("rules: []\nx: [" + "a," * per_file + "]")
    last = [p for p in load_folder(tmp_path).problems if "together" in p.message]
    assert [(Path(p.file).name, p.code) for p in last] == [("3.yaml", "E108"), ("4.yaml", "E108")]
    folder = tmp_path / "aliases"
    folder.mkdir()
    for n in range(7):
        (folder / f"{n}.yaml").write_text("rules: []\nx: [&a b" + ", *a" * 99 + "]")
    assert [p.code for p in load_folder(folder).problems if "together" in p.message] == ["E108", "E108"]


def test_lists_cost_each_time_they_are_used():
    names = ", ".join(f"S{n}USDT" for n in range(900))
    aliases = "".join(f"- {{id: r{n}, when: oi > 1, scope: {{symbols: *s}}}}\n" for n in range(90))
    content = f"rules:\n- {{id: a, when: oi > 1, scope: {{symbols: &s [{names}]}}}}\n{aliases}"
    loaded = load_text("f.yaml", content)
    assert {(p.code, p.message) for p in loaded.problems} == {
        ("E108", "all scopes together name more than 5,000 symbols"),
        ("E108", "all lists together have more than 20,000 words"),
    }
    assert len(loaded.rules) == 5


def test_only_the_first_problems_are_told():
    content = "rules:\n" + "- {id: A, when: oi >, for: q}\n" * 400
    found = load_text("f.yaml", content).problems
    assert len(found) == 501
    assert found[-1].code == "E108"
    assert found[-1].message == "there are 1,200 problems in all; only the first 500 are told"


def test_expressions_have_a_limit_of_characters_and_parts_over_all_rules():
    long = "oi > 1" + " and oi > 1" * 40
    content = "rules:\n" + "".join(f"- {{id: r{n}, when: '{long}'}}\n" for n in range(500))
    loaded = load_text("f.yaml", content)
    assert {(p.code, p.message) for p in loaded.problems} == {
        ("E108", "all expressions together have more than 50,000 parts")
    }
    assert 300 < len(loaded.rules) < 500
    wide = "oi > 1" + " " * 1_900
    aliases = "x" * 0 + "".join(f"- {{id: r{n}, when: *w}}\n" for n in range(99))
    loaded = load_text("f.yaml", f"rules:\n- {{id: a, when: &w '{wide}'}}\n{aliases}")
    assert len(loaded.rules) == 100


def test_a_destination_that_is_nearly_right_is_suggested():
    (problem,) = load_text("f.yaml", RULE + "    notify: mian\n", destinations={"main", "ops"}).problems
    assert problem.hint == 'did you mean "main"?'


def test_a_template_without_quotes_says_so():
    problems = load_text("f.yaml", RULE + "    message: {{ symbol }}\n").problems
    assert [(p.code, p.hint) for p in problems] == [("E107", "a text that begins with { needs quotes"), ("E107", "")]


def test_a_template_is_checked_where_it_stands():
    content = RULE + "    message: |\n      OI of {{ symbol }}\n      is {{ valeu }}\n"
    (problem,) = load_text("f.yaml", content).problems
    assert (problem.code, problem.line, problem.column, problem.length) == ("E402", 6, 13, 5)
    quoted = RULE + '    message: "{{ symbol }}\\n{{ valeu }}"\n'
    (problem,) = load_text("f.yaml", quoted).problems
    assert (problem.line, problem.column, problem.source_line[problem.column - 1 :][:5]) == (4, 32, "valeu")


def test_the_shipped_rules_are_sound():
    loaded = load_folder(Path(__file__).parents[3] / "rules", destinations={"main"})
    assert loaded.problems == ()
    assert {found.id: text(found.when) for found in loaded.rules} == {
        "oi_surge": "pct(oi, 15m) >= 5%",
        "oi_flush": "pct(oi, 15m) <= -5%",
        "breadth_surge": "count(pct(oi, 15m) >= 3%) >= 12",
        "oi_beyond_market": "pct(oi, 15m) - median(pct(oi, 15m)) > 4%",
        "funding_extreme": "funding_8h >= 0.1% or funding_8h <= -0.1%",
        "price_oi_divergence": (
            "pct(price, 1h) >= 1.5% and pct(oi, 1h) <= -2% or pct(price, 1h) <= -1.5% and pct(oi, 1h) <= -2%"
        ),
        "liquidation_like": "pct(oi, 5m) <= -3% and abs(pct(price, 5m)) >= 1.5% and ratio(volume, 5m) >= 4",
        "squeeze_setup": "pct(oi, 4h) >= 8% and abs(pct(price, 4h)) <= 1% and funding_8h <= -0.03%",
        "oi_top": "price >= max(price, 24h) and oi <= 0.97 * max(oi, 24h)",
        "oi_bottom": "price <= min(price, 24h) and oi <= 0.97 * max(oi, 24h)",
        "stale_data": "count(stale(price)) >= 5 or count(stale(oi)) >= 20%",
    }
    by_id = {found.id: found for found in loaded.rules}
    assert by_id["stale_data"].severity == "critical"
    assert by_id["stale_data"].for_ms == 60_000
    assert by_id["oi_surge"].scope == Scope(top=100, min_oi_usd=2e7)
    assert by_id["liquidation_like"].inhibits == ("oi_flush",)
    assert {measure_of(by_id[name].value) for name in ("oi_top", "oi_bottom")} == {Measure.RATIO}
