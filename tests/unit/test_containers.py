"""The Dockerfile and the compose file, read as their tools would read them: nothing here needs a daemon."""

import fnmatch
import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from typer.main import get_command

from bot import settings
from bot.cli.main import app_of

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = YAML(typ="safe").load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SERVICE = COMPOSE["services"]["oibot"]

KNOWN_TOP = {"name", "services", "volumes", "secrets", "networks", "configs"}
KNOWN_SERVICE = {
    "build", "cap_drop", "command", "entrypoint", "env_file", "environment", "healthcheck", "image", "init", "logging",
    "mem_limit", "pids_limit", "ports", "read_only", "restart", "secrets", "security_opt", "stop_grace_period",
    "stop_signal", "tmpfs", "user", "volumes",
}  # fmt: skip
"""Of the Compose specification, what this file may use: a misspelt key would be refused, or passed over, elsewhere."""


@dataclass(frozen=True)
class Step:
    """One instruction of one stage."""

    stage: int
    name: str
    value: str


def steps() -> list[Step]:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    found, stage = [], -1
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, value = line.partition(" ")
        stage += name == "FROM"
        found.append(Step(stage, name, value.strip()))
    return found


STEPS = steps()
LAST = [step for step in STEPS if step.stage == STEPS[-1].stage]


def one(name: str) -> str:
    [step] = [step for step in LAST if step.name == name]
    return step.value


def copied() -> list[tuple[str, str]]:
    """Sources of the build context, and where they go."""
    found = []
    for step in STEPS:
        if step.name == "COPY" and not step.value.startswith("--from="):
            *sources, target = shlex.split(step.value)
            found += [(source, target) for source in sources]
    return found


def is_sent(path: str) -> bool:
    """Whether `.dockerignore` lets the path into the build context: the last line that matches decides."""
    sent = True
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").split():
        pattern = line.removeprefix("!")
        if fnmatch.fnmatch(path, pattern) or path.split("/")[0] == pattern:
            sent = line.startswith("!")
    return sent


def commands() -> set[str]:
    return set(get_command(app_of()).commands)


def seconds(text: str) -> float:
    units = {"s": 1, "m": 60, "h": 3600}
    assert re.fullmatch(r"(\d+[smh])+", text), text
    return sum(int(n) * units[unit] for n, unit in re.findall(r"(\d+)([smh])", text))


def test_everything_that_is_copied_is_there_and_sent_to_the_builder():
    assert len(copied()) >= 6
    for source, _ in copied():
        assert (ROOT / source).exists(), source
        assert is_sent(source), f"{source} is kept back by .dockerignore"


@pytest.mark.parametrize("secret", [".env", "data/oibot.db", "deploy/secrets/telegram__token", ".git/config"])
def test_nothing_private_is_sent_to_the_builder(secret):
    assert not is_sent(secret)
    assert not any(secret.startswith(source) for source, _ in copied())


def test_what_is_installed_is_locked_and_nothing_is_downloaded_afterwards():
    installs = [s.value for s in STEPS if s.name == "RUN" and "pip install" in s.value]
    assert len(installs) == 2
    assert "--require-hashes -r requirements.lock -r build.lock" in installs[0]
    assert "--no-deps --no-build-isolation ." in installs[1]
    assert all("curl" not in s.value and "apt-get" not in s.value for s in STEPS)


def test_locks_that_are_installed_together_agree_on_every_package():
    """One call of pip takes no two versions of a package."""
    pin = re.compile(r"^([\w.-]+)==(\S+)", re.MULTILINE)
    to_run, to_build = (
        set(pin.findall((ROOT / lock).read_text(encoding="utf-8"))) for lock in ("requirements.lock", ".ci/build.lock")
    )
    shared = {name for name, _ in to_run} & {name for name, _ in to_build}
    assert {one for one in to_build if one[0] in shared} - to_run == set()


