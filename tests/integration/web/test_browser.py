"""The dashboard in a real browser: it works, breaks no policy of its own, fits a phone, and axe-core finds nothing serious."""

import contextlib
import itertools
from dataclasses import replace

import pytest

from bot.model.charts import Curve, NoPicture
from bot.model.dashboard import RuleList, Said
from tests.support.browser import LOOKS, SCREENS, browser, looking, settle
from tests.support.web_world import OWNER, T0, WebWorld, alert, glance, rule, why

pytestmark = pytest.mark.integration

SERIOUS = {"serious", "critical"}


@pytest.fixture
async def world():
    async with WebWorld(is_open=True) as made:
        reader = made.reader
        reader.symbols = ("BTCUSDT", "ETHUSDT", "1000PEPEUSDT", "币安人生USDT", *(f"X{n}USDT" for n in range(40)))
        reader.told = [
            alert(),
            alert(ended_ms=alert().fired_ms + 90_000, severity="critical", later=(0.01, -0.02, None)),
        ]
        reader.glance_list = (
            glance(),
            glance(rule_id="broad", title="Broad", phase="firing", verdict="true", per_market=True),
        )
        reader.why_page = why(
            notes=("a note",), history=("14:31:05 firing +6.06%",), next="fires when it has held for 30 s"
        )
        problem = "default.yaml:3:26: error[E204]: unknown series\n  |\n3 | when: oy\n  |       ^^ did you mean oi?"
        reader.rule_list = RuleList(
            (rule(), rule(id="flush", number=-0.05), rule(id="off", is_on=False, number=None)), (problem,)
        )
        yield made


@pytest.fixture
async def chromium():
    async with browser() as found:
        yield found


def serious(results: dict) -> list[str]:
    return [
        f"{v['id']}: {v['help']}: {[node['html'][:120] for node in v['nodes'][:3]]}"
        for v in results["violations"]
        if v["impact"] in SERIOUS
    ]


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
async def test_every_screen_is_fit_for_everyone(world, chromium, look):
    axe = pytest.importorskip("axe_playwright_python.async_playwright").Axe()
    # The door has no looks of its own.
    door = {"enter": "/enter?t=x", "wrong": "/nothing"} if look is LOOKS[0] else {}
    for name, path in {**SCREENS, **door}.items():
        # A page that is not there is an error to the browser too.
        async with looking(chromium, look, allowed=("404",)) as page:
            await page.goto(world.url + path)
            await settle(page)
            if name == "symbol":
                await page.click("button.link >> nth=0")
                await page.wait_for_selector("#tree .tree")
            wide = await page.evaluate("document.documentElement.scrollWidth")
            assert wide <= look.width, f"{name} has to be scrolled sideways"
            found = await axe.run(page)
            assert serious(found.response) == [], name


async def test_the_table_sorts_pins_filters_and_follows_the_market(world, chromium):
    async with looking(chromium, LOOKS[0]) as page:
        await page.goto(world.url + "/")
        await settle(page)
        first = page.locator("#market tbody tr >> nth=0").locator("a")
        assert await first.inner_text() == "BTCUSDT"
        await page.click("#market thead button[data-sort=symbol]")
        assert await first.inner_text() == "1000PEPEUSDT"
        assert await page.get_attribute("#market thead th >> nth=0", "aria-sort") == "ascending"
        await page.click("tr[data-symbol=ETHUSDT] .pin")
        assert await first.inner_text() == "ETHUSDT"
        await page.fill("#filter", "pepe")
        assert await page.locator("#market tbody tr:visible").count() == 1
        await page.reload()
        await settle(page)
        assert await first.inner_text() == "ETHUSDT", "a pin is kept"
        before = await page.inner_text("#strip time")
        world.reader.at_ms += 5_000
        await page.wait_for_function("t => document.querySelector('#strip time').textContent !== t", arg=before)
        world.reader.symbols = ("BTCUSDT", "NEWUSDT")
        world.reader.at_ms += 5_000
        await page.wait_for_selector("tr[data-symbol=NEWUSDT]")
        assert await page.locator("#market tbody tr").count() == 2
        await page.fill("#goto", "new")
        await page.press("#goto", "Enter")
        await page.wait_for_url("**/symbol/NEWUSDT")


async def test_a_symbol_tells_why_and_makes_an_alert(world, chromium):
    async with looking(chromium, LOOKS[0]) as page:
        await page.goto(world.url + "/symbol/BTCUSDT")
        await settle(page)
        assert await page.locator("#chart canvas").count() == 3
        await page.click("button.link >> nth=0")
        await page.wait_for_selector("#tree .tree")
        assert "3.00 points to go" in await page.inner_text("#tree .tree")
        await page.fill("#condition", "oi > 4% 5m")
        world.answer = Said(True, ("Created a-7q4mk2px.",))
        await page.click("text=Create")
        await page.wait_for_selector("#said .said")
        assert "Created" in await page.inner_text("#said")
    assert [text for _, text in world.said] == ["/alert BTCUSDT oi > 4% 5m"]


