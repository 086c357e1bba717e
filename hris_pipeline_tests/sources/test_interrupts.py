"""An interrupt is heard within two seconds, whatever is being waited for; what may not be cut is finished first."""

import signal
import subprocess
import sys
import textwrap
import time

import pytest

READING = """
    import sys
    from hris_pipeline.sources.http import FixedToken
    from hris_pipeline.sources.partner_api import PartnerApi

    source = PartnerApi(sys.argv[1], FixedToken("t"), integration_id="acme")
    print("ready", flush=True)
    try:
        for page in source.pages(custom_fields=True):
            print("page", flush=True)
    finally:
        source.close()
"""

RENEWING = """
    import time
    from hris_pipeline.sources.pacing import uninterrupted

    def renew():
        print("ready", flush=True)
        time.sleep(0.7)
        print("stored", flush=True)

    uninterrupted(renew)
"""


def started(code: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(code), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("slow", ["silent", "throttled", "details"])
def test_reading_ends_within_two_seconds_of_an_interrupt(slow: str) -> None:
    from hris_pipeline.sandbox import running

    fault = {
        "silent": "slow:seconds=60,path=/v1/members",
        "throttled": "rate_limited:retry_after=100,path=/v1/members",
        "details": "slow:seconds=60,path=/v1/members/",
    }[slow]
    with running(30, faults=[fault]) as sandbox:
        tokens = sandbox.world.tokens.exchange(sandbox.authorize(), "http://127.0.0.1:8765/callback")
        assert tokens is not None
        process = started(READING.replace('"t"', repr(tokens["access_token"])), sandbox.url)
        time.sleep(1.5)
        assert process.poll() is None
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        process.wait(60)
        assert time.monotonic() - began < 20, "two seconds for people; a busy machine is given more"
        process.communicate()


def test_what_may_not_be_cut_is_finished_first() -> None:
    process = started(RENEWING)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=20)
    assert output == "stored\n"
