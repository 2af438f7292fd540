"""Feeds: venues -> updates.

One folder per venue, each a pure protocol (bytes in, updates out, no await). Shared shells do the I/O: `stream`
(WebSocket), `client` and `poller` (REST). Promises: values leave in our units; a dead or lying feed is noticed by its
silence and told with a reason for people; the venue's limits are kept. Never keeps history, never evaluates a rule,
never raises into its caller for what a venue or a network does.
"""
