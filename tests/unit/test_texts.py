"""Texts and their catalogues: what stands in the code is in the template, and translations fit what they stand for."""

import ast
import asyncio
import io
import re
import string
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po

from bot.texts import ENGLISH, LANGUAGES, catalogue, language_of, say, say_as, say_n, speaking
from tests import texts

BABEL = {"say": None, "say_n": (1, 2), "say_as": ((1, "c"), 2), "mark": None}
COMMAND = re.compile(r"(?<![\w/])/[a-z]+\b")


@pytest.fixture(scope="module")
def made():
    return texts.files()


def fields(text):
    """Placeholders with their formats."""
    return {(name, spec) for _, name, spec, _ in string.Formatter().parse(text) if name is not None}


def is_made(arg):
    """Whether a text is more than a literal or a name."""
    if isinstance(arg, ast.IfExp):
        return any(isinstance(one, ast.Constant) or is_made(one) for one in (arg.body, arg.orelse))
    return isinstance(arg, ast.JoinedStr | ast.BinOp)


def ids(message):
    """One text, or one and many."""
    return message.id if isinstance(message.id, tuple) else (message.id,)


def strings(message):
    """What it is translated to, in each form; empty where it is not."""
    found = message.string if isinstance(message.string, tuple) else (message.string,)
    return tuple(text for text in found if text)


def messages(language):
    return [message for message in texts.read(language) if message.id]


def test_what_is_checked_in_follows_the_code(made):
    """Else `make texts` was forgotten."""
    assert [path.name for path, content in made.items() if path.read_bytes() != content] == []


def test_every_text_of_the_code_is_in_the_template():
    """By another way than that by which the template is made."""
    template = {id_ for message in read_po(io.BytesIO(texts.TEMPLATE.read_bytes())) for id_ in ids(message)}
    found = set()
    for path in (texts.ROOT / "bot").rglob("*.py"):
        if "from bot.texts import" in path.read_text(encoding="utf-8"):
            for _, text, _, _ in extract_from_file("python", path, keywords=BABEL):
                found |= set(text) if isinstance(text, tuple) else {text}
    assert len(found) > 800
    assert found - template == set()


def test_no_text_is_put_together_before_it_is_said():
    """It could not be found in a catalogue."""
    odd = [
        f"{path}:{call.lineno}"
        for path, name, call in texts.calls()
        if any(is_made(arg) for arg in call.args[: texts.SAYING[name]])
    ]
    assert odd == []


def test_the_values_of_a_text_are_its_placeholders():
    odd = []
    for path, name, call in texts.calls():
        said = texts.literals(name, call)
        given = {keyword.arg for keyword in call.keywords} | ({"n"} if name == "say_n" else set())
        if said and name != "mark" and given:
            named = {field for field, _ in fields(said[-1])}
            odd += [f"{path}:{call.lineno}: {named ^ given}"] if named != given else []
    assert odd == []


@pytest.mark.parametrize("language", texts.TRANSLATED)
def test_a_translation_has_the_placeholders_of_its_text(language):
    odd = []
    for message in messages(language):
        text = ids(message)[-1]
        odd += [(text, said) for said in strings(message) if fields(said) != fields(text)]
    assert odd == []


@pytest.mark.parametrize("language", texts.TRANSLATED)
def test_a_translation_leaves_commands_and_lines_alone(language):
    """Commands are typed as they stand."""
    odd = []
    for message in messages(language):
        text = ids(message)[-1]
        odd += [(text, said) for said in strings(message) if COMMAND.findall(said) != COMMAND.findall(text)]
        odd += [(text, said) for said in strings(message) if said.count("\n") != text.count("\n")]
    assert odd == []


@pytest.mark.parametrize("language", texts.TRANSLATED)
def test_a_catalogue_has_as_many_forms_as_its_language(language):
    n = catalogue(language).texts
    forms = {n.ngettext("{n} coin", "{n} coins", k) for k in (0, 1, 2, 5, 11, 100)}
    assert len(forms) == texts.read(language).num_plurals


def test_english_is_spoken_where_nobody_chose():
    assert say("Market") == "Market"
    assert say_n("{n} coin", "{n} coins", 1) == "1 coin"
    assert say_n("{n} coin", "{n} coins", 2) == "2 coins"
    with speaking("tlh"):
        assert say("Market") == "Market"
    with speaking(""):
        assert say("Market") == "Market"


def test_a_language_is_spoken_within_and_no_longer():
    with speaking("zh"):
        assert say("Market") == "全市场"
        assert say_n("{n} coin", "{n} coins", 1) == "1 个币"
        with speaking(ENGLISH):
            assert say("Market") == "Market"
        assert say("Market") == "全市场"
    assert say("Market") == "Market"


def test_what_has_no_translation_stays_english():
    with speaking("zh"):
        assert say("no such text: {x}", x=1) == "no such text: 1"
        assert say_as("verb", "no such text") == "no such text"
        assert say("") == ""


async def test_tasks_do_not_hear_each_other():
    heard = {}

    async def talk(language):
        with speaking(language):
            for _ in range(3):
                await asyncio.sleep(0)
                heard.setdefault(language, set()).add(say("Market"))

    await asyncio.gather(talk("zh"), talk(ENGLISH))
    assert heard == {"zh": {"全市场"}, ENGLISH: {"Market"}}


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("zh", "zh"),
        ("ZH-hans", "zh"),
        ("zh_CN", "zh"),
        ("中文", "zh"),
        ("chinese", "zh"),
        (" English ", "en"),
        ("en-GB", "en"),
        ("klingon", None),
        ("", None),
    ],
)
def test_a_language_is_known_by_code_and_names(typed, code):
    assert language_of(typed) == code


def test_each_language_has_a_catalogue():
    assert {path.stem for path in texts.FOLDER.glob("*.mo")} == set(LANGUAGES) - {ENGLISH}


def test_a_catalogue_takes_from_another_what_it_lacks():
    ours, theirs = texts.Texts(locale="zh"), texts.Texts(locale="zh")
    for catalog, said in ((ours, ("甲", "", ("",))), (theirs, ("乙", "二", ("三",)))):
        for text, translated in zip(("one", "two", ("{n} three", "{n} threes")), said, strict=True):
            catalog.add(text, translated)
    theirs.add("gone", "无")
    assert texts.fill(ours, theirs) == 2
    assert [(ids(m)[0], strings(m)) for m in ours if m.id] == [
        ("one", ("甲",)),
        ("two", ("二",)),
        ("{n} three", ("三",)),
    ]


def test_the_recipe_for_a_language_names_what_is_there():
    guide = (Path(texts.ROOT) / "docs" / "languages.md").read_text(encoding="utf-8")
    assert all(f"`{code}`" in guide and names[0] in guide for code, names in LANGUAGES.items())
    assert "make texts" in guide
