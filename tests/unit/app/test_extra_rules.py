"""Rules that come from chat beside those of files: one set, handed over as a reload is, and the same in a replay."""

import asyncio
from dataclasses import replace

import pytest

from bot.app.extra_rules import MAX_EXTRA
from bot.history.recorded_rules import rules_of
from bot.rules.loader import load_folder
from bot.rules.parse import parse_condition
from bot.rules.schema import Rule, Scope
from tests.support.reloads import GOOD, World


@pytest.fixture
def world(tmp_path):
    (tmp_path / "rules.yaml").write_text(GOOD, encoding="utf-8")
    return World(tmp_path)


def rule(rule_id="c_one", when="price >= 7", **options):
    return Rule(id=rule_id, when=parse_condition(when).expr, notify=("telegram:-1001",), **options)


def as_recorded(world):
    """What a replay reads from the last change."""
    change = world.live.changes[-1]
    return rules_of(change.files, change.destinations)


def test_they_watch_beside_those_of_files_and_a_replay_reads_the_same(world):
    world.extra.put("alerts", [rule("c_b"), rule("c_a", name="A name")])
    world.extra.put("subscriptions", [rule("c_ab", base="high")])
    assert world.ids == ["high", "low", "c_a", "c_ab", "c_b"]
    assert as_recorded(world) == world.live.engine.rules == world.extra.rules
    assert [one.id for one in world.extra.of("alerts")] == ["c_b", "c_a"]


def test_what_is_put_takes_the_place_of_what_was(world):
    world.extra.put("alerts", [rule("c_a"), rule("c_b")])
    world.extra.put("alerts", [rule("c_b")])
    assert world.ids == ["high", "low", "c_b"]
    world.extra.put("alerts", [rule("c_b")])
    assert len(world.live.changes) == 2, "the same again is no change"
    world.extra.put("alerts", [])
    assert world.ids == ["high", "low"]


async def test_they_stay_at_a_reload_and_some_follow_the_files(world):
    world.extra.put("alerts", [rule("c_a")])
    world.extra.follow("forms", lambda loaded: [replace(r, id=f"c_of_{r.id}", base=r.id) for r in loaded.rules.rules])
    assert world.ids == ["high", "low", "c_a", "c_of_high", "c_of_low"]

    world.write("version: 1\nrules:\n- {id: high, when: price >= 200}\n")
    assert (await _reloaded(world)).is_taken
    assert world.ids == ["high", "c_a", "c_of_high"]
    (form,) = (r for r in world.live.engine.rules if r.id == "c_of_high")
    assert form.when == parse_condition("price >= 200").expr
    assert as_recorded(world) == world.live.engine.rules


async def test_at_a_reload_what_cannot_be_run_is_left_out(world):
    world.extra.put("alerts", [rule("c_late")])
    world.extra.follow("forms", lambda loaded: [replace(r, id=f"c_{r.id}") for r in loaded.rules.rules])
    world.write(GOOD + "- {id: late, when: price > 1}\n- {id: last, when: price > 1}\n")
    assert (await _reloaded(world)).is_taken
    assert world.ids == ["high", "low", "late", "last", "c_high", "c_last", "c_late", "c_low"]
    assert [r.id for r in world.extra.of("forms")] == ["c_high", "c_low", "c_last"]


async def _reloaded(world):
    task = asyncio.create_task(world.reloader.run())
    try:
        return await world.reload()
    finally:
        task.cancel()


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ([rule("one")], "begins with c_"),
        ([rule("c_" + "x" * 40)], "at most 40"),
        ([rule(), rule()], "c_one twice"),
        ([rule("c_taken")], "c_taken twice"),
        ([rule(name="x" * 81)], "at most 80"),
        ([rule(tags=("no tag",))], "a tag is made of"),
        ([rule(scope=Scope(types=()))], "can be written"),
        ([rule(f"c_{n}") for n in range(MAX_EXTRA)], "at most 1,000"),
    ],
)
def test_what_cannot_be_run_or_recorded_is_refused_and_changes_nothing(world, bad, said):
    world.extra.put("other", [rule("c_taken")])
    world.extra.put("alerts", [rule("c_before")])
    with pytest.raises(ValueError, match=said):
        world.extra.put("alerts", bad)
    assert world.ids == ["high", "low", "c_before", "c_taken"]


def test_files_have_no_such_ids_and_no_such_keys(tmp_path):
    (tmp_path / "chat").mkdir()
    (tmp_path / "chat" / "x.yaml").write_text(
        "rules:\n- {id: c_mine, when: price > 1}\n- {id: mine, when: price > 1, base: other}\n", encoding="utf-8"
    )
    found = load_folder(tmp_path / "chat")
    assert found.rules == ()
    assert [p.code for p in found.errors] == ["E111", "E102"]
