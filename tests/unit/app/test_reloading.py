"""Changed files of the rules folder: when they are looked at, that all or nothing is taken, and who is told."""

import asyncio
import contextlib
from dataclasses import replace

import pytest

from bot.app.loading import load
from bot.app.reloading import LOOK_EVERY_S
from bot.errors import ConfigError
from bot.texts import speaking
from tests.support.reloads import GOOD, World


@pytest.fixture
async def world(tmp_path):
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "rules.yaml").write_text(GOOD, encoding="utf-8")
    made = World(folder)
    task = asyncio.create_task(made.reloader.run())
    yield made
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_a_changed_file_is_taken_by_itself_and_said_in_one_line(world):
    world.write(
        GOOD.replace("<= 10", "<= 11")
        + "- {id: new, when: price >= 7}\n- {id: off, when: price >= 7, enabled: false}\n"
    )
    await world.until(lambda: world.taken)

    assert world.ids == ["high", "low", "new"]
    assert [(n.title, n.text, n.severity) for n in world.told] == [("Rules were reloaded", "+2 ~1 -0 rules.", "info")]
    assert world.live.routes is not None
    assert world.live.changes[0].files == {"rules.yaml": (world.folder / "rules.yaml").read_text()}


async def test_a_file_that_is_still_being_written_waits(world):
    for n in range(12):
        world.write(GOOD + f"- {{id: new_{n}, when: price >= 7}}\n")
        await world.pass_time(LOOK_EVERY_S)
    assert world.taken == []
    await world.until(lambda: world.taken)
    assert world.ids == ["high", "low", "new_11"]


async def test_an_error_leaves_everything_and_is_told_once_for_each_content(world):
    bad = GOOD.replace("when: price <= 10", "whne: price <= 10") + "- {id: new, when: price >= 7}\n"
    world.write(bad)
    await world.until(lambda: world.told)
    world.age(world.folder / "rules.yaml")  # touched, with the same content
    await world.until(lambda: world.reloader.n_refused == 2)

    assert world.ids == ["high", "low"]
    assert world.taken == world.places.plans == []
    (notice,) = world.told
    place = f"{world.folder / 'rules.yaml'}:4:13: error[E102]"
    assert notice.text.startswith(place)
    assert '    4 | - {id: low, whne: price <= 10}\n      |             ^^^^ did you mean "when"?' in notice.text
    assert "since 00:00 UTC" in world.reloader.troubles()[0]
    assert place in world.reloader.troubles()[0]

    world.write(bad.replace("whne", "wen"))
    await world.until(lambda: len(world.told) == 2)
    world.write(GOOD + "- {id: new, when: price >= 7}\n")
    await world.until(lambda: world.taken)
    assert world.ids == ["high", "low", "new"]
    assert world.reloader.troubles() == ()


async def test_errors_at_the_start_are_shown_until_they_are_mended(tmp_path):
    (tmp_path / "rules.yaml").write_text(GOOD + "- {id: bad, when: nonsense}\n", encoding="utf-8")
    world = World(tmp_path)
    assert world.ids == ["high", "low"]
    assert "an error since" in world.reloader.troubles()[0]


async def test_who_asks_is_answered_and_nobody_else_is_told(world):
    assert (await world.reload()).lines == ("Nothing changed: 2 rules.",)
    world.write(GOOD + "- {id: new, when: price >= 7}\n")
    report = await world.reload()
    assert (report.is_taken, report.lines) == (True, ("Rules were reloaded: +1 ~0 -0 rules.",))
    world.write("rules: [")
    report = await world.reload()
    assert not report.is_taken
    assert report.lines[0] == "Rules on disk were not taken."
    assert "error[E101]" in report.lines[1]
    assert world.told == []


async def test_who_asks_while_somebody_writes_hears_so(world):
    task = asyncio.create_task(world.reloader.reload())
    n = 0
    while not task.done():
        n += 1
        world.write(GOOD + f"# {n}\n")
        await world.clock.advance(0.25)
        await world.settled()
    assert "being written" in task.result().lines[0]


