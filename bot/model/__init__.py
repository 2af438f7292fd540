"""Values that rooms hand to each other, and the ports that one room declares and another fills.

Rare things are frozen objects; on the hot path between feeds and market travel columnar batches. Nothing here does
I/O, reads a clock or knows a venue.
"""
