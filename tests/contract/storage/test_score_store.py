"""What every `ScoreStore` promises."""

from dataclasses import replace

from bot.model.alert import alert_key
from bot.model.outbox import Delivered, Layout, Message, Rejected
from bot.model.scorecard import ALERT, FULL, HORIZONS_MS, N_DRAWS, Moment, Quadrant, Score, ToldIn

SHORT, HOUR, LONG = HORIZONS_MS
ANN = "telegram:7"


def moment(n=1000, **changes):
    key = alert_key("oi_surge", "binance:BTCUSDT", n)
    values = {
        "key": key,
        "rule_id": "oi_surge",
        "title": "OI surge 币",
        "instrument": "binance:BTCUSDT",
        "fired_ms": n,
        "price": 100.5,
        "oi": None,
        "quadrant": Quadrant.DOWN_UP,
        "price_usual": (0.001, None, 0.25),
        "oi_usual": (None, 0.5, 0.75),
    }
    return Moment(**(values | changes))


def score(n=1000, draw=ALERT, horizon_ms=SHORT, price=0.01):
    return Score(moment(n).key, draw, horizon_ms, price, None, 0.02, -0.005)


def bare(one):
    return replace(one, oi=None, high=None, low=None)


def every(n):
    return [score(n, draw, horizon_ms) for draw in range(N_DRAWS + 1) for horizon_ms in HORIZONS_MS]


async def keys(found):
    return [one.moment.key for one in await found]


async def test_moments_and_scores_come_back_as_they_were_stored(ports):
    await ports.scores.add([moment()])
    await ports.scores.settle([score(horizon_ms=HOUR), score(), score(draw=2)])
    [found] = await ports.scores.own([moment().key])
    assert found.moment == moment()
    assert found.scores == (score(), score(horizon_ms=HOUR))
    # Of many only the prices are read.
    [found] = await ports.scores.scored(since_ms=0)
    assert found.moment == moment()
    assert found.scores == tuple(bare(s) for s in (score(), score(horizon_ms=HOUR), score(draw=2)))


async def test_what_is_stored_once_stays_as_it_is(ports):
    await ports.scores.add([moment()])
    await ports.scores.add([moment(price=7.0)])
    await ports.scores.settle([score()])
    await ports.scores.settle([score(price=0.5)])
    [found] = await ports.scores.scored(since_ms=0)
    assert (found.moment.price, found.scores) == (100.5, (bare(score()),))


async def test_a_score_of_an_alert_that_is_forgotten_is_not_stored(ports):
    await ports.scores.settle([score()])
    await ports.scores.add([moment()])
    [found] = await ports.scores.scored(since_ms=0)
    assert found.scores == ()


async def test_firings_are_seen_once_whatever_their_destinations(ports, make):
    first, second, muted = make.row(1000), make.row(2000), make.row(3000)
    rows = [first, make.row(1000, destination="other"), make.row(1000, "end"), second]
    await ports.alerts.commit(make.commit(rows=rows))
    found, place = await ports.scores.unseen(after=0, since_ms=0, limit=99)
    assert list(found) == [first, second]
    await ports.scores.add([moment(1000)])
    await ports.alerts.commit(make.commit(rows=[muted]))
    # Behind the place only what is new; from the start what is not among the moments.
    assert [row.key for row in (await ports.scores.unseen(after=place, since_ms=0, limit=99))[0]] == [muted.key]
    found, _ = await ports.scores.unseen(after=0, since_ms=0, limit=99)
    assert [row.key for row in found] == [second.key, muted.key]


async def test_firings_are_seen_in_portions_and_not_those_of_long_ago(ports, make):
    rows = [make.row(n, created_ms=n) for n in (1000, 2000, 3000, 4000)]
    await ports.alerts.commit(make.commit(rows=rows))
    found, place = await ports.scores.unseen(after=0, since_ms=2000, limit=2)
    assert list(found) == rows[1:3]
    found, place = await ports.scores.unseen(after=place, since_ms=2000, limit=2)
    assert list(found) == rows[3:]
    assert await ports.scores.unseen(after=place, since_ms=2000, limit=2) == ([], place)


async def test_open_ones_lack_scores(ports):
    await ports.scores.add([moment(2000), moment(1000), moment(500)])
    await ports.scores.settle(every(1000)[:-1] + every(2000))
    found = await ports.scores.open(since_ms=1000)
    assert [(one.moment.key, len(one.scores)) for one in found] == [(moment(1000).key, FULL - 1)]
    assert await keys(ports.scores.open(since_ms=0)) == [moment(500).key, moment(1000).key]


async def test_untold_are_scores_of_the_alert_itself_until_they_are_marked(ports):
    await ports.scores.add([moment(1000), moment(2000)])
    await ports.scores.settle([score(1000), score(1000, 3), score(2000, 3)])
    [found] = await ports.scores.untold(since_ms=0)
    assert (found.moment.key, found.scores) == (moment(1000).key, (score(1000),))
    assert await ports.scores.untold(since_ms=1001) == []
    await ports.scores.mark_told([(moment(1000).key, SHORT), (moment(1000).key, HOUR)])
    assert await ports.scores.untold(since_ms=0) == []
    # With the next one all of its own come again.
    await ports.scores.settle([score(1000, horizon_ms=HOUR)])
    [found] = await ports.scores.untold(since_ms=0)
    assert found.scores == (score(1000), score(1000, horizon_ms=HOUR))


