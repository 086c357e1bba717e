"""The pages, a module for each place in the console, all in one table."""

from hris_pipeline.console.pages import integrations
from hris_pipeline.console.visit import Page

__all__ = ["PAGES"]

PAGES: tuple[Page, ...] = (*integrations.PAGES,)
