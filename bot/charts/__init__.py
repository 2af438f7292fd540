"""Series to pictures, in a process of their own.

Promises: the same data gives the same picture; no chart holds up the event loop, and whatever a drawing does (hang, crash, eat
memory) costs that one chart. Only `figure` and what it is made of import matplotlib, and only the worker imports `figure`.
Never: fetches data, decides who is told.
"""
