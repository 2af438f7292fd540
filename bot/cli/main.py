"""The `oibot` command: all commands in one place."""

import signal
import sys
from collections.abc import Callable
from typing import Any, Final

import typer

from bot.cli.ask import ask
from bot.cli.backtest import backtest
from bot.cli.backup import backup, restore
from bot.cli.chart import chart
from bot.cli.chat import chat
from bot.cli.check import check
from bot.cli.claim import claim
from bot.cli.dashboard import dashboard
from bot.cli.demo import demo
from bot.cli.explain import explain
from bot.cli.health import health
from bot.cli.history import history
from bot.cli.init import init
from bot.cli.install_service import install_service
from bot.cli.invite import invite
from bot.cli.lint import lint
from bot.cli.migrate import migrate
from bot.cli.outbox import outbox
from bot.cli.reload import reload
from bot.cli.replay import replay
from bot.cli.rule_tests import rule_tests
from bot.cli.run import record, run
from bot.cli.schema import schema
from bot.cli.send_test import send_test
from bot.cli.sim import sim
from bot.cli.status import status
from bot.cli.top import top
from bot.cli.version import version
from bot.errors import BotError

app = typer.Typer(
    name="oibot",
    help="Open-interest and price alerts for crypto futures.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

CARE: Final = "Look after it"
GROUPS: Final[dict[str, tuple[Callable[..., Any], ...]]] = {
    "Begin": (init, check, send_test, run, demo, claim, invite),
    "Look": (chat, ask, status, top, dashboard, chart, explain, health, version),
    "Rules": (lint, rule_tests, backtest, reload, schema, replay, record),
    CARE: (install_service, backup, restore, migrate),
    "For developers": (sim,),
}
"""As `oibot --help` shows them."""
NAMES: Final[dict[Callable[..., Any], str]] = {rule_tests: "test"}
"""Of commands that are not called as their function is: pytest would take that one for a test."""

for group, commands in GROUPS.items():
    for command in commands:
        app.command(NAMES.get(command), rich_help_panel=group)(command)
    if group == CARE:
        app.add_typer(outbox, name="outbox", rich_help_panel=group)
        app.add_typer(history, name="history", rich_help_panel=group)


@app.callback()
def begin(context: typer.Context) -> None:
    """Open-interest and price alerts for crypto futures."""
    if context.invoked_subcommand not in {"run", "record", "demo"}:
        # Cut off, these have not done what they were asked for.
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def run_command() -> None:
    """Run what was typed: our own errors become one line and exit code 1."""
    try:
        app()
    except BotError as error:
        print(f"oibot: {error}", file=sys.stderr)
        sys.exit(1)
