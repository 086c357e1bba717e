"""How the assets are laid out in the UI."""

__all__ = ["BESIDE", "LINE"]

LINE = "import"
"""The line from the source to the store."""

BESIDE = "reports"
"""What is made of it beside."""