DRAWN = """
window.labels = {}; window.lines = {}; window.beyond = [];
const place = (canvas) => [...document.querySelectorAll("#chart canvas")].indexOf(canvas);
const {fillText, stroke} = CanvasRenderingContext2D.prototype, {lineTo} = Path2D.prototype;
CanvasRenderingContext2D.prototype.fillText = function (text, ...at) {
  (window.labels[place(this.canvas)] ??= []).push(text);
  const half = this.textAlign === "center" ? this.measureText(text).width / 2 : 0;
  if (at[0] - half < 0 || at[0] + half > this.canvas.width) window.beyond.push(text);
  return fillText.call(this, text, ...at);
};
Path2D.prototype.lineTo = function (x, y) { (this.seen ??= []).push([x, y]); return lineTo.call(this, x, y); };
CanvasRenderingContext2D.prototype.stroke = function (path) {
  if (path?.seen) window.lines[place(this.canvas)] = path.seen;
  return path ? stroke.call(this, path) : stroke.call(this);
};
"""
"""Keeps what is written and drawn on the panels of a chart, by their number, and what is written beyond their edges."""


@contextlib.asynccontextmanager
async def drawn(world, chromium, look, known):
    """The page of a contract once its charts have told what they drew; `known` is then true of it."""
    async with looking(chromium, look) as page:
        await page.add_init_script(DRAWN)
        await page.goto(world.url + "/symbol/BTCUSDT")
        await settle(page)
        await page.wait_for_function(known)
        yield page


async def test_bars_begin_at_zero_and_funding_is_drawn_in_steps(world, chromium, monkeypatch):
    """Else a bar of twice the volume looks ten times as high, and funding seems to drift from payment to payment."""
    made = await world.reader.chart("binance:BTCUSDT", 3_600_000)
    volume = replace(made.volume, amount=tuple(10e6 + 1e5 * n for n in range(31)))
    paid = Curve((made.from_ms - 60_000, made.from_ms + 900_000), (0.0001, -0.0002), 9 * 3_600_000)

    async def chart(_key, _span_ms):
        return replace(made, volume=volume, funding=paid)

    monkeypatch.setattr(world.reader, "chart", chart)
    async with drawn(world, chromium, LOOKS[0], "window.lines[3]") as page:
        assert "0" in (await page.evaluate("window.labels"))["2"]
        steps = (await page.evaluate("window.lines"))["3"]
        assert all(a[0] == b[0] or a[1] == b[1] for a, b in itertools.pairwise(steps))
        assert len({y for _, y in steps}) == 2


async def test_a_time_at_the_end_of_the_axis_is_not_cut_off(world, chromium):
    world.reader.at_ms = T0 // 600_000 * 600_000
    async with drawn(world, chromium, LOOKS[2], "window.labels[2]") as page:
        assert "11:00" in (await page.evaluate("window.labels"))["2"]
        assert await page.evaluate("window.beyond") == []


async def test_a_chart_that_cannot_be_made_says_why(world, chromium, monkeypatch):
    async def none(_key, _span_ms):
        return NoPicture("nothing is known of it yet")

    monkeypatch.setattr(world.reader, "chart", none)
    async with looking(chromium, LOOKS[0]) as page:
        await page.goto(world.url + "/symbol/BTCUSDT")
        await settle(page)
        assert await page.inner_text("#chart") == "nothing is known of it yet"


async def test_a_threshold_is_moved(world, chromium):
    async with looking(chromium, LOOKS[2]) as page:
        await page.goto(world.url + "/rules")
        await page.focus("#n-oi_surge")
        await page.press("#n-oi_surge", "End")
        await page.wait_for_selector("#t-oi_surge b")
        assert "pct(oi, 15m) >= 15.00% would have fired 4×" in await page.inner_text("#t-oi_surge")


async def test_a_link_opens_the_pages_by_its_button(chromium):
    async with WebWorld() as world, looking(chromium, LOOKS[0], allowed=("401",)) as page:
        ticket = world.door.issue(OWNER, now_ms=world.clock.wall_ms())
        await page.goto(world.url + "/")
        assert "This page is private" in await page.inner_text("main")
        await page.goto(f"{world.url}/enter?t={ticket}")
        await page.click("text=Open the dashboard")
        await settle(page)
        await page.click("text=Leave")
        assert "This page is private" in await page.inner_text("main")
