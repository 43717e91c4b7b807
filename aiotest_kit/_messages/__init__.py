"""What the kit says: its exceptions, the words that all texts share, and what no text shows.

`exceptions` has the public exceptions and warnings, `wording` phrases and values in one line. Of secrets
(tokens, passwords, cookies and their like), read `names` (which names have secret values) and `shapes` (which
values are secret whatever their name is), then `spans` (where they are in a text), then `masking`, which
replaces them. Knows text and plain values. Knows nothing of requests, routes and pytest.
"""