def test_it_runs_as_nobody_special_in_a_folder_that_belongs_to_it():
    user = one("USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user), "in numbers, so that a cluster can see that it is not root"
    [make] = [s.value for s in LAST if s.name == "RUN"]
    assert f"chown {user} /data" in make
    assert one("VOLUME") == "/data"
    order = [s.name for s in LAST]
    assert order.index("RUN") < order.index("USER")


def test_it_starts_stops_and_is_looked_after_by_commands_that_exist():
    assert json.loads(one("ENTRYPOINT")) == ["oibot"]
    [command] = json.loads(one("CMD"))
    assert command in commands()
    assert one("STOPSIGNAL") == "SIGTERM"
    program, argument = json.loads(one("HEALTHCHECK").partition("CMD ")[2])
    assert program == "oibot"
    assert argument in commands()


def test_every_setting_that_the_image_makes_is_one():
    names = [pair.partition("=")[0] for pair in shlex.split(one("ENV"))]
    assert {"OIBOT_DATA_DIR", "OIBOT_RULES_DIR"} <= set(names)
    assert {n for n in names if n.startswith("OIBOT_")} <= known_settings()


def known_settings() -> set[str]:
    return {f"OIBOT_{name.upper()}" for name in settings.Settings.model_fields} | {"OIBOT_SECRETS_DIR"}


def test_the_base_image_has_a_python_that_the_bot_runs_on():
    bases = {s.value.split()[0] for s in STEPS if s.name == "FROM"}
    [base] = bases
    name, _, tag = base.partition(":")
    assert name == "python"
    assert tuple(map(int, tag.split("-")[0].split("."))) >= (3, 11)


# -- compose -----------------------------------------------------------------------------------------------------------


def test_every_key_is_one_of_the_specification():
    assert set(COMPOSE) <= KNOWN_TOP
    assert set(SERVICE) <= KNOWN_SERVICE
    assert set(SERVICE["healthcheck"]) <= {"test", "interval", "timeout", "retries", "start_period", "start_interval"}


def test_it_may_do_nothing_that_it_need_not():
    assert SERVICE["user"] == one("USER")
    assert SERVICE["read_only"] is True
    assert SERVICE["cap_drop"] == ["ALL"]
    assert SERVICE["security_opt"] == ["no-new-privileges:true"]
    assert SERVICE["pids_limit"] <= 256
    assert re.fullmatch(r"\d+m", SERVICE["mem_limit"])
    assert all(mount.startswith("/tmp:") and "size=" in mount for mount in SERVICE["tmpfs"])
    assert "ports" not in SERVICE


def test_only_data_can_be_written_and_it_outlives_the_container():
    mounts = [volume.split(":") for volume in SERVICE["volumes"]]
    writable = [mount for mount in mounts if mount[2:] != ["ro"]]
    assert writable == [["data", "/data"]]
    assert "data" in COMPOSE["volumes"]
    assert SERVICE["environment"]["OIBOT_DATA_DIR"] == "/data"
    for source, target, *_ in (m for m in mounts if m not in writable):
        assert (DEPLOY / source).resolve().is_dir(), source
        assert target == SERVICE["environment"]["OIBOT_RULES_DIR"]


def test_secrets_are_files_of_names_that_the_settings_know():
    assert SERVICE["environment"]["OIBOT_SECRETS_DIR"] == "/run/secrets"
    for name in SERVICE["secrets"]:
        section, _, field = name.partition("__")
        assert field in settings.Settings.model_fields[section].annotation.model_fields
        source = (DEPLOY / COMPOSE["secrets"][name]["file"]).resolve()
        ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
        assert f"{source.parent.relative_to(ROOT)}/" in ignored, "or they would be committed"
    assert not any("TOKEN" in name or "WEBHOOK" in name for name in SERVICE["environment"])
    assert set(SERVICE["environment"]) <= known_settings()


def test_it_is_built_from_this_project_and_reads_its_settings():
    assert (DEPLOY / SERVICE["build"]["context"] / "Dockerfile").resolve() == ROOT / "Dockerfile"
    [env_file] = SERVICE["env_file"]
    assert (DEPLOY / env_file["path"]).resolve() == ROOT / ".env"
    assert env_file["required"] is False


def test_health_is_the_age_of_the_pipeline_as_in_the_image():
    health = SERVICE["healthcheck"]
    assert health["test"] == ["CMD", "oibot", "health"]
    image = dict(re.findall(r"--([\w-]+)=(\S+)", one("HEALTHCHECK")))
    for key in ("interval", "timeout"):
        assert seconds(health[key]) == seconds(image[key])
    assert seconds(health["start_period"]) == seconds(image["start-period"])
    assert health["retries"] == int(image["retries"])


def test_it_has_time_to_stop_is_started_again_and_cannot_fill_the_disk_with_logs():
    assert seconds(SERVICE["stop_grace_period"]) > 10
    assert SERVICE["stop_signal"] == one("STOPSIGNAL")
    assert SERVICE["restart"] == "unless-stopped"
    options = SERVICE["logging"]["options"]
    assert re.fullmatch(r"\d+m", options["max-size"])
    assert options["max-file"] == str(int(options["max-file"])), "a string, or Docker refuses it"
