"""What no text of the kit shows: tokens, passwords, cookies and their like, by name and by shape.

Read `names` (which names have secret values) and `shapes` (which values are secret whatever their name is),
then `spans` (where secrets are in a text), then `masking`, which replaces them, in texts and in values that
are to become texts. Knows text and plain values. Knows nothing of requests, routes and pytest.
"""
