"""The bot's own condition over HTTP: health and metrics for whoever watches over it, and a ping to a dead-man's switch.

Promises: listens only where it was told to, answers only to host names it knows, changes nothing, and shows no secret.
Never computes anything by itself: what it answers it is given.
"""
