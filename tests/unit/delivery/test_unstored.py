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


def test_news_that_the_database_never_has_are_forgotten_once_they_are_told(make):
    memory, fire, news = Unstored(), make.row(), make.row(symbol="ETHUSDT")
    memory.offer(fire)
    memory.offer(news, is_news=True)
    memory.settle(Plan((fire, news), Form.NEW).message(), Delivered("7"))
    assert memory.pending() == []
    assert memory.fire(fire.key) is not None
    assert memory.fire(news.key) is None

    memory.offer(news, is_news=True)
    assert memory.pending() == [news], "as nothing is known of it any more"
    memory.withdraw(news.id)
    assert memory.pending() == []
