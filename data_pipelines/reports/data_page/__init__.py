"""A data directory as a person sees it: one HTML page that plays its episodes."""

from data_pipelines.reports.data_page.page import data_page

__all__ = ["data_page"]
