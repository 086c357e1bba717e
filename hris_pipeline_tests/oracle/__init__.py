"""An independent reference model: what an import must be, person by person, written from the semantics alone."""

from .applying import apply
from .model import Answer, Expectation, PastArchive, Reading, Resolution, Row, User, World
from .plan import expect

__all__ = [
    "Answer",
    "Expectation",
    "PastArchive",
    "Reading",
    "Resolution",
    "Row",
    "User",
    "World",
    "apply",
    "expect",
]
