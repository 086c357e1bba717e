"""Builds the docs site into site/: the pages of docs/, with README and CONTRIBUTING among them.

Pages outside docs/ are copied into a temporary folder first, with their links turned: nothing is kept twice.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
OUTSIDE = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md"}
NOT_PAGES = re.compile(r"\]\(((?:changelog\.d|LICENSE|CHANGELOG\.md|SECURITY\.md|deploy|\.\./)[^)]*)\)")


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        docs = Path(folder) / "docs"
        shutil.copytree(ROOT / "docs", docs, ignore=shutil.ignore_patterns("*.py"))
        for source, page in OUTSIDE.items():
            text = (ROOT / source).read_text(encoding="utf-8").replace("](docs/", "](")
            for name, other in OUTSIDE.items():
                text = text.replace(f"]({name}", f"]({other}")
            (docs / page).write_text(text, encoding="utf-8")
        for path in docs.glob("*.md"):
            text = path.read_text(encoding="utf-8")
            path.write_text(
                NOT_PAGES.sub(lambda match: f"] (`{match.group(1).removeprefix('../')}`)", text), encoding="utf-8"
            )
        config = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
        (Path(folder) / "mkdocs.yml").write_text(
            f"docs_dir: {docs}\nsite_dir: {ROOT / 'site'}\n{config}", encoding="utf-8"
        )
        command = [
            sys.executable,
            "-m",
            "mkdocs",
            "build",
            "--strict",
            "--quiet",
            "-f",
            str(Path(folder) / "mkdocs.yml"),
        ]
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
