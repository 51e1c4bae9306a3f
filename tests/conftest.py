"""What all tests share: how thorough the property tests are, and that CI skips nothing."""

import os

import hypothesis
import pytest

# A shared machine has slow moments; how long an example takes is no property of ours.
hypothesis.settings.register_profile("higgins", deadline=None)
hypothesis.settings.load_profile("higgins")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """In CI what was skipped has failed: everything it needs must have been set up."""
    report = yield
    if report.skipped and os.environ.get("CI") == "true" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
    return report
