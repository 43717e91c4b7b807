"""Tasks, waiting and event loops, with everything of asyncio that its documentation does not promise.

`tasks` begins and ends tasks on the loop that they belong to; `waiters` and `gate` let somebody wait for
something; `lifespan` is the life of an app that ends before its loop does. `loops` tells what a loop has
open, `lookups` what it resolves, `loop_thread` runs one beside the test. `patching` replaces a function for
a while. Knows nothing of HTTP.
"""
