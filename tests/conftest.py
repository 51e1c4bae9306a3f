"""What all tests share: how thorough the property tests are, and that CI skips nothing."""

import os
import signal

import hypothesis
import pytest

IN_CI = os.environ.get("CI") == "true"

# A shared machine has slow moments; how long an example takes is no property of ours. People's runs look for new trouble, CI's
# judge a change: the same examples every time.
hypothesis.settings.register_profile("higgins", deadline=None, derandomize=IN_CI)
hypothesis.settings.load_profile("higgins")


# A shell has what it runs in the background ignore an interrupt, and what is started from there inherits that.
for number in (signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number is signal.SIGINT else signal.SIG_DFL)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """In CI what was skipped has failed: everything it needs must have been set up."""
    report = yield
    if report.skipped and IN_CI and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
    return report
