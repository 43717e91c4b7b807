"""Everything of aiohttp that its documentation does not promise, and nothing else.

Each function is one seam: it names the versions of aiohttp that it was checked on, and has a test that says
"aiohttp moved X" where a release changes it. `client` has what is asked of sessions and calls under way;
`connectors` the connectors that lead to a door, with `stand_ins` for those that a user made and `resolvers`
for names; `server` and `app_state` the web server and its applications; `test_utils` the server and client
for tests.
"""
