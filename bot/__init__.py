"""oibot: open-interest and price alerts for crypto futures.

The rooms, in the order in which data walks through them:

model     values handed from room to room, and the ports
feeds     venues -> updates
market    updates -> time series and windows
rules     YAML and chat text -> compiled conditions -> evaluations
alerts    evaluations -> life of each alert -> what to tell whom
engine    one step of the three above; the same live, replayed, on history and in a test
delivery  outbox -> Telegram, Discord, console
chat      people -> bot
history   recorded and published data through the same engine
storage   the only place that knows SQL
sim       the outside world, ours: a venue and chat servers on loopback
app       composition root
cli       one function per command
"""

__version__ = "0.1.0"
