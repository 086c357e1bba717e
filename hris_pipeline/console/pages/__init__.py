"""The pages, a module for each place in the console, all in one table."""

from hris_pipeline.console.pages import history, imports, integrations, mapping, people, settings, setup
from hris_pipeline.console.visit import Page

__all__ = ["PAGES"]

PAGES: tuple[Page, ...] = tuple(
    page for module in (integrations, setup, imports, history, people, mapping, settings) for page in module.PAGES
)
