"""What a scrape is told, from the parts that count it."""

from types import SimpleNamespace

from bot.app.metric_families import of_delivery
from bot.delivery.lanes import LaneStatus
from bot.model.histogram import WAIT_S, Histogram


def lane(name: str, **counts: int) -> LaneStatus:
    zero = dict.fromkeys(("delivered", "retried", "ambiguous", "buried", "plain", "told"), 0)
    return LaneStatus(
        name=name, dead_reason=None, paused_s=0.0, failing_s=0.0, turned_s=None, latency_s=Histogram(WAIT_S),
        **zero | counts,
    )  # fmt: skip


def test_messages_that_went_on_as_plain_text_are_counted_by_destination():
    parts = SimpleNamespace(
        lanes=SimpleNamespace(status=lambda: (lane("main", plain=2, delivered=5), lane("other", delivered=3))),
        live=SimpleNamespace(fire_s=Histogram(WAIT_S)),
    )
    samples = [sample for metric in of_delivery(parts, None) for sample in metric.samples]
    found = {s.labels["sink"]: s.value for s in samples if s.name == "oibot_send_plain_total"}
    assert found == {"main": 2, "other": 0}
