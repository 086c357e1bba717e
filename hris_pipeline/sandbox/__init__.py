"""A local Justworks: the Partner API and an aggregator with Finch's shape, served from one made-up company."""

from hris_pipeline.sandbox.company import Company
from hris_pipeline.sandbox.people import Person
from hris_pipeline.sandbox.server import Sandbox, create_app, running, serve
from hris_pipeline.sandbox.week import Event
from hris_pipeline.sandbox.world import (
    CLIENT_ID,
    CLIENT_SECRET,
    FINCH_TOKEN,
    KINDS,
    PASSWORD,
    USERNAME,
    Fault,
    SandboxState,
)

__all__ = [
    "CLIENT_ID",
    "CLIENT_SECRET",
    "FINCH_TOKEN",
    "KINDS",
    "PASSWORD",
    "USERNAME",
    "Company",
    "Event",
    "Fault",
    "Person",
    "Sandbox",
    "SandboxState",
    "create_app",
    "running",
    "serve",
]