async def deliver(ports, name, *rows, layout=Layout.ALERT, outcome=None):
    message = Message(name, rows[0].destination, tuple(row.id for row in rows), 0, layout=layout)
    await ports.outbox.begin(message)
    await ports.outbox.settle(message, outcome or Delivered("77"), now_ms=0)


async def test_where_alerts_were_told_with_all_others_of_those_messages(ports, make):
    alone, one, two, refused = (make.row(n) for n in (1000, 2000, 3000, 4000))
    elsewhere, waiting = make.row(1000, destination="other"), make.row(5000)
    await ports.alerts.commit(make.commit(rows=[alone, one, two, refused, elsewhere, waiting]))
    await deliver(ports, "m1", alone)
    await deliver(ports, "m2", one, two, layout=Layout.DIGEST)
    await deliver(ports, "m3", elsewhere)
    await deliver(ports, "m4", refused, outcome=Rejected("no"))
    found = await ports.scores.told_in([row.key for row in (alone, two, refused, waiting)])
    assert list(found) == [
        ToldIn(alone.key, "main", "m1", is_single=True),
        *sorted(
            (ToldIn(row.key, "main", "m2", is_single=False) for row in (one, two)),
            key=lambda told: told.key,
        ),
        ToldIn(alone.key, "other", "m3", is_single=True),
    ]
    assert list(await ports.scores.told_in([])) == []


async def test_own_scores_of_some_also_of_those_that_have_none(ports):
    await ports.scores.add([moment(2000), moment(1000), moment(3000)])
    await ports.scores.settle([score(1000), score(1000, 1), score(3000)])
    found = await ports.scores.own([moment(2000).key, moment(1000).key])
    assert [(one.moment.fired_ms, one.scores) for one in found] == [(1000, (score(1000),)), (2000, ())]


async def test_totals_are_of_a_rule_and_a_contract_and_never_of_what_people_made(ports):
    await ports.scores.add(
        [
            moment(1000),
            moment(2000, rule_id="jump"),
            moment(3000, instrument="binance:币安人生USDT"),
            moment(4000, rule_id="a-7q4mk2px", is_public=False),
        ]
    )

    async def fired(**which):
        return [one.moment.fired_ms for one in await ports.scores.scored(**({"since_ms": 0} | which))]

    assert await fired() == [1000, 2000, 3000]
    assert await fired(since_ms=2000) == [2000, 3000]
    assert await fired(rule_id="oi_surge") == [1000, 3000]
    assert await fired(symbol="BTCUSDT") == [1000, 2000]
    assert await fired(rule_id="oi_surge", symbol="BTCUSDT") == [1000]
    assert await fired(rule_id="a-7q4mk2px") == []


async def test_the_name_of_a_rule_is_that_of_its_latest_alert(ports):
    await ports.scores.add([moment(2000, title="New"), moment(1000, title="Old")])
    await ports.scores.add([moment(3000, rule_id="a-7q4mk2px", is_public=False)])
    assert await ports.scores.title("oi_surge") == "New"
    assert await ports.scores.title("a-7q4mk2px") is None


async def test_more_alerts_than_are_read_at_once(ports):
    await ports.scores.add([moment(n) for n in range(1000, 1250)])
    await ports.scores.settle([score(n) for n in range(1000, 1250)])
    found = await ports.scores.scored(since_ms=0)
    assert [(one.moment.fired_ms, len(one.scores)) for one in found] == [(n, 1) for n in range(1000, 1250)]


async def test_what_destinations_want(ports):
    assert await ports.scores.replies() == {}
    await ports.scores.set_replies("main", "off")
    await ports.scores.set_replies("main", "on")
    await ports.scores.set_replies("other", "quiet")
    assert await ports.scores.replies() == {"main": "on", "other": "quiet"}
    await ports.scores.set_replies("main", None)
    assert await ports.scores.replies() == {"other": "quiet"}


async def test_what_a_destination_wants_keeps_its_new_name(ports):
    await ports.scores.set_replies("telegram:-5", "off")
    for _ in range(2):
        await ports.moves.rename("telegram:-5", "telegram:-1005")
    assert await ports.scores.replies() == {"telegram:-1005": "off"}


async def test_old_ones_go_and_private_ones_sooner(ports):
    await ports.scores.add([moment(1000), moment(2000), moment(3000, is_public=False), moment(4000, is_public=False)])
    await ports.scores.settle([score(1000), score(2000)])
    assert await ports.scores.prune(before_ms=2000, private_before_ms=4000, keep=99) == 2
    assert await keys(ports.scores.open(since_ms=0)) == [moment(2000).key, moment(4000).key]
    await ports.scores.add([moment(1000)])
    [again, _] = await ports.scores.scored(since_ms=0)
    assert again.scores == (), "its scores went with it"


async def test_too_many_go_the_oldest_first(ports):
    await ports.scores.add([moment(n) for n in range(1000, 1010)])
    assert await ports.scores.prune(before_ms=0, private_before_ms=0, keep=10) == 0
    assert await ports.scores.prune(before_ms=0, private_before_ms=0, keep=4) == 6
    assert [one.moment.fired_ms for one in await ports.scores.open(since_ms=0)] == [1006, 1007, 1008, 1009]
