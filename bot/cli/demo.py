"""`oibot demo`: the real bot on a simulated exchange, in two processes on this machine.

The bot is the one that `oibot run` starts, with the shipped rules; only the addresses differ. The exchange enforces the
limits that Binance publishes. Nothing leaves this machine and nothing is kept unless asked for.
"""

import contextlib
import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from bot import log, settings
from bot.app.destinations import plan_of
from bot.app.options import Options
from bot.cli.demo_past import Past
from bot.cli.process import is_interactive, options_for, serve
from bot.cli.run import seconds
from bot.cli.stopping import StopSignals, run_until_stopped
from bot.cli.summary import Summary
from bot.delivery.output import console_on
from bot.errors import BotError
from bot.settings import Settings
from bot.settings_sections import WebSection

DEFAULT_S = 120.0
"""How long a demo without a terminal runs."""
USUAL_PORT: Final = WebSection().port


def demo(
    for_time: Annotated[
        str | None, typer.Option("--for", help="How long, such as 90s; until Ctrl-C on a terminal, else 120s.")
    ] = None,
    instruments: Annotated[int, typer.Option(min=8, max=950, help="How many contracts the exchange lists.")] = 120,
    seed: Annotated[int, typer.Option(help="Same seed, same market.")] = 1,
    data_dir: Annotated[Path | None, typer.Option(help="Keep the database here instead of throwing it away.")] = None,
) -> None:
    """Show the bot at work without an account: a simulated exchange, the shipped rules, alerts in this terminal."""
    log.set_up(level="WARNING")
    console = console_on(sys.stdout)
    for_s = seconds(for_time)
    if for_s is None and not is_interactive():
        for_s = DEFAULT_S
    with contextlib.ExitStack() as stack:
        folder = data_dir or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="oibot-demo-")))
        _welcome(console, instruments, for_s)
        if is_interactive():
            _show_chat(console, folder)
        rest_url, stream_url = stack.enter_context(exchange(instruments=instruments, seed=seed))
        config = settings.for_demo(
            data_dir=folder,
            rules_dir=settings.shipped_rules(),
            rest_url=rest_url,
            stream_url=stream_url,
            web_port=web_port(),
        )
        summary = Summary(console, rest_url)
        past = Past(console, folder=folder, rest_url=rest_url)
        # The folder of the shipped rules may also hold somebody's destinations.
        plan = plan_of(config, reads_file=False)
        options = replace(
            options_for(console, reads_terminal=is_interactive(), plan=plan),
            opens_dashboard=True,
            on_web=lambda address: _show_address(console, address),
        )
        code = run_until_stopped(lambda signals: _show(config, options, summary, past, signals, for_s))
    raise typer.Exit(code)


async def _show(
    config: Settings, options: Options, summary: Summary, past: Past, signals: StopSignals, for_s: float | None
) -> int:
    with past:
        code = await serve(config, past.watch(summary.watch(options)), signals, for_s=for_s)
    await summary.print()
    return code


def web_port() -> int:
    """The usual one where it is free, else 0 for any."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", USUAL_PORT))
        except OSError:
            return 0
    return USUAL_PORT


def _show_address(console: Console, address: str) -> None:
    text = Text.assemble("Dashboard: ", (address, "bold cyan"), "  (no login in the demo)")
    console.print(text, soft_wrap=True)


def _show_chat(console: Console, folder: Path) -> None:
    # A fresh checkout's program is in no PATH: what is shown can be typed as it stands.
    program = Path(sys.executable).absolute().parent / "oibot"
    named = shlex.quote(str(program)) if program.is_file() else "oibot"
    command = f"OIBOT_DATA_DIR={shlex.quote(str(folder.absolute()))} {named} chat"
    text = Text.assemble("Chat in another terminal, with history and Tab: ", (command, "bold cyan"))
    console.print(text, soft_wrap=True)


def _welcome(console: Console, instruments: int, for_s: float | None) -> None:
    how_long = "Ctrl-C ends it." if for_s is None else f"It ends by itself after {for_s:.0f} s."
    when = (
        "The first alert comes within a minute, a market-wide one within three."
        if instruments <= 200
        else "Filling the windows of so many takes a while: the first alerts come within three minutes."
    )
    typed = " Type /oi BTC, /status or /help." if is_interactive() else ""
    console.print(
        Panel(
            f"A simulated exchange with {instruments} contracts runs on this machine; the bot is the real one, with the "
            f"shipped rules. {when} {how_long}{typed}",
            title="oibot demo",
            title_align="left",
            border_style="cyan",
            width=min(console.width, 108),
        ),
        highlight=False,
    )


@contextlib.contextmanager
def exchange(*, instruments: int, seed: int) -> Iterator[tuple[str, str]]:
    """The simulated exchange as a process of its own; it goes when this process goes. Yields its two base URLs."""
    command = [sys.executable, "-m", "bot", "sim", "--until-stdin-closes"]
    command += ["--instruments", str(instruments), "--seed", str(seed)]
    # Its own session: Ctrl-C is for the bot, which then closes the exchange's standard input.
    process = subprocess.Popen(  # noqa: S603, our own interpreter and constants
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        lines = [process.stdout.readline().strip().partition(" ") for _ in range(2)]
        urls = {name: url for name, _, url in lines}
        if set(urls) != {"rest", "stream"}:
            raise BotError("the simulated exchange did not start; `oibot sim` shows why")
        yield urls["rest"], urls["stream"]
    finally:
        process.stdin.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
