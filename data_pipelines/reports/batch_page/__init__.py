"""A batch as a person sees it: ids turned back into what they stand for, and one HTML page of them."""

from data_pipelines.reports.batch_page.page import inspect_page

__all__ = ["inspect_page"]
