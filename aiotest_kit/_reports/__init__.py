"""Why a test failed, as text. Pure functions: nothing here decides whether it did.

`near_misses` ranks what came nearest to a request or a route; `hints` names likely confusions; `text` lays
out values and columns. `unmet` words what strictness complains of, `comparison` what differs from a
matcher, `call_log` lists calls.
"""
