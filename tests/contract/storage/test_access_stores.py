"""What every store of strangers, groups, changes and personal data promises."""

from dataclasses import replace

import pytest

from bot.model.access import FORGOTTEN, Change, Group, Standing, Stranger
from bot.model.chat_rule import ChatRule
from bot.model.members import Member, Role
from bot.model.risk import RiskSettings
from bot.model.scorecard import Moment, Quadrant, Score
from bot.model.silence import QuietHours, Silence
from bot.model.subscriptions import Look, Subscription, TopicRoute
from bot.model.watchlists import SymbolList
from bot.storage.database import open_database
from bot.storage.key_values import SqliteKeyValues
from bot.storage.personal import NAMED, OWN, SqlitePersonalData

ANN, BOB = "telegram:71", "telegram:72"
ASKING = Stranger(BOB, BOB, "Bob 币", "bob", Standing.ASKED, 1_000)
GROUP = Group("telegram:-5", "Desk", 1_000, ANN)


async def test_a_stranger_is_kept_once_and_forgotten_once(ports):
    await ports.strangers.put(replace(ASKING, user=ANN, asked_ms=2_000))
    await ports.strangers.put(ASKING)
    blocked = replace(ASKING, standing=Standing.BLOCKED, by=ANN)
    await ports.strangers.put(blocked)
    assert [s.user for s in await ports.strangers.all()] == [BOB, ANN]
    assert (await ports.strangers.all())[0] == blocked
    assert await ports.strangers.drop(BOB)
    assert not await ports.strangers.drop(BOB)


async def test_old_requests_go_and_the_blocked_stay_until_there_are_too_many(ports):
    for n in range(6):
        standing = Standing.BLOCKED if n % 2 else Standing.DECLINED
        await ports.strangers.put(replace(ASKING, user=f"telegram:{n}", asked_ms=n * 100, standing=standing))
    assert await ports.strangers.prune(before_ms=400, keep=9) == 2
    assert [s.user for s in await ports.strangers.all()] == [f"telegram:{n}" for n in (1, 3, 4, 5)]
    assert await ports.strangers.prune(before_ms=0, keep=3) == 1
    assert [s.user for s in await ports.strangers.all()] == [f"telegram:{n}" for n in (3, 4, 5)]


async def test_groups_are_listed_and_follow_a_move(ports):
    await ports.groups.put(GROUP)
    await ports.groups.put(replace(GROUP, chat="telegram:-6", since_ms=500))
    assert [g.chat for g in await ports.groups.all()] == ["telegram:-6", "telegram:-5"]
    for _ in range(2):
        await ports.moves.move("telegram:-5", "telegram:-1005")
    assert replace(GROUP, chat="telegram:-1005") in await ports.groups.all()
    assert await ports.groups.drop("telegram:-1005")
    assert not await ports.groups.drop("telegram:-5")


async def test_changes_come_newest_first_and_go_with_age(ports):
    for at_ms in (3, 1, 2, 2):
        await ports.audit.add(Change(at_ms, ANN, ANN, f"did {at_ms}"))
    assert [c.at_ms for c in await ports.audit.latest(9)] == [3, 2, 2, 1]
    assert [c.at_ms for c in await ports.audit.latest(2, 1)] == [2, 2]
    assert await ports.audit.prune(before_ms=3) == 3
    assert await ports.audit.latest(9) == [Change(3, ANN, ANN, "did 3")]


async def test_what_is_stored_about_somebody_is_handed_out_and_forgotten(ports):
    await ports.members.put(Member(ANN, Role.ADMIN, ANN, "Ann", 1))
    await ports.members.put(Member(BOB, Role.MEMBER, BOB, "Bob", 2, by=ANN))
    await ports.strangers.put(replace(ASKING, user="telegram:73", chat="telegram:73", by=ANN))
    await ports.groups.put(GROUP)
    await ports.audit.add(Change(1, ANN, ANN, f"made {BOB} member"))
    await ports.audit.add(Change(2, BOB, BOB, f"declined {ANN} and telegram:711"))
    found = await ports.personal.export(ANN)
    assert {name: len(rows) for name, rows in found.items()} == {
        "members": 2,
        "strangers": 1,
        "listed_groups": 1,
        "audit": 2,
    }
    assert found["members"][0]["name"] == "Ann"
    await ports.personal.forget(ANN)
    assert await ports.personal.export(ANN) == {}
    assert await ports.members.all() == [Member(BOB, Role.MEMBER, BOB, "Bob", 2, by=FORGOTTEN)]
    assert [(c.user, c.what) for c in await ports.audit.latest(9)] == [
        (BOB, f"declined {FORGOTTEN} and telegram:711"),
        (FORGOTTEN, f"made {BOB} member"),
    ]
    await ports.personal.forget(ANN)


