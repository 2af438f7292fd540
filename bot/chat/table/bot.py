"""Commands about the bot itself."""

from typing import Final

from bot.chat.grammars import dead_letters, destination, nothing, status, topic
from bot.chat.spec import CommandSpec

ROWS: Final[tuple[CommandSpec, ...]] = (
    CommandSpec(
        "deadletters",
        ("dead",),
        dead_letters,
        "/deadletters",
        "what could not be told",
        "Bot",
        True,
        (
            "/deadletters · what could not be told, and why; for the owner",
            "/deadletters retry 7q4mk2px · tell it after all",
            "/deadletters retry all",
        ),
        is_minor=True,
        without="I tell nothing here, so nothing is left over.",
    ),
    CommandSpec(
        "revive",
        (),
        destination,
        "/revive discord",
        "try a dead destination again",
        "Bot",
        True,
        (
            "/revive · destinations that take no messages any more, and why; for the owner",
            "/revive discord · try it again now; what it missed is told",
        ),
        without="I tell nothing here, so nothing is dead.",
    ),
    CommandSpec(
        "reload",
        (),
        nothing,
        "/reload",
        "take changed rule files now",
        "Bot",
        True,
        (
            "/reload · take the rules folder as it is now; for the owner",
            "Changed files are taken by themselves within seconds. With an error in them the old rules run on.",
        ),
        is_minor=True,
        without="The rules of this bot are fixed.",
    ),
    CommandSpec(
        "backup",
        (),
        nothing,
        "/backup",
        "the newest backup as a file",
        "Bot",
        False,
        ("/backup · for the owner, in private, where OIBOT_TELEGRAM__ALLOW_BACKUP is true; without tokens",),
        is_minor=True,
        without="I keep nothing here.",
    ),
    CommandSpec(
        "logs",
        (),
        nothing,
        "/logs",
        "the last of the log as a file",
        "Bot",
        False,
        ("/logs · for the owner, in private, where OIBOT_TELEGRAM__ALLOW_LOGS is true; without secrets",),
        is_minor=True,
        without="I keep no log here.",
    ),
    CommandSpec(
        "status",
        (),
        status,
        "/status",
        "feeds, delays, alerts",
        "Bot",
        True,
        ("/status · how I am, and first what you lose if something is wrong", "/status details · feed by feed"),
    ),
    CommandSpec("help", ("h",), topic, "/help oi", "more about one command", "Bot", True),
    CommandSpec("start", (), nothing, "/start", "what I do", "Bot", False),
)