async def test_a_signal_looks_at_once(world):
    world.write(GOOD + "- {id: new, when: price >= 7}\n")
    world.reloader.ask()
    await world.until(lambda: world.taken)
    assert world.clock.monotonic_ms() < LOOK_EVERY_S * 1_000


@pytest.mark.parametrize(
    "left", ["", " \n\n", "rules: []\n", "version: 1\nrules:\n- {id: high, when: price > 1, enabled: maybe}\n"]
)
async def test_a_file_cut_to_nothing_is_an_accident(world, left):
    world.write(left)
    report = await world.reload()
    assert not report.is_taken
    assert world.ids == ["high", "low"]


async def test_rules_are_switched_off_by_saying_so(world):
    world.write(GOOD.replace("}", ", enabled: false}"))
    assert (await world.reload()).is_taken
    assert world.ids == []


async def test_a_file_that_is_taken_away_takes_its_rules_along_but_not_the_last_one(world):
    world.write("rules: [{id: more, when: price > 5}]\n", "more.yaml")
    await world.reload()
    (world.folder / "more.yaml").unlink()
    assert (await world.reload()).lines == ("Rules were reloaded: +0 ~0 -1 rules.",)
    (world.folder / "rules.yaml").unlink()
    report = await world.reload()
    assert "error[E120]" in report.lines[1]
    world.folder.rmdir()
    report = await world.reload()
    assert "error[E115]" in report.lines[1]
    assert world.ids == ["high", "low"]


async def test_destinations_and_rules_change_together_or_not_at_all(world, monkeypatch):
    monkeypatch.setenv("PAGER_KEY", "k" * 20)
    world.write(GOOD.replace("price <= 10", "price <= 10, notify: [pager]"))
    assert "error[E112]" in (await world.reload()).lines[1]
    text = "destinations:\n  screen: {kind: console, default: true}\n  pager: {kind: webhook, url: 'https://a.example', secret: 'env:PAGER_KEY'}\n"
    world.write(text.replace("default: true", "default: false"), "destinations.yaml")
    assert "error[E117]" in (await world.reload()).lines[1]
    assert world.places.plans == []

    world.write(text, "destinations.yaml")
    report = await world.reload()

    assert report.lines == ("Rules were reloaded: +0 ~1 -0 rules, +2 ~0 -1 destinations.",)
    assert world.live.routes.names == {"main", "screen", "pager"}
    assert world.live.changes[-1].destinations == ("main", "pager", "screen")


async def test_a_destination_that_cannot_be_made_leaves_everything(world):
    world.places.fails = ConfigError("the secret is gone")
    world.write(GOOD + "- {id: new, when: price >= 7}\n")
    report = await world.reload()
    assert report.lines[1] == "the secret is gone"
    assert world.ids == ["high", "low"]

    world.places.fails = RuntimeError("surprise")
    world.write(GOOD + "- {id: newer, when: price >= 7}\n")
    assert "RuntimeError" in (await world.reload()).lines[1]
    world.places.fails = None
    assert (await world.reload()).is_taken
    assert world.ids == ["high", "low", "newer"]


async def test_no_secret_is_shown(world):
    token = "1234567890:" + "A" * 35
    world.write(GOOD + f"- {{id: new, wen: '{token}'}}\n")
    report = await world.reload()
    assert token not in "\n".join([*report.lines, *world.reloader.troubles()])


async def test_rules_without_destinations_of_their_own_keep_the_given_plan(tmp_path):
    (tmp_path / "rules.yaml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "destinations.yaml").write_text("broken: [", encoding="utf-8")
    world = World(tmp_path)
    plan = replace(world.reloader._running.plan, file=None)
    assert load(world.settings, plan=plan).errors == ()


async def test_who_asks_reads_it_in_their_language(world):
    world.write(GOOD + "- {id: new, when: price >= 7}\n")
    with speaking("zh"):
        assert (await world.reload()).lines == ("规则已重新加载：+1 ~0 -0 条规则。",)
    world.write("rules: [")
    with speaking("zh"):
        assert (await world.reload()).lines[0] == "磁盘上的规则未被采用。"