@pytest.fixture
async def database(tmp_path):
    opened = await open_database(tmp_path / "oibot.db", now_ms=1)
    yield opened.database
    await opened.database.close()


async def test_every_column_that_can_name_a_person_is_known(database):
    """A new table that names people must be handed out and forgotten too."""
    tables = [t for (t,) in await database.fetch("t", "SELECT name FROM sqlite_master WHERE type = 'table'")]
    people = {"user", "person", "author", "by", "chat"}
    found = set()
    for table in tables:
        columns = {c for (c,) in await database.fetch("c", "SELECT name FROM pragma_table_info(?)", (table,))}
        found |= {(table, column) for column in columns & people}
    known = {(table, column) for part in (OWN, NAMED) for table, columns in part.items() for column in columns}
    # An acknowledgement holds a name as it was shown, and no id; it goes with the alert. Listed groups and topics are groups.
    assert found - known == {("acks", "by"), ("listed_groups", "chat"), ("topic_routes", "chat")}


async def test_nothing_of_a_person_is_left_in_the_database(database, make, tmp_path):
    from bot.storage.alerts import SqliteAlertStore
    from bot.storage.chat_alerts import SqliteChatAlertStore
    from bot.storage.chat_rules import SqliteChatRuleStore
    from bot.storage.risk import SqliteRiskStore
    from bot.storage.scores import SqliteScoreStore
    from bot.storage.silences import SqliteSilenceStore
    from bot.storage.subscriptions import SqliteSubscriptionStore
    from bot.storage.watchlists import SqliteWatchlistStore

    await SqliteChatAlertStore(database).add(make.chat_alert(1, chat="telegram:-5", user=ANN))
    await SqliteChatAlertStore(database).add(make.chat_alert(2, chat=ANN, user=ANN))
    await SqliteChatRuleStore(database).add(ChatRule("c_00000001", "telegram:-5", ANN, ("BTCUSDT",), None, "oi > 1", 1))
    subscriptions = SqliteSubscriptionStore(database)
    await subscriptions.put(Subscription(ANN, "oi_surge", is_on=False))
    await subscriptions.put_look(ANN, Look(zone="Europe/Berlin"))
    await subscriptions.put_topic(TopicRoute("telegram:-5", 7, "rule:oi_surge", 1, ANN))
    await SqliteWatchlistStore(database).put(SymbolList(ANN, "pins", "", ("binance:BTCUSDT",), 1))
    await SqliteRiskStore(database).put(ANN, RiskSettings(1.0, 0.01, 1.0))
    silences = SqliteSilenceStore(database)
    await silences.add(Silence("s-1", 1, 9, ANN, 1, destination=ANN))
    await silences.add(Silence("s-2", 1, 9, ANN, 1, destination="telegram"))
    await silences.put_quiet(QuietHours("telegram", 1, 2, "UTC", ANN))
    scores = SqliteScoreStore(database)
    await scores.set_replies(ANN, "off")
    told = [make.row(1, destination=ANN), make.row(2, destination=ANN), make.row(2, destination="telegram")]
    await SqliteAlertStore(database).commit(make.commit(rows=told))
    mine = Moment(told[0].key, "a-7q4mk2px", "BTC", "binance:BTCUSDT", 1, None, None, Quadrant.FLAT, is_public=False)
    await scores.add([mine, replace(mine, key=told[1].key, rule_id="oi_surge", is_public=True)])
    await scores.settle([Score(mine.key, 0, 900_000, 0.1, None, None, None)])
    await SqliteKeyValues(database).put("telegram.refused.1", '{"71": 5, "99": 6}')
    data = SqlitePersonalData(database)
    own = {"chat_alerts", "chat_rules", "subscriptions", "looks", "watchlists", "risk_settings"}
    places = {"silences", "quiet_hours", "score_replies", "score_moments", "outbox"}
    assert set(await data.export(ANN)) == {*own, "topic_routes", *places}
    await data.forget(ANN)
    assert [one.moment.rule_id for one in await scores.open(since_ms=0)] == ["oi_surge"]
    assert await database.fetch("t", "SELECT count(*) FROM scores") == [(0,)]
    assert await data.export(ANN) == {}
    assert [s.author for s in await silences.all()] == [FORGOTTEN]
    assert [t.author for t in await subscriptions.topics()] == [FORGOTTEN]
    assert await SqliteKeyValues(database).get("telegram.refused.1") == '{"99": 6}'
    tables = [t for (t,) in await database.fetch("t", "SELECT name FROM sqlite_master WHERE type = 'table'")]
    for table in tables:
        assert all(ANN not in map(str, row) for row in await database.fetch("all", f"SELECT * FROM {table}"))
