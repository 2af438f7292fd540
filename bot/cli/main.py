"""The `oibot` command: all commands in one place."""

import importlib
import signal
import sys
from typing import Any, Final

import typer

from bot.errors import BotError

GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "Begin": ("init", "check", "send-test", "run", "demo", "claim", "invite"),
    "Look": ("chat", "ask", "status", "top", "dashboard", "chart", "explain", "health", "version"),
    "Rules": ("lint", "test", "backtest", "reload", "schema", "replay", "record"),
    "Look after it": ("install-service", "backup", "restore", "migrate", "outbox", "history"),
    "For developers": ("sim",),
}
"""Names of commands, as `oibot --help` shows them."""
ELSEWHERE: Final = {"test": "rule_tests:rule_tests", "record": "run:record", "restore": "backup:restore"}
"""Module and function of the commands that are not named like their module."""


def app_of(name: str = "") -> typer.Typer:
    """The command line with one command alone, or, where none has that name, with all. Others are not even imported: a
    bot that runs has no use for them, and a short command should not wait for them.
    """
    app = typer.Typer(
        name="oibot",
        help="Open-interest and price alerts for crypto futures.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(begin)
    is_known = any(name in names for names in GROUPS.values())
    for group, names in GROUPS.items():
        for one in names:
            if one == name or not is_known:
                _add(app, one, group)
    return app


def _add(app: typer.Typer, name: str, group: str) -> None:
    module, _, attribute = ELSEWHERE.get(name, "").partition(":")
    module = module or name.replace("-", "_")
    # A function, or an app with commands of its own.
    found: Any = getattr(importlib.import_module(f"bot.cli.{module}"), attribute or module)
    if isinstance(found, typer.Typer):
        app.add_typer(found, name=name, rich_help_panel=group)
    else:
        app.command(name, rich_help_panel=group)(found)


def begin(context: typer.Context) -> None:
    """Open-interest and price alerts for crypto futures."""
    if context.invoked_subcommand not in {"run", "record", "demo"}:
        # Cut off, these have not done what they were asked for.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def run_command() -> None:
    """Run what was typed: our own errors, and files of others, become one line and exit code 1."""
    try:
        app_of(sys.argv[1] if len(sys.argv) > 1 else "")()
    except BotError as error:
        said = str(error)
    except PermissionError as error:
        if error.filename is None:
            raise
        # As in the data folder of a service, which is private to its user.
        said = f"{error.filename}: {error.strerror}; run this as the user who runs the bot"
    else:
        return
    # Needed here alone; most commands begin without it.
    from bot.delivery.output import complain

    complain(f"oibot: {said}")
    sys.exit(1)
