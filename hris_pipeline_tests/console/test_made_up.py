"""The company of the demo in the console: nobody is asked to finish the setup of made-up people. A file of its own,
because it is about one company's name."""

from typing import Any

from hris_pipeline.contract import MADE_UP
from hris_pipeline.settings.document import Settings
from hris_pipeline_tests.kit.browser import Served, words_of


def test_a_made_up_company_that_was_imported_is_set_up(make: Any, served: Served) -> None:
    browser, acme = served.browser(), make(settings=Settings(display_name=MADE_UP))
    assert "Go on setting up" in words_of(browser.get("/")), "its first import is still to be saved"
    summary = acme.run()
    for path in ("/", "/i/acme", f"/i/acme/imports/{summary.import_id}"):
        text = words_of(browser.get(path))
        assert MADE_UP in text, path
        assert "setup is not finished" not in text, path
        assert "Go on setting up" not in text, path
