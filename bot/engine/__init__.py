"""One step of market, rules and alerts together: samples in, changes out.

The same engine runs live, over a journal, over published history and in a rule's unit test; only who feeds it differs.
It is synchronous, gets every time as an argument, and what it consumed and when fixes what it answers.
"""
