"""Renews requirements.lock: every package that `make install` needs, exact, with hashes, and no address of any index.

`python scripts/lock.py` keeps what still fits; `--upgrade` takes the newest.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements.lock"
EXTRAS = ("sandbox", "celery", "s3", "metrics", "docs", "dev")
"""All but bench, whose packages only `make bench` installs."""


def main() -> int:
    command = [
        *(sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--python-version=3.11"),
        *("--generate-hashes", "--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links"),
        *(f"--extra={extra}" for extra in EXTRAS),
        *(f"--output-file={LOCK}", *sys.argv[1:], str(ROOT / "pyproject.toml")),
    ]
    code = subprocess.run(command, check=False).returncode
    addressed = re.findall(r"^(?:--|-i |-f ).*|https?://\S+", LOCK.read_text(), re.MULTILINE)
    if addressed:
        sys.stderr.write("requirements.lock names where packages came from, which differs from place to place.\n")
    return code or int(bool(addressed))


if __name__ == "__main__":
    sys.exit(main())
