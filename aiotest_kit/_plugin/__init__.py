"""The pytest plugin: what its fixtures and hooks do. The fixtures themselves are in `aiotest_kit.fixtures`.

`hooks` has the hooks and options, `settings` what a marker and the ini file say, `strictness` what a test
owes its mocks, `state` what is kept for a test while it runs. `loops`, `loop_fixtures` and `pytest_asyncio`
find the loop of a test. `upstreams`, `stub_clients`, `wide_fixtures` and `wide_routers` are what fixtures
of each kind do; `leak_hooks` is the leak check. `registration` and `with_hooks` see to it that all of it is
registered once.
"""
