"""The dashboard over a real socket: who gets in, what is refused, and that nothing from outside becomes markup."""

import asyncio
import contextlib
import json
import re

import pytest

from bot.errors import StorageError
from bot.model.dashboard import RuleList, Said
from bot.model.explanation import Distance
from bot.web.door import IDLE_MS, TICKET_LIFE_MS, WRONG_PER_MINUTE
from bot.web.site import LATER_MS, MAX_STREAMS
from tests.support.web_world import ADMIN, OWNER, T0, WebWorld, alert, glance, rule, why

pytestmark = pytest.mark.integration

PAGES = ("/", "/symbol/BTCUSDT", "/symbol/BTCUSDT/data", "/alerts", "/alerts/list", "/rules", "/system", "/system/log",
         "/why/oi_surge/BTCUSDT", "/rules/oi_surge/try?number=0.04&symbol=BTC", "/events", "/symbol?q=BTC")  # fmt: skip
EVIL = "<script>alert(1)</script>"


@pytest.fixture
async def world():
    async with WebWorld() as made:
        yield made


@pytest.mark.parametrize("path", PAGES)
async def test_without_a_session_there_is_nothing_but_the_door(world, path):
    status, text, headers = await world.get(path)
    assert status == 401
    assert "This page is private" in text
    assert "BTCUSDT" not in text
    assert "Set-Cookie" not in headers
    assert world.reader.asked == []


async def test_figures_and_files_need_no_session(world):
    assert (await world.get("/healthz"))[:2] == (200, "ok\n")
    assert (await world.get("/metrics"))[0] == 200
    status, _, headers = await world.get("/static/app.js")
    assert (status, headers["Cache-Control"]) == (200, "no-cache")
    assert (await world.get("/static/..%2fserver.py"))[0] == 404


async def test_a_link_shows_a_button_and_the_button_opens_once(world):
    ticket = world.door.issue(OWNER, now_ms=world.clock.wall_ms())
    for _ in range(3):
        status, text, headers = await world.get(f"/enter?t={ticket}")
        assert (status, "Set-Cookie" in headers) == (200, False), "a preview of the link uses nothing up"
        assert f'name="ticket" value="{ticket}"' in text
    status, _, headers = await world.post("/enter", {"ticket": ticket})
    assert (status, headers["Location"]) == (303, "/")
    cookie = headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert (await world.get("/"))[0] == 200
    status, text, _ = await world.post("/enter", {"ticket": ticket})
    assert status == 403
    assert "has been used" in text


async def test_a_link_opens_nothing_after_five_minutes(world):
    ticket = world.door.issue(OWNER, now_ms=world.clock.wall_ms())
    world.clock.shift_ms = TICKET_LIFE_MS
    assert (await world.post("/enter", {"ticket": ticket}))[0] == 403


async def test_guessing_closes_the_door_for_a_minute(world):
    ticket = world.door.issue(OWNER, now_ms=world.clock.wall_ms())
    statuses = [(await world.post("/enter", {"ticket": f"x{n}"}))[0] for n in range(WRONG_PER_MINUTE + 2)]
    assert statuses == [403] * WRONG_PER_MINUTE + [429] * 2
    assert (await world.post("/enter", {"ticket": ticket}))[0] == 429
    world.clock.shift_ms += 60_000
    assert (await world.post("/enter", {"ticket": ticket}))[0] == 303


async def test_sessions_expire_and_end_with_the_role(world):
    await world.login()
    world.clock.shift_ms += IDLE_MS
    assert (await world.get("/"))[0] == 401
    await world.login(ADMIN)
    world.admitted.discard(ADMIN)
    assert (await world.get("/"))[0] == 401
    world.admitted.add(ADMIN)
    assert (await world.get("/"))[0] == 401, "whoever lost the role has to enter anew"


async def test_leaving_ends_the_session(world):
    mark = await world.login()
    assert (await world.post("/leave", {"csrf": mark}))[0] == 303
    assert (await world.get("/"))[0] == 401


