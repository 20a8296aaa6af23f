"""The pure parts of routing: spellings of numbers and commands, and what start-up refuses."""

from __future__ import annotations

from datetime import datetime

import pytest

from bot.app import SERVICES, build_router
from bot.errors import RefusedInput
from bot.messages import Inbound, Kind
from bot.permissions import Role
from bot.router import Call, CaseNumber, Router, Words, named_number, parse_number, split_arguments, split_command, wants_of
from bot.say import Say
from bot.turn import Turn


@pytest.fixture(scope="module")
def router() -> Router:
    return build_router()


@pytest.mark.parametrize(
    "spelling", ["2611-0042", "26110042", "2611 0042", "２６１１－００４２", "2611—0042", "编号2611-0042。", "#2611_0042"]
)
def test_a_number_has_many_spellings(spelling: str) -> None:
    assert parse_number(spelling) == "2611-0042"


@pytest.mark.parametrize("text", ["", "2613-0042", "2600-0042", "13812345678", "2611-004", "126110042123", "号"])
def test_these_are_no_numbers(text: str) -> None:
    assert parse_number(text) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2611-0042 又坏了", "2611-0042"),
        ("关于２６１１－００４２", "2611-0042"),
        ("电表号25101234", None),
        ("2611-0042-7", None),
        ("打0512-66012345", None),
        ("2026-11-23", None),
    ],
)
def test_in_free_words_a_number_needs_its_dash(text: str, number: str | None) -> None:
    assert named_number(text) == number


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("/接单 2611-0042", ("接单", "2611-0042")),
        ("／接单　2611-0042", ("接单", "2611-0042")),
        (" / TAKE 1", ("take", "1")),
        ("/take@qianshao_bot 1", ("take", "1")),
        ("\u200b/查", ("查", "")),
        ("/问 第一行\n第二行", ("问", "第一行\n第二行")),
        ("接单 2611-0042", None),
        ("他说/接单", None),
        ("/", None),
        ("", None),
    ],
)
def test_splitting_a_command(text: str, parts: tuple[str, str] | None) -> None:
    assert split_command(text) == parts


@pytest.mark.parametrize(
    ("text", "name", "rest"),
    [
        ("/接单2611-0042", "接单", "2611-0042"),
        ("/查2611-0042", "查", "2611-0042"),
        ("/问WiFi怎么装", "问", "WiFi怎么装"),
        ("/回复26110042 好的", "回复", "26110042 好的"),
        ("/take2611-0042", "接单", "2611-0042"),
        ("/Help", "帮助", ""),
        ("/绑定１２３４５６７８", "绑定", "12345678"),
        ("/查，2611-0042", "查", "，2611-0042"),
    ],
)
def test_a_command_without_a_blank(router: Router, text: str, name: str, rest: str) -> None:
    found = router.find_command(text)
    assert isinstance(found, Call)
    assert (found.command.name, found.rest) == (name, rest)


@pytest.mark.parametrize(
    ("text", "name", "rest"),
    [
        ("/幫助", "帮助", ""),
        ("/待辦", "待办", ""),
        ("/統計 上個月。", "统计", "上个月"),
        ("/我的數據", "我的数据", ""),
        ("／　帮助", "帮助", ""),
        ("／　線索　青松１２３。", "线索", "青松123"),
        ("/接單2611-0042", "接单", "2611-0042"),
        ("/回覆 2611-0042 已經修好，請查看。", "回复", "2611-0042 已經修好，請查看。"),
        ("/查。", "查", ""),
        ("/帮助！", "帮助", ""),
        ("/值班。", "值班", ""),
        ("/停止 3。", "停止", "3"),
        ("/設口令 。", "设口令", "。"),
    ],
)
def test_other_spellings_are_the_same_command(router: Router, text: str, name: str, rest: str) -> None:
    found = router.find_command(text)
    assert isinstance(found, Call)
    assert (found.command.name, found.rest) == (name, rest)


