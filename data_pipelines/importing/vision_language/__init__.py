"""Importing texts, captions, picture questions and interleaved documents from local disk."""

from data_pipelines.importing.common.errors import ImportingError, SourceError
from data_pipelines.importing.common.formats import Format
from data_pipelines.importing.vision_language.import_task import import_vision_language
from data_pipelines.importing.vision_language.pictures import Encoding, Fit, PictureConfig
from data_pipelines.importing.vision_language.readers import ROLES, Reader, SourceOptions
from data_pipelines.importing.vision_language.registry import FORMATS
from data_pipelines.importing.vision_language.summary import ImportProgress, ImportSummary

__all__ = [
    "FORMATS",
    "ROLES",
    "Encoding",
    "Fit",
    "Format",
    "ImportProgress",
    "ImportSummary",
    "ImportingError",
    "PictureConfig",
    "Reader",
    "SourceError",
    "SourceOptions",
    "import_vision_language",
]