@pytest.mark.parametrize("path", ["/symbol/BTCUSDT/alert", "/leave"])
async def test_a_form_without_the_mark_of_its_session_is_refused(world, path):
    mark = await world.login()
    for wrong in ({}, {"csrf": ""}, {"csrf": mark[:-1]}, {"csrf": mark + "a"}):
        assert (await world.post(path, {"condition": "oi > 5% 15m", **wrong}))[0] == 403
    assert world.said == []
    assert (await world.get("/"))[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
    ],
)
async def test_what_another_sites_page_sends_is_refused(world, headers):
    mark = await world.login()
    ticket = world.door.issue(OWNER, now_ms=world.clock.wall_ms())
    for path, form in (("/symbol/BTCUSDT/alert", {"csrf": mark, "condition": "x"}), ("/enter", {"ticket": ticket})):
        assert (await world.post(path, form, **headers))[0] == 403
    assert world.said == []


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"ticket=a"),
        ("application/x-www-form-urlencoded; charset=nope", b"ticket=a"),
        ("application/x-www-form-urlencoded", b"ticket=\xff"),
        ("multipart/form-data; boundary=b", b"--b\r\nno header\r\n\r\na\r\n--b--\r\n"),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\nContent-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: no\r\n\r\na\r\n--b--\r\n',
        ),
    ],
)
async def test_what_is_no_form_is_refused_and_not_taken_for_a_fault_of_ours(world, kind, body):
    status, text, _ = await world.post("/enter", body, **{"Content-Type": kind})
    assert (status, "Expected a form." in text) == (400, True)


async def test_a_form_in_an_encoding_that_it_is_not_in_is_refused(world):
    kind = {"Content-Type": "application/x-www-form-urlencoded", "Content-Encoding": "gzip"}
    status, text, _ = await world.post("/enter", b"ticket=a", **kind)
    assert (status, "Expected a form." in text) == (400, True)


async def test_a_cookie_that_is_no_text_opens_nothing(world):
    reader, writer = await asyncio.open_connection("127.0.0.1", world.server.port)
    writer.write(b'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nCookie: oibot="\xff"\r\n\r\n')
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"This page is private" in answer


async def test_another_host_name_is_refused_before_anything_else(world):
    await world.login()
    status, text, _ = await world.get("/", Host="rebound.example")
    assert status == 421
    assert "OIBOT_WEB__HOSTS" in text
    assert (await world.get("/", Host=f"localhost:{world.server.port}"))[0] == 200


async def test_through_https_the_cookie_is_for_https_alone():
    async with WebWorld(hosts=("oibot.example.org",), origin="https://oibot.example.org") as world:
        ticket = world.door.issue(OWNER, now_ms=world.clock.wall_ms())
        _, _, headers = await world.post("/enter", {"ticket": ticket}, Host="oibot.example.org")
        assert "Secure" in headers["Set-Cookie"]


async def test_every_page_forbids_what_is_inline(world):
    await world.login()
    for path in [p for p in PAGES if p != "/events"] + ["/nothing-here", "/enter", "/static/app.js"]:
        _, text, headers = await world.get(path)
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'self';"), path
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        if "text/html" in headers.get("Content-Type", ""):
            assert "<style" not in text
            assert "style=" not in text
            assert " onclick" not in text
            assert "<script>" not in text
            assert headers["Cache-Control"] == "no-store"


async def test_hostile_names_and_texts_stay_text(world):
    reader = world.reader
    reader.symbols = (f"{EVIL}USDT", 'A"onmouseover="x', "BTCUSDT")
    reader.told = [alert(title=EVIL, symbol=EVIL, value_text=EVIL, reason=EVIL, ended_ms=alert().fired_ms + 1)]
    reader.rule_list = RuleList(
        (rule(title=EVIL, condition=EVIL, id='x"><script>1</script>'),), (f"default.yaml:1:1: {EVIL}",)
    )
    reader.lines = (EVIL, "</pre><script>1</script>")
    reader.why_page = why(heading=EVIL, notes=(EVIL,), history=(EVIL,), next=EVIL)
    reader.glance_list = (glance(title=EVIL, why=EVIL),)
    world.answer = Said(False, (EVIL,))
    mark = await world.login()
    texts = [(await world.get(path))[1] for path in PAGES if path not in {"/events", "/symbol/BTCUSDT/data"}]
    texts.append((await world.post("/symbol/BTCUSDT/alert", {"csrf": mark, "condition": EVIL}))[1])
    for text in texts:
        assert "<script>" not in text
        assert 'A"on' not in text
    assert all(any("&lt;script&gt;" in text for text in texts[i:]) for i in range(len(texts)))


