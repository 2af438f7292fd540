"""Very many alerts are taken at once; what comes of it is what one by one gives."""

import pytest

from bot.alerts.narrow import ChatColumn
from bot.alerts.slot_table import SlotTable, id_of, number_of, numbers_of

NUMBERS = [0, 1, 31, 32, (1 << 30) - 1, 1 << 30, (1 << 30) + 7, 0x9E3779B97F & ((1 << 40) - 1), (1 << 40) - 1]


def test_ids_of_a_batch_are_read_as_each_alone():
    ids = [id_of(number) for number in NUMBERS]
    assert numbers_of(ids).tolist() == NUMBERS == [number_of(alert_id) for alert_id in ids]
    assert numbers_of([]).tolist() == []


@pytest.mark.parametrize(
    "odd", ["a-0000000", "a-000000000", "b-00000000", "a-0000000i", "a-0000000é", "a-000000é", "a-0000_000"]
)
def test_what_is_no_id_is_named_among_many(odd):
    with pytest.raises(ValueError, match=odd):
        numbers_of([id_of(1), odd, id_of(2)])


@pytest.mark.parametrize("order", [NUMBERS, NUMBERS[::-1], [*NUMBERS[3:], *NUMBERS[:3]]])
def test_slots_added_together_are_found_like_those_added_one_by_one(order):
    numbers: list[int] = []
    table = SlotTable(numbers.__getitem__)
    numbers.append(33)
    table.add(0)
    numbers.extend(order)
    table.add_all(1, numbers_of([id_of(number) for number in order]))
    assert len(table) == len(order) + 1
    assert [table.get(number) for number in numbers] == list(range(len(numbers)))
    assert table.get(34) is None
    assert table.pop(order[0]) == 1
    assert table.get(order[0]) is None


def test_a_number_that_is_there_is_refused_in_a_batch():
    numbers = [5, 4, 5]
    table = SlotTable(numbers.__getitem__)
    table.add(0)
    with pytest.raises(KeyError, match="is there already"):
        table.add_all(1, numbers_of([id_of(4), id_of(5)]))


def test_chats_come_back_as_they_were_named():
    chats = ["telegram:1", "telegram:-1001234567890", "telegram:0", "telegram:-9", "telegram:" + "9" * 17]
    others = [
        "terminal",
        "telegram:007",
        "telegram:+5",
        "telegram: 5",
        "telegram:1_0",
        "telegram:٣",
        "",
        "5",
        "telegram:",
        "telegram:-0",
    ]
    long = ["telegram:" + "9" * 18, "telegram:-" + "9" * 18]
    for names in (chats, [*chats, *others, *long, *others], [*long, "telegram:4"]):
        together, alone = ChatColumn(), ChatColumn()
        together.extend(names)
        for name in names:
            alone.append(name)
        assert [together[slot] for slot in range(len(names))] == names == [alone[slot] for slot in range(len(names))]
