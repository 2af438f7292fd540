"""`oibot explain RULE SYMBOL` from a recording, and what it says where there is no answer."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from bot.cli.explain import explain
from bot.cli.times import parse_time
from bot.engine.engine import Engine
from bot.engine.explaining import explain as explain_engine
from bot.engine.inputs import Listed, Placed
from bot.errors import ConfigError
from bot.history.journal import Header, JournalWriter
from bot.model.updates import InstrumentList, MarkPrices

T0 = 1_767_225_600_000
RULES = """
- {id: jump, when: 'pct(price, 10s) >= 3%', clear: 'pct(price, 10s) < 1%', cooldown: 5m}
- {id: off, enabled: false, when: price > 1}
- {id: wide, per: market, when: 'count(pct(price, 10s) >= 3%) >= 2'}
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    app = typer.Typer()
    app.command()(explain)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OIBOT_DATA_DIR", str(tmp_path / "data"))
    return lambda *words: CliRunner().invoke(app, [str(w) for w in words])


@pytest.fixture
def recording(tmp_path, rules_of, perpetual):
    """Sixty seconds; A jumps by 4% at the 30th and back at the 40th. Returns the file and the live run's own answers."""
    engine = Engine(rules_of(RULES))
    header = Header(1_000, {"r.yaml": "version: 1\nrules:" + RULES}, ["main"], [], [], continues=False)
    journal = JournalWriter(
        tmp_path / "journal",
        header=header,
        refresh=lambda: replace(header, continues=True),
        started_ms=T0,
        rotate_bytes=1 << 30,
        max_bytes=1 << 30,
    )
    said = {}

    def give(item):
        journal.record(item)
        engine.consume(item)

    give(Listed(InstrumentList("binance", (perpetual("A"), perpetual("B"))), T0))
    for second in range(60):
        now = T0 + second * 1_000 + 250
        price = np.array([104.0 if 30 <= second < 40 else 100.0, 50.0])
        rows, zeros = np.arange(2, dtype=np.int32), np.zeros(2, dtype=np.int64)
        give(MarkPrices(rows, price, price, np.full(2, 1e-4), zeros, np.full(2, now - 100), 0.0))
        give(Placed(0, 1_000.0, now - 50, now - 60, 15_000))
        engine.tick(now)
        journal.tick(now)
        said[now] = explain_engine(engine, "jump", "binance:AUSDT")
        # What comes after a tick belongs to the next one.
        give(Placed(0, 2_000.0, now + 10, now, 15_000))
    journal.close()
    return journal.path, said


def test_the_past_is_explained_as_the_live_run_would_have(run, recording):
    path, said = recording
    for second in (5, 30, 35, 41, 59):
        at = T0 + second * 1_000 + 250
        result = run("jump", "a", "--journal", path, "--at", at + 700, "--json")
        assert result.exit_code == 0, result.stderr
        found = json.loads(result.stdout)
        live = said[at]
        assert (found["at_ms"], found["verdict"], found["value"]) == (at, live.verdict, live.value)
        assert (found["alert"]["phase"], found["alert"]["peak"]) == (live.alert.phase, live.alert.peak)
        ends = found["when"]["parts"][0]["window"]["ends"]
        assert [e["sample_ms"] for e in ends] == [e.sample_ms for e in live.when.parts[0].window.ends]


def test_it_reads_as_plain_text_where_there_is_no_terminal(run, recording):
    path, _ = recording
    out = run("jump", "AUSDT", "--journal", path, "--at", "2026-01-01T00:00:35").stdout
    assert out.splitlines()[:6] == [
        "AUSDT · jump  jump",
        "firing since 00:00:30, told once, peak +4.00%, as of 00:00:34 UTC",
        "value  pct(price, 10s) = +4.00%",
        "next   ends when pct(price, 10s) < 1%",
        "",
        "when",
    ]
    assert "  ✓ pct(price, 10s) >= 3%\n      +4.00%, past it by 1.00 points (33%)\n" in out
    assert "then: price 100.00, sample of 00:00:23" in out
    assert "clear\n  ✗ pct(price, 10s) < 1%" in out
    assert "  00:00:30 firing +4.00% #" in out
    assert "\x1b" not in out


def test_without_a_time_the_end_of_the_recording_counts(run, recording):
    path, _ = recording
    out = run("jump", "A", "--journal", path).stdout
    assert out.splitlines()[1] == "cooling, as of 00:00:59 UTC"
    assert "next   may fire again in 4m" in out
    assert [line.split()[1] for line in out.splitlines()[-2:]] == ["resolved", "firing"]


def test_a_rule_about_the_market_needs_no_symbol(run, recording):
    path, _ = recording
    out = run("wide", "--journal", path, "--at", "2026-01-01T00:00:35Z").stdout
    assert "the whole scope · wide" in out
    assert "true for 1 of 2" in out


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("jmp", "A"), "there is no rule 'jmp'; did you mean jump?"),
        (("jump", "AUSD"), "there is no symbol 'AUSD'; did you mean AUSDT?"),
        (("off", "A"), "the rule 'off' is switched off: its file says `enabled: false`"),
        (("jump",), "the rule 'jump' looks at each contract: name one"),
    ],
)
def test_names_that_lead_nowhere(run, recording, words, error):
    result = run(*words, "--journal", recording[0])
    assert (result.exit_code, result.stderr) == (1, f"oibot: {error}\n")


def test_what_cannot_be_asked_says_what_to_do(run, recording):
    path, _ = recording
    before = run("jump", "A", "--journal", path, "--at", "2025-12-31")
    assert isinstance(before.exception, ConfigError)
    assert "holds no evaluation at or before 00:00:00 UTC" in str(before.exception)
    assert "no such file" in str(run("jump", "A", "--journal", "nowhere.oij").exception)
    assert "--at needs --journal" in str(run("jump", "A", "--at", "5").exception)
    nobody = run("jump", "A")
    assert isinstance(nobody.exception, ConfigError)
    assert "no bot is running on" in str(nobody.exception)
    assert "oibot run" in str(nobody.exception)


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1767225600000", T0),
        ("2026-01-01T00:00:00Z", T0),
        ("2026-01-01T00:00:00", T0),
        ("2026-01-01", T0),
        ("2026-01-01 01:00:00.250+01:00", T0 + 250),
        ("20260101", T0),
        ("253402300799999", 253_402_300_799_999),
    ],
)
def test_times_are_utc_unless_they_say_otherwise(text, ms):
    assert parse_time(text, "--at") == ms


@pytest.mark.parametrize("text", ["yesterday", "", "14:31", "-5", "²", "2026", "1767225600000000000"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ConfigError, match="--at: expected a time"):
        parse_time(text, "--at")


def test_a_socket_of_a_bot_that_is_gone_is_no_bot(run):
    import socket

    Path("data").mkdir()
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind("data/control.sock")
    assert "no bot is running on" in str(run("jump", "A").exception)
