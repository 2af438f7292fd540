"""What a lane remembers of rows that the database took late."""

from bot.delivery.plans import Form, Plan
from bot.delivery.unstored import Unstored
from bot.model.outbox import Delivered


def test_a_firing_told_from_memory_is_remembered_until_the_database_has_noted_it(make):
    memory, fire, end = Unstored(), make.row(), make.row("end", after_s=60)
    memory.offer(fire)
    memory.settle(Plan((fire,), Form.NEW).message(), Delivered("7"))
    found = memory.fire(fire.key)
    assert found is not None
    assert (found[0].provider_id, found[1]) == ("7", fire.view)

    assert [outcome for _, outcome in memory.stored([fire, end]).values()] == [Delivered("7")]
    memory.noted(but={fire.id})
    assert memory.fire(fire.key) == found, "it was returned, and is not noted yet"
    memory.noted(but=())
    assert memory.fire(fire.key) is None


def test_what_the_database_has_not_taken_is_remembered(make):
    memory, fire, other = Unstored(), make.row(), make.row(symbol="ETHUSDT")
    for row in (fire, other):
        memory.offer(row)
        memory.settle(Plan((row,), Form.NEW).message(), Delivered("7"))
    memory.stored([other])
    memory.noted(but=())
    assert memory.fire(fire.key) is not None
    assert memory.fire(other.key) is None
