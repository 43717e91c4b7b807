"""The suites that some tests write and run, and the loop that all of them run on."""

pytest_plugins = ["pytester", "tests.support.loops"]