@pytest.mark.parametrize("text", ["/查询一下", "/问候", "/helpme", "/微笑", "/addition", "/" + "好" * 20_000])
def test_another_word_is_no_command(router: Router, text: str) -> None:
    assert isinstance(router.find_command(text), str)


def test_every_command_has_both_names_a_line_of_help_and_is_found_by_them(router: Router) -> None:
    for command in router.commands.values():
        assert command.alias.isascii()
        assert not command.name.isascii()
        assert command.about
        for word in (command.name, command.alias):
            found = router.find_command(f"/{word}")
            assert isinstance(found, Call)
            assert found.command is command
        assert all(isinstance(role, Role) for role in command.needs)


def test_arguments_come_from_the_text_or_from_the_quoted_card(router: Router) -> None:
    def split(text: str, quoted: str | None = None) -> tuple[str | None, str]:
        found = router.find_command(text)
        assert isinstance(found, Call)
        return split_arguments(found, CaseNumber(quoted) if quoted else None)

    assert split("/办结 2611－0042：路灯换了") == ("2611-0042", "路灯换了")
    assert split("/办结 路灯换了3盏", "2611-0042") == ("2611-0042", "路灯换了3盏")
    assert split("/办结 2611-0007 路灯换了", "2611-0042") == ("2611-0007", "路灯换了")
    assert split("/查") == (None, "")
    assert split("/接單　２６１１－００４２。") == ("2611-0042", "")
    assert split("/办结 2611-0042。路灯换了。") == ("2611-0042", "路灯换了。")
    assert split("/帮助 2611-0042") == (None, "2611-0042")
    with pytest.raises(RefusedInput):
        split("/办结 路灯换了")


def test_the_whole_table_can_be_served(router: Router) -> None:
    router.check((*Turn.KNOWN, *router_services()))
    with pytest.raises(TypeError, match="asks for"):
        router.check(Turn.KNOWN)  # the control: the services are asked for


def router_services() -> tuple[type, ...]:
    return SERVICES


def test_a_handler_that_asks_for_the_unknown_is_refused_at_start() -> None:
    table = Router()

    @table.intent("hazard")
    def wrong(message: Inbound, weather: datetime, oracle: Router) -> None: ...

    with pytest.raises(TypeError, match=r"wrong asks for oracle: Router"):
        table.check(Turn.KNOWN)


def test_an_annotation_that_is_no_class_is_refused_at_start() -> None:
    def wrong(lines: list[str]) -> None: ...

    with pytest.raises(TypeError, match="parameter lines needs a plain class"):
        wants_of(wrong)


def test_two_handlers_for_one_place_are_refused() -> None:
    def one(say: Say) -> None: ...
    def two(words: Words, say: Say) -> None: ...

    for register in (
        lambda table, handler: table.command("接单", "take", about="x")(handler),
        lambda table, handler: table.intent("hazard")(handler),
        lambda table, handler: table.dialog("place")(handler),
        lambda table, handler: table.timer("alarm")(handler),
        lambda table, handler: table.special("danger")(handler),
    ):
        first, second = Router("a"), Router("b")
        register(first, one)
        with pytest.raises(ValueError, match="two handlers"):
            register(first, two)
        register(second, two)
        with pytest.raises(ValueError, match="two handlers"):
            first.include(second)


def test_an_alias_cannot_be_taken_twice() -> None:
    table = Router()
    table.command("接单", "take", about="x")(lambda: None)
    with pytest.raises(ValueError, match="'take'"):
        table.command("接手", "take", about="x")(lambda: None)


def test_several_handlers_may_hear_of_one_event() -> None:
    first, second = Router("a"), Router("b")
    first.on(Kind.JOINED)(lambda: None)
    second.on(Kind.JOINED)(lambda: None)
    first.include(second)
    assert len(first.events[Kind.JOINED]) == 2
    assert len(list(first.all_handlers())) == 2
