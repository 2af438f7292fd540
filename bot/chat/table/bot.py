"""Commands about the bot itself."""

from typing import Final

from bot.chat.grammars import anything, dead_letters, destination, nothing, status, topic
from bot.chat.spec import CommandSpec
from bot.model.members import Role
from bot.texts import mark

ROWS: Final[tuple[CommandSpec, ...]] = (
    CommandSpec(
        "deadletters",
        ("dead",),
        dead_letters,
        "/deadletters",
        mark("what could not be told"),
        mark("Bot"),
        True,
        (
            mark("/deadletters · what could not be told, and why; for the owner"),
            mark("/deadletters retry 7q4mk2px · tell it after all"),
            "/deadletters retry all",
        ),
        is_minor=True,
        without=mark("I tell nothing here, so nothing is left over."),
        needs=Role.OWNER,
    ),
    CommandSpec(
        "revive",
        (),
        destination,
        "/revive discord",
        mark("try a dead destination again"),
        mark("Bot"),
        True,
        (
            mark("/revive · destinations that take no messages any more, and why; for the owner"),
            mark("/revive discord · try it again now; what it missed is told"),
        ),
        without=mark("I tell nothing here, so nothing is dead."),
        needs=Role.OWNER,
    ),
    CommandSpec(
        "reload",
        (),
        nothing,
        "/reload",
        mark("take changed rule files now"),
        mark("Bot"),
        True,
        (
            mark("/reload · take the rules folder as it is now; for the owner"),
            mark("Changed files are taken by themselves within seconds. With an error in them the old rules run on."),
        ),
        is_minor=True,
        without=mark("The rules of this bot are fixed."),
        needs=Role.OWNER,
    ),
    CommandSpec(
        "dashboard",
        ("web",),
        nothing,
        "/dashboard",
        mark("open the web pages"),
        mark("Bot"),
        True,
        (
            mark("/dashboard · a link that opens the web pages once, within five minutes; for the owner and admins"),
            mark("Whoever opens it looks with your rights, so it is told in private alone."),
        ),
        is_minor=True,
        without=mark("The web pages are switched off. OIBOT_WEB__ENABLED=true in the settings switches them on."),
        is_private=True,
        needs=Role.ADMIN,
    ),
    CommandSpec(
        "backup",
        (),
        nothing,
        "/backup",
        mark("the newest backup as a file"),
        mark("Bot"),
        False,
        (mark("/backup · for the owner, in private, where OIBOT_TELEGRAM__ALLOW_BACKUP is true; without tokens"),),
        is_minor=True,
        without=mark("I keep nothing here."),
        is_private=True,
        needs=Role.OWNER,
    ),
    CommandSpec(
        "logs",
        (),
        nothing,
        "/logs",
        mark("the last of the log as a file"),
        mark("Bot"),
        False,
        (mark("/logs · for the owner, in private, where OIBOT_TELEGRAM__ALLOW_LOGS is true; without secrets"),),
        is_minor=True,
        without=mark("I keep no log here."),
        is_private=True,
        needs=Role.OWNER,
    ),
    CommandSpec(
        "status",
        (),
        status,
        "/status",
        mark("feeds, delays, alerts"),
        mark("Bot"),
        True,
        (
            mark("/status · how I am, and first what you lose if something is wrong"),
            mark("/status details · feed by feed"),
        ),
        needs=Role.VIEWER,
    ),
    CommandSpec(
        "help", ("h",), topic, "/help oi", mark("more about one command"), mark("Bot"), True, needs=Role.VIEWER
    ),
    CommandSpec("start", (), anything, "/start", mark("what I do"), mark("Bot"), False, needs=Role.VIEWER),
)