async def test_now_shows_each_contract_and_the_window_asked_for(world):
    await world.login()
    _, text, _ = await world.get("/?window=3600000")
    assert text.count("<tr data-n=") == 2
    assert 'data-window="3600000"' in text
    assert 'data-window="900000"' in (await world.get("/?window=7"))[1]
    assert 'class="firing"' in text
    world.reader.symbols = ()
    assert "has no instruments yet" in (await world.get("/"))[1]


async def test_changes_are_sent_to_open_pages(world):
    await world.login()
    async with asyncio.timeout(20), world.browser.get(f"{world.url}/events?window=300000") as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        found = []
        async for raw in answer.content:
            if raw.startswith(b"data: "):
                found.append(json.loads(raw[6:]))
                world.reader.at_ms += 1_000
            if len(found) == 2:
                break
    assert found[1]["at_ms"] == found[0]["at_ms"] + 1_000
    assert found[0]["firing"] == [0]
    assert found[0]["columns"]["oi1"] == [0.03, -0.03]
    assert "feeds 2/2" in found[0]["strip"]


async def test_open_pages_are_bounded_and_end_with_the_session(world):
    await world.login()
    async with contextlib.AsyncExitStack() as stack:
        answers = [
            await stack.enter_async_context(world.browser.get(f"{world.url}/events")) for _ in range(MAX_STREAMS)
        ]
        status, text, headers = await world.get("/events")
        assert (status, headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
        assert text == f"retry: {LATER_MS}\n\n", "a refusal would have the page load itself anew, again and again"
        world.admitted.clear()
        async with asyncio.timeout(20):
            for answer in answers:
                await answer.read()
    world.admitted.add(OWNER)
    await world.login()
    async with asyncio.timeout(20), world.browser.get(f"{world.url}/events") as answer:
        assert answer.status == 200


async def test_a_symbol_has_its_chart_its_rules_and_a_form(world):
    world.reader.glance_list = (glance(),)
    world.reader.told = [alert()]
    await world.login()
    _, text, _ = await world.get("/symbol/btc")
    assert "<h1>BTCUSDT</h1>" in text
    assert 'hx-get="/why/oi_surge/BTCUSDT"' in text
    assert "#7q4mk2px" in text
    data = json.loads((await world.get("/symbol/BTCUSDT/data?span=1h"))[1])
    assert len(data["price"][0]) == 31
    assert None in data["oi"][1], "a gap is no line"
    assert data["marks"] == [{"at": alert().fired_ms // 1000, "severity": "warning", "title": "OI surge"}]
    assert (await world.get("/symbol?q=eth"))[2]["Location"] == "/symbol/ETHUSDT"
    for path in ("/symbol/NOPE", "/symbol?q=NOPE", "/why/oi_surge/NOPE"):
        status, text, _ = await world.get(path)
        assert status == 404
        assert "That did not work" in text


async def test_a_value_of_another_unit_than_its_distance_has_a_share_to_go(world):
    """As of a rule that names a value of its own; and alerts are those of whoever looks."""
    own = glance(rule_id="oi_top", value=-0.08, distance=Distance(2_100.0, 0.02, "amount"))
    alert_glance = glance(rule_id="a-7q4mk2px", title="price > 100", distance=Distance(0.03, 0.6, "ratio"))
    world.reader.glance_list = (own, alert_glance)
    await world.login()
    _, text, _ = await world.get("/symbol/btc")
    assert "<td>−8.00%</td>\n<td>2%</td>" in text
    assert "<td>3.00%</td>" in text
    assert 'hx-get="/why/a-7q4mk2px/BTCUSDT"' in text
    await world.get("/why/a-7q4mk2px/BTCUSDT")
    key = "binance:BTCUSDT"
    (_, chat, _), *_, (_, _, _, asked) = [one for one in world.reader.asked if one[0] in {"glances", "why"}]
    assert ("glances", chat, key) in world.reader.asked
    assert ("why", "a-7q4mk2px", key, chat) in world.reader.asked
    assert chat == asked
    assert chat


async def test_alert_me_is_said_with_the_rights_of_whoever_looks(world):
    mark = await world.login(ADMIN)
    _, text, _ = await world.post("/symbol/BTCUSDT/alert", {"csrf": mark, "condition": "oi > 5% 15m"})
    assert world.said == [(ADMIN, "/alert BTCUSDT oi > 5% 15m")]
    assert "Done." in text


async def test_alerts_of_the_chat_of_whoever_looks_are_asked_for(world):
    world.reader.told = [alert(), alert(symbol="*", receipts=())]
    await world.login(ADMIN)
    _, text, _ = await world.get("/alerts")
    assert ("alerts", ADMIN.chat, "") in world.reader.asked
    assert "main 320 ms" in text
    assert "discord waiting" in text
    assert "+0.40%" in text
    assert "nobody" in text


async def test_alerts_of_another_day_say_of_which(world):
    """The newest two hundred reach back over days."""
    world.clock.shift_ms = T0 - world.clock.wall_ms()
    world.reader.told = [alert(), alert(fired_ms=T0 - 3 * 86_400_000)]
    await world.login()
    for path in ("/alerts", "/alerts/list", "/symbol/BTCUSDT"):
        times = re.findall("<time>(.*?)</time>", (await world.get(path))[1])
        assert times == ["10:56 UTC", "Sun 15 Nov 11:06 UTC"], path


async def test_the_log_and_lines_of_rule_files_are_the_owners(world):
    world.reader.lines = ("telegram.sent",)
    world.reader.rule_list = RuleList((rule(),), ("rules.yaml:3:9: error[E204]: no such series\n  |\n3 | secret line",))
    await world.login(ADMIN)
    assert "telegram.sent" not in (await world.get("/system"))[1] + (await world.get("/system/log"))[1]
    text = (await world.get("/rules"))[1]
    assert "error[E204]" in text
    assert "secret line" not in text
    await world.login(OWNER)
    assert "telegram.sent" in (await world.get("/system/log"))[1]
    assert "secret line" in (await world.get("/rules"))[1]


async def test_a_threshold_is_tried(world):
    await world.login()
    _, text, _ = await world.get("/rules/oi_surge/try?number=0.04&symbol=BTC")
    assert "would have fired <b>4×</b>" in text
    assert (await world.get("/rules/oi_surge/try?number=x&symbol=BTC"))[0] == 400
    assert "Nothing can be said" in (await world.get("/rules/oi_surge/try?number=0.04&symbol=NOPE"))[1]


async def test_a_database_that_does_not_answer_is_told_and_the_market_goes_on(world):
    world.reader.trouble = StorageError("read firings: disk I/O error")
    await world.login()
    status, text, _ = await world.get("/alerts")
    assert status == 503
    assert "disk I/O error" in text
    assert (await world.get("/"))[0] == 200


async def test_a_page_that_fails_costs_that_page_alone(world):
    world.reader.trouble = ZeroDivisionError("hidden detail")
    await world.login()
    status, text, headers = await world.get("/alerts")
    assert (status, "hidden detail" in text) == (500, False)
    assert "Content-Security-Policy" in headers
    assert (await world.get("/"))[0] == 200


async def test_an_open_demo_needs_no_login_but_its_forms_keep_their_mark():
    async with WebWorld(is_open=True) as world:
        status, text, headers = await world.get("/")
        assert (status, "Set-Cookie" in headers) == (200, True)
        assert "Leave" not in text
        assert (await world.post("/symbol/BTCUSDT/alert", {"condition": "oi > 5% 15m"}))[0] == 403
        assert (await world.get("/", Host="rebound.example"))[0] == 421
