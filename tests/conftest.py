"""What all tests share: how thorough the property tests are, and that CI skips nothing."""

import os

import hypothesis
import pytest

IN_CI = os.environ.get("CI") == "true"

# A shared machine has slow moments; how long an example takes is no property of ours. People's runs look for new trouble, CI's
# judge a change: the same examples every time.
hypothesis.settings.register_profile("higgins", deadline=None, derandomize=IN_CI)
hypothesis.settings.load_profile("higgins")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """In CI what was skipped has failed: everything it needs must have been set up."""
    report = yield
    if report.skipped and IN_CI and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
    return report
