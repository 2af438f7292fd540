"""The `oibot` command: all commands in one place."""

import sys

import typer

import bot
from bot.cli.backup import backup, restore
from bot.cli.check import check
from bot.cli.claim import claim
from bot.cli.demo import demo
from bot.cli.explain import explain
from bot.cli.health import health
from bot.cli.init import init
from bot.cli.lint import lint
from bot.cli.outbox import outbox
from bot.cli.replay import replay
from bot.cli.run import record, run
from bot.cli.schema import schema
from bot.cli.send_test import send_test
from bot.cli.sim import sim
from bot.errors import BotError

app = typer.Typer(
    name="oibot",
    help="Open-interest and price alerts for crypto futures.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

for command in (
    init,
    claim,
    run,
    demo,
    check,
    send_test,
    lint,
    explain,
    schema,
    replay,
    record,
    backup,
    restore,
    sim,
    health,
):
    app.command()(command)


app.add_typer(outbox, name="outbox")


@app.command()
def version() -> None:
    """Print the version."""
    print(bot.__version__)


def run_command() -> None:
    """Run what was typed: our own errors become one line and exit code 1."""
    try:
        app()
    except BotError as error:
        print(f"oibot: {error}", file=sys.stderr)
        sys.exit(1)
