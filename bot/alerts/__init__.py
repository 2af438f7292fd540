"""Evaluations -> the life of each alert -> what to tell. Synchronous decisions.

Promises: unknown moves nothing; a clock that ran before a restart goes on from where it stood; the same truths give
the same life, live or replayed. Knows nothing of markets, expressions or storage: it is given truths and numbers, and
gives back changes. Of what is to be told, `muting` says what is told now and what is kept; no life depends on it.
"""
