"""`oibot install-service`: the bot as a service of systemd."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from bot import settings
from bot.app import installing
from bot.app.service_unit import quoted, unit_text
from bot.errors import ConfigError


def install_service(
    user: Annotated[bool, typer.Option("--user", help="A service of your own instead of one of the system.")] = False,
    only_print: Annotated[bool, typer.Option("--print", help="Print the unit and write nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files that were changed by hand.")] = False,
    root: Annotated[
        Path, typer.Option(help="Install below this folder instead of /, as for an image that is being built.")
    ] = Path("/"),
) -> None:
    """Make a service of the bot: systemd starts it at boot, restarts it when it is stuck, and keeps it apart."""
    program = installing.program_of(Path(sys.executable))
    if user:
        target = installing.Target.user(quoted(program), Path.home(), _config_home())
    else:
        target = installing.Target.system(quoted(program), root)
    if only_print:
        print(unit_text(target.places), end="")
        return
    if not user and root == Path("/"):
        installing.refuse_hidden(program)
        if os.geteuid() != 0:
            raise ConfigError("install-service: expected to be root; use sudo, or --user for a service of your own")
    config = settings.load()
    writes = installing.plan(target, config, Path.cwd())
    installing.refuse_conflicts(writes, force=force)
    taken = installing.take_along(config.data_dir, target)
    for write in writes:
        print(f"{'as it was:' if write.is_done else 'wrote'} {write.path}")
    installing.install(writes, target)
    if taken is not None:
        print(f"copied {taken} to {target.data}")
    _say_next(target)


def _say_next(target: installing.Target) -> None:
    places = target.places
    if missing := sorted(n for n in os.environ if n.startswith(settings.PREFIX) and not installing.is_secret(n)):
        print(
            f"Set in this shell but unknown to the service: {', '.join(missing)}. Put them into {target.config}/.env."
        )
    systemctl = "systemctl --user" if places.is_user else "systemctl"
    print("\nNow:")
    print(f"  {systemctl} daemon-reload")
    print(f"  {systemctl} enable --now oibot")
    if places.is_user:
        print("  loginctl enable-linger        # so that it also runs while you are not logged in")
    print(f"  {systemctl} status oibot         # its line `Status:` says how it fares")
    print(f"  journalctl {'--user ' if places.is_user else ''}-u oibot -f")
    print(f"Settings, rules and secrets are in {target.config}, data in {target.data}.")


def _config_home() -> Path:
    named = os.environ.get("XDG_CONFIG_HOME", "")
    return Path(named) if named.startswith("/") else Path.home() / ".config"
