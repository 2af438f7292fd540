"""Evaluations -> the life of each alert -> what to tell. Synchronous decisions.

Promises: unknown moves nothing; a clock that ran before a restart goes on from where it stood; the same truths give
the same life, live or replayed. Knows nothing of markets, expressions, destinations or storage: it is given truths and
numbers, and gives back changes.
"""
