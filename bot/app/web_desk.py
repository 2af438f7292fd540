"""The dashboard, put together: its door, the command that opens it, and its pages."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bot.app.dashboard import Dashboard, Sources
from bot.app.web_access import TERMINAL, WebPeople
from bot.chat.actions import Actions, Handler
from bot.chat.asker import Asker
from bot.chat.dashboard_actions import DashboardActions
from bot.chat.people import People
from bot.clock import Clock
from bot.settings_sections import WebSection
from bot.web.door import Door, Visitor
from bot.web.site import Access, Site


@dataclass(slots=True)
class WebDesk:
    """One per bot."""

    settings: WebSection
    clock: Clock
    is_open: bool = False
    """No login, where only this machine can reach it."""
    on_served: Callable[[str], None] = lambda _: None
    """Gets the address once pages and figures are served."""
    door: Door = field(default_factory=Door)
    here: str = ""
    """Where the pages listen; empty while they do not."""

    def served(self, address: str) -> None:
        """From now on they are there."""
        self.here = address
        self.on_served(address)

    @property
    def has_pages(self) -> bool:
        return self.settings.enabled and self.settings.dashboard

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """Of the command, where there are pages."""
        if not self.has_pages:
            return {}
        return DashboardActions(path_for=self._path_for, origin=self.settings.origin, here=lambda: self.here).handlers

    def _path_for(self, asker: Asker) -> str:
        ticket = self.door.issue(Visitor(asker.chat, asker.user), now_ms=self.clock.wall_ms())
        return f"/enter?t={ticket}"

    def site(self, sources: Sources, people: People, actions: Actions) -> Site | None:
        """The pages; None where they are switched off."""
        if not self.has_pages:
            return None
        access = self.access(people, actions)
        return Site(reader=Dashboard(sources), door=self.door, access=access, clock=self.clock)

    def access(self, people: People, actions: Actions) -> Access:
        """Who gets in."""
        known = WebPeople(people, actions, self.clock)
        return Access(
            may_look=known.may_look,
            is_owner=known.is_owner,
            say=known.say,
            origin=self.settings.origin,
            open_as=TERMINAL if self.is_open and self.settings.is_local else None,
        )
