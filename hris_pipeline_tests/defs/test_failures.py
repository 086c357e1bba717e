"""What Dagster is shown of an error: this project's own words, or only its kind; never what caused it."""

import errno

import pytest

from hris_pipeline.defs.failures import redacted_errors
from hris_pipeline.errors import HrisError, MachineError, SourceRefused


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (OSError(errno.ENOSPC, "Zoë"), MachineError, "change_set failed: the disk is full"),
        (ImportError("Install s3fs to access S3"), MachineError, "pip install 'hris-pipeline\\[s3\\]'"),
        (SourceRefused("NO_PROXY is wrong."), SourceRefused, "NO_PROXY is wrong"),
        (ValueError("Zoë"), HrisError, "change_set failed unexpectedly \\(ValueError\\)"),
    ],
)
def test_an_error_is_shown_in_words_and_without_its_cause(error: Exception, kind: type[HrisError], words: str) -> None:
    with pytest.raises(HrisError, match=words) as raised, redacted_errors("change_set"):
        raise error from ValueError("Zoë")
    assert type(raised.value) is kind
    assert "Zoë" not in str(raised.value)
    assert raised.value.__suppress_context__
    assert raised.value.__cause__ is None
