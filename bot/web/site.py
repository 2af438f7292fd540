"""The dashboard's addresses: a door, five pages, and a stream of changes. Reads through one port, and says commands for
whoever looks, with their rights and no others.

Without a session there is nothing but the door and the files that every browser may have. A form carries the session's
mark; requests that a page of somebody else made are refused. Nothing inline runs: the policy of all pages forbids it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from aiohttp import http, web
from aiohttp.typedefs import Handler

from bot import log
from bot.clock import Clock
from bot.errors import StorageError
from bot.model.charts import NoPicture
from bot.model.dashboard import TABLE_WINDOWS_MS, DashboardReader, Said, ToldAlert
from bot.model.instrument import MARKET
from bot.web import pages
from bot.web.door import LIFE_MS, Door, Session, Visitor, is_same

COOKIE: Final = "oibot"
DEFAULT_WINDOW_MS: Final = 900_000
SPANS: Final = {"1h": 3_600_000, "4h": 14_400_000, "24h": 86_400_000, "7d": 604_800_000, "30d": 2_592_000_000}
EVERY_S: Final = 2.0
MAX_STREAMS: Final = 16
"""Open pages that are sent changes; one more is told to come again after `LATER_MS`."""
LATER_MS: Final = 30_000
MAX_TOLD: Final = 200
MAX_LOG: Final = 100
PATIENCE_S: Final = 30.0
"""How long a page may take to read what it is sent."""
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_SESSION: Final = web.RequestKey("session", Session)
_FRESH: Final = web.RequestKey("fresh", str)
_PUBLIC: Final = ("/static/", "/enter")
_HOW: Final = "Type /dashboard in the bot's chat, or oibot dashboard on its machine, for a link that opens it once."

_log = log.get("web.site")


@dataclass(frozen=True, slots=True)
class Access:
    """Who is let in, and what they can do there."""

    may_look: Callable[[Visitor], bool]
    """Asked at each request: rights may have gone since."""
    is_owner: Callable[[Visitor], bool]
    """Whether they are also shown the log and lines of rule files."""
    say: Callable[[Visitor, str], Awaitable[Said]]
    """Carry out a command as that person."""
    origin: str = ""
    """Scheme and name by which it is reached through a proxy; empty without one."""
    open_as: Visitor | None = None
    """Everyone who can reach it is this one; for a demo that only its own machine can reach."""


class Site:
    """`routes` and `guard` are what a server needs of it."""

    def __init__(self, *, reader: DashboardReader, door: Door, access: Access, clock: Clock) -> None:
        self._reader = reader
        self._door = door
        self._access = access
        self._clock = clock
        self._n_streams = 0
        self._updates: dict[int, tuple[int, bytes]] = {}

    def routes(self) -> list[web.AbstractRouteDef]:
        return [
            web.static("/static", pages.STATIC),
            web.get("/enter", self._show_door),
            web.post("/enter", self._enter),
            web.post("/leave", self._leave),
            web.get("/", self._now),
            web.get("/events", self._events),
            web.get("/symbol", self._find),
            web.get("/symbol/{symbol}", self._symbol),
            web.get("/symbol/{symbol}/data", self._data),
            web.post("/symbol/{symbol}/alert", self._alert),
            web.get("/why/{rule}/{symbol}", self._why),
            web.get("/alerts", self._alerts),
            web.get("/alerts/list", self._told),
            web.get("/rules", self._rules),
            web.get("/rules/{rule}/try", self._try),
            web.get("/system", self._system),
            web.get("/system/log", self._log),
        ]

    # -- the door ------------------------------------------------------------------------------------------------

    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let in who has a session, and refuse what another site's page asks for."""
        if request.method == "POST" and not _is_own(request):
            return self._page("enter.html", code=403, title="Refused", text="This came from another site.", ticket="")
        if not request.path.startswith(_PUBLIC):
            session = self._session(request)
            if session is None and self._access.open_as is not None:
                fresh = self._door.begin(self._access.open_as, now_ms=self._clock.wall_ms())
                session = self._door.session(fresh, now_ms=self._clock.wall_ms())
                request[_FRESH] = fresh
            if session is None:
                return self._page("enter.html", code=401, title="This page is private", text=_HOW, ticket="")
            request[_SESSION] = session
        answer = await self._safely(request, handler)
        if not answer.prepared:
            for name, value in HEADERS.items():
                answer.headers.setdefault(name, value)
            self._give_fresh(answer, request)
        return answer

    def _give_fresh(self, answer: web.StreamResponse, request: web.Request) -> None:
        """The cookie of a session that began with this request."""
        if (fresh := request.get(_FRESH)) is not None:
            self._give(answer, fresh, request)

    async def _safely(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """What went wrong becomes a page that says so."""
        try:
            return await handler(request)
        except web.HTTPException as error:
            if error.status < 400:
                raise
            status, title, text = error.status, "That did not work", f"{error.reason[:1].upper()}{error.reason[1:]}."
        except StorageError as error:
            _log.warning("web.page_without_storage", path=request.path[:60], reason=str(error))
            status, title, text = 503, "The database does not answer", f"{error}. What is live goes on; try again soon."
        except ConnectionError:
            raise
        except Exception:  # noqa: BLE001, one page; logged, and whoever looks is told
            _log.exception("web.page_failed", path=request.path[:60])
            status, title, text = 500, "Something went wrong on our side", "The log has the details."
        return self._page("enter.html", request, code=status, title=title, text=text, ticket="")

    def _session(self, request: web.Request) -> Session | None:
        found = self._door.session(request.cookies.get(COOKIE, ""), now_ms=self._clock.wall_ms())
        if found is not None and not self._access.may_look(found.visitor):
            self._door.shut_out(found.visitor.user)
            return None
        return found

    def _give(self, answer: web.StreamResponse, secret: str, request: web.Request) -> None:
        secure = request.secure or self._access.origin == f"https://{request.host}"
        answer.set_cookie(
            COOKIE, secret, httponly=True, samesite="Strict", secure=secure, path="/", max_age=LIFE_MS // 1000
        )

    async def _show_door(self, request: web.Request) -> web.Response:
        ticket = request.query.get("t", "")[:64]
        if not ticket:
            return self._page("enter.html", title="This page is private", text=_HOW, ticket="")
        text = "The link works once. Whoever presses the button looks with the rights of whom it was made for."
        return self._page("enter.html", title="oibot", text=text, ticket=ticket)

    async def _enter(self, request: web.Request) -> web.Response:
        form = await _form(request)
        now_ms = self._clock.wall_ms()
        if self._door.is_closed(now_ms=now_ms):
            text = "Too many wrong links were shown lately. Try again in a minute, with a new link."
            return self._page("enter.html", code=429, title="Closed for a minute", text=text, ticket="")
        secret = self._door.enter(form.get("ticket", "")[:64], now_ms=now_ms)
        if secret is None:
            text = f"This link has been used, or is older than five minutes. {_HOW}"
            return self._page("enter.html", code=403, title="This link opens nothing", text=text, ticket="")
        _log.info("web.entered")
        answer = web.Response(status=303, headers={"Location": "/"})
        self._give(answer, secret, request)
        return answer

    async def _leave(self, request: web.Request) -> web.Response:
        await self._checked(request)
        self._door.leave(request.cookies.get(COOKIE, ""))
        answer = web.Response(status=303, headers={"Location": "/enter"})
        answer.del_cookie(COOKIE)
        return answer

    async def _checked(self, request: web.Request) -> tuple[Session, dict[str, str]]:
        """The session and the fields of a form that carries its mark."""
        session, fields = request[_SESSION], await _form(request)
        if not is_same(fields.get("csrf", ""), session.csrf):
            raise web.HTTPForbidden(reason="this form is out of date; load the page again")
        return session, fields

    def _page(
        self, template: str, request: web.Request | None = None, *, code: int = 200, **values: object
    ) -> web.Response:
        session = None if request is None else request.get(_SESSION)
        shown = {
            "csrf": session.csrf if session is not None else "",
            "is_leavable": session is not None and self._access.open_as is None,
            "page": "",
            **values,
        }
        return _html(pages.render(template, at_ms=self._clock.wall_ms(), **shown), status=code)

    # -- now -----------------------------------------------------------------------------------------------------

    async def _now(self, request: web.Request) -> web.StreamResponse:
        window_ms = _window(request)
        table = self._reader.table()
        strip = await self._strip(window_ms)
        sparks = dict(self._reader.sparks())
        shown = {"csrf": request[_SESSION].csrf, "is_leavable": self._access.open_as is None, "page": "Now", **strip}
        answer = web.StreamResponse(
            headers={**HEADERS, "Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store"}
        )
        self._give_fresh(answer, request)
        await answer.prepare(request)
        # A page of a thousand contracts takes longer than a tick may wait. Its top is on the way while the rest is made.
        parts = pages.now_page(table, sparks, shown, window_ms=window_ms)
        try:
            while part := await asyncio.to_thread(next, parts, b""):
                async with self._clock.timeout(PATIENCE_S * self._clock.speed):
                    await answer.write(part)
        except (ConnectionError, TimeoutError):
            answer.force_close()
        return answer

    async def _strip(self, window_ms: int) -> dict[str, object]:
        table, status = self._reader.table(), await self._reader.status()
        up = table.share_up(window_ms) if table.symbols else None
        return {"status": status, "up": up, "window_ms": window_ms, "at_ms": table.at_ms}

    async def _update(self, window_ms: int) -> bytes:
        """Made once for all who look at the same window."""
        table = self._reader.table()
        known = self._updates.get(window_ms)
        if known is None or known[0] != table.at_ms or not table.symbols:
            strip = pages.render("strip.html", **await self._strip(window_ms))
            known = self._updates[window_ms] = table.at_ms, pages.update(table, window_ms, strip=strip)
        return known[1]

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if self._n_streams >= MAX_STREAMS:
            # Whoever is refused loads the page anew, at once.
            return web.Response(text=f"retry: {LATER_MS}\n\n", content_type="text/event-stream")
        window_ms = _window(request)
        answer = web.StreamResponse(
            headers={**HEADERS, "Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        )
        self._n_streams += 1
        try:
            await answer.prepare(request)
            while self._session(request) is not None or self._access.open_as is not None:
                if self._reader.table().symbols:
                    part = b"event: market\ndata: " + await self._update(window_ms) + b"\n\n"
                else:
                    part = b": nothing yet\n\n"
                async with self._clock.timeout(PATIENCE_S * self._clock.speed):
                    await answer.write(part)
                await self._clock.sleep(EVERY_S * self._clock.speed)
        except (ConnectionError, TimeoutError):
            pass
        finally:
            self._n_streams -= 1
        return answer

    # -- one instrument ------------------------------------------------------------------------------------------

    async def _find(self, request: web.Request) -> web.Response:
        key = self._reader.key_of(request.query.get("q", "")[:60])
        if key is None:
            raise web.HTTPNotFound(reason="there is no such contract")
        return web.Response(status=303, headers={"Location": f"/symbol/{quote(key.partition(':')[2], safe='')}"})

    def _key(self, request: web.Request) -> tuple[str, str]:
        key = self._reader.key_of(request.match_info["symbol"][:60])
        if key is None:
            raise web.HTTPNotFound(reason="there is no such contract")
        return key, key.partition(":")[2]

    async def _symbol(self, request: web.Request) -> web.Response:
        key, symbol = self._key(request)
        span = request.query.get("span", "4h")
        table = self._reader.table()
        at = table.keys.index(key) if key in table.keys else None
        moves = []
        if at is not None:
            for w in TABLE_WINDOWS_MS:
                oi, price = table.columns[f"oi_{w}"][at], table.columns[f"price_{w}"][at]
                moves.append((w, oi, price, pages.reading_code(price, oi)))
        glances, n_more = await self._reader.glances(key, chat=request[_SESSION].visitor.chat)
        return self._page(
            "symbol.html",
            request,
            symbol=symbol,
            span=span if span in SPANS else "4h",
            spans=tuple(SPANS),
            moves=moves,
            glances=glances,
            n_more=n_more,
            told=await self._told_to(request, limit=20, symbol=symbol),
        )

    async def _data(self, request: web.Request) -> web.Response:
        key, symbol = self._key(request)
        found = await self._reader.chart(key, SPANS.get(request.query.get("span", ""), SPANS["4h"]))
        if isinstance(found, NoPicture):
            return web.json_response({"error": found.reason}, headers=HEADERS)
        told = await self._told_to(request, limit=50, symbol=symbol)
        marks = [(one.fired_ms, one.severity, one.title) for one in told]
        return web.Response(body=pages.chart_json(found, marks), content_type="application/json", headers=HEADERS)

    async def _alert(self, request: web.Request) -> web.Response:
        session, fields = await self._checked(request)
        _, symbol = self._key(request)
        said = await self._access.say(session.visitor, f"/alert {symbol} {fields.get('condition', '')[:200]}")
        return self._page("said.html", request, said=said)

    async def _why(self, request: web.Request) -> web.Response:
        key = MARKET if request.match_info["symbol"] == MARKET else self._key(request)[0]
        rule, chat = request.match_info["rule"][:100], request[_SESSION].visitor.chat
        found = await self._reader.why(rule, key, chat=chat)
        if found is None:
            raise web.HTTPNotFound(reason="there is no such rule, or nothing to say yet")
        return self._page("tree.html", request, found=found)

    # -- alerts, rules, the bot ----------------------------------------------------------------------------------

    async def _told_to(self, request: web.Request, *, limit: int, symbol: str = "") -> Sequence[ToldAlert]:
        return await self._reader.alerts(limit=limit, chat=request[_SESSION].visitor.chat, symbol=symbol)

    async def _alerts(self, request: web.Request) -> web.Response:
        return self._page("alerts.html", request, page="Alerts", told=await self._told_to(request, limit=MAX_TOLD))

    async def _told(self, request: web.Request) -> web.Response:
        return self._page("told.html", request, told=await self._told_to(request, limit=MAX_TOLD))

    async def _rules(self, request: web.Request) -> web.Response:
        found, table = await self._reader.rules(), self._reader.table()
        sizes = table.columns.get("oi_usd", [])
        largest = max(zip(sizes, table.symbols, strict=True), key=lambda one: one[0] or 0.0, default=(0.0, ""))[1]
        problems = found.problems
        if not self._access.is_owner(request[_SESSION].visitor):
            problems = tuple(text.partition("\n")[0] for text in problems)
        return self._page("rules.html", request, page="Rules", rules=found.rules, problems=problems, largest=largest)

    async def _try(self, request: web.Request) -> web.Response:
        try:
            number = float(request.query.get("number", ""))
        except ValueError:
            raise web.HTTPBadRequest(reason="expected a number") from None
        key = self._reader.key_of(request.query.get("symbol", "")[:60])
        tried = None if key is None else await self._reader.tried(request.match_info["rule"][:100], number, key)
        return self._page("tried.html", request, tried=tried)

    async def _system(self, request: web.Request) -> web.Response:
        found = await self._reader.overview(DEFAULT_WINDOW_MS, 1)
        return self._page(
            "system.html",
            request,
            page="System",
            status=found.status,
            lanes=found.lanes,
            log=self._log_for(request),
        )

    def _log_for(self, request: web.Request) -> Sequence[str]:
        if not self._access.is_owner(request[_SESSION].visitor):
            return ("Only the owner is shown the log.",)
        return self._reader.log_tail(MAX_LOG)

    async def _log(self, request: web.Request) -> web.Response:
        return self._page("log.html", request, log=self._log_for(request))


async def _form(request: web.Request) -> dict[str, str]:
    """The fields of a form, without files. It is none without text or parts, and in an encoding that is not what it is named."""
    try:
        return {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    except (ValueError, LookupError, RuntimeError, http.HttpProcessingError, web.RequestPayloadError):
        raise web.HTTPBadRequest(reason="expected a form") from None


def _html(text: str, *, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, content_type="text/html", headers=HEADERS)


def _window(request: web.Request) -> int:
    wanted = request.query.get("window", "")
    return int(wanted) if wanted in {str(w) for w in TABLE_WINDOWS_MS} else DEFAULT_WINDOW_MS


def _is_own(request: web.Request) -> bool:
    """Whether a form was sent by a page of ours. Browsers say so; what says nothing is no browser."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin")
    same = origin is None or origin.partition("://")[2] == request.host
    return site in {"same-origin", "none"} and same
