"""Composition root: settings -> objects, who runs under whom, how the process starts and stops.

The only room that knows all others. Crash and restart share one path: everything that matters is in the database.
"""
