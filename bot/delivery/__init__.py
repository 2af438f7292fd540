"""From the outbox to people: one lane per destination, one attempt is one outcome.

Promises that what is committed reaches every healthy destination at least once, in order per alert, and that one bad
destination delays no other. A lane never invents anything: all it tells stands in a row of the outbox. Destinations
never retry, never sleep and never raise for what a chat server answered; no text that leaves them contains a secret.
"""
