"""The rules folder as one thing: rules and destinations that were read at one time and fit each other."""

from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Console

from bot import log
from bot.app.destinations import Plan, plan_of_content
from bot.errors import ConfigError
from bot.market.market import Market
from bot.rules import plan as compiling
from bot.rules.files import folder_mark, read_folder
from bot.rules.loader import RuleSet, load_content, load_folder
from bot.rules.problems import Problem
from bot.rules.surroundings import Surroundings
from bot.settings import Settings


@dataclass(frozen=True, slots=True)
class Loaded:
    """Rules and destinations, and the files they were read from."""

    rules: RuleSet
    plan: Plan
    texts: Mapping[str, str]
    """Name and text of each rule file that could be read."""
    digest: str
    """Of the content of all files."""
    mark: str
    """Of the files as they lay there, see `folder_mark`."""

    @property
    def errors(self) -> tuple[Problem, ...]:
        """In rules and destinations, sorted by place."""
        of_plan = [problem for problem in self.plan.problems if problem.is_error]
        return tuple(sorted([*of_plan, *self.rules.errors]))


def load(settings: Settings, *, plan: Plan | None = None, asks_secrets: bool = True) -> Loaded:
    """What is in the folder now. `plan`: destinations that no file describes; else they are read with the rules."""
    mark = folder_mark(settings.rules_dir)
    content = read_folder(settings.rules_dir)
    plan = plan or plan_of_content(settings, content, asks_secrets=asks_secrets)
    rules = load_content(content, destinations=plan.names)
    return Loaded(rules, plan, content.texts, content.digest, mark)


def load_rules(settings: Settings, plan: Plan, *, surroundings: Surroundings | None = None) -> RuleSet:
    """The rule set of the settings' folder; raises `ConfigError` when there is none at all.

    With `surroundings`, it is also looked at in the world it runs in, which only adds warnings.
    """
    require_folder(settings)
    return load_folder(settings.rules_dir, destinations=plan.names, surroundings=surroundings)


def require_folder(settings: Settings) -> None:
    """Raise `ConfigError` where there is no folder of rules."""
    folder = settings.rules_dir.absolute()
    try:
        is_there = folder.is_dir()
    except OSError as error:
        raise ConfigError(f"OIBOT_RULES_DIR: cannot look into {folder}: {error.strerror}") from error
    if not is_there:
        raise ConfigError(f"OIBOT_RULES_DIR: expected a folder with rule files, found none at {folder}")


def say_problems(rules: RuleSet, console: Console) -> None:
    """At the start: each problem into the log, and that there are errors to whoever looks at the terminal."""
    logger = log.get("bot")
    for problem in rules.problems:
        say = logger.error if problem.is_error else logger.warning
        say("rules.problem", at=f"{problem.file}:{problem.line}:{problem.column}", text=problem.message)
    if rules.errors:
        console.print(
            f"Errors in the rules: {len(rules.errors)}; rules that watch: {len(rules.rules)}. "
            "`oibot lint` shows what is wrong.",
            style="yellow",
            highlight=False,
            markup=False,
        )


def refusals(wanted: Loaded, running: Loaded) -> tuple[Problem, ...]:
    """Why a set must not take the place of the one that runs, sorted by place; empty where it may.

    Everything that could fail is done here, on a market without contracts, so that the change itself cannot.
    """
    errors = wanted.errors
    if not errors:
        errors = _accidents(wanted, running)
    if not errors:
        compiling.Plan(wanted.rules.rules, Market())
    return errors


def _accidents(wanted: Loaded, running: Loaded) -> tuple[Problem, ...]:
    """What nobody means: a file that was cut to nothing, a folder from which the files have gone."""
    hint = "to switch rules off, write enabled: false or remove the file"
    emptied = [
        Problem(name, 1, 1, "E120", "the file is empty; it had rules before", hint=hint)
        for name, text in wanted.texts.items()
        if not text.strip() and running.texts.get(name, "").strip()
    ]
    if emptied or not running.rules.rules or wanted.rules.rules:
        return tuple(emptied)
    hint = "to switch all rules off, write enabled: false into each"
    return (Problem("rules", 1, 1, "E120", "not one rule would be left", hint=hint),)
