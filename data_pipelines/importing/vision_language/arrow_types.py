"""What Arrow columns hold, by their types: texts or pictures. No TensorFlow."""

import pyarrow
from pyarrow import types

from data_pipelines.importing.vision_language.columns import Holds
from data_pipelines.importing.vision_language.values import TEXT_KEYS

_PICTURE_KEYS = ("bytes", "path")


def holds(kind: pyarrow.DataType, content: Holds) -> bool:
    """Whether values of a type are what a role wants. A column of nulls alone holds anything: nothing."""
    if isinstance(kind, pyarrow.BaseExtensionType):
        return holds(kind.storage_type, content)
    if types.is_dictionary(kind):
        return holds(kind.value_type, content)
    if types.is_null(kind):
        return True
    match content:
        case Holds.TEXT:
            return _is_text(kind)
        case Holds.TEXTS:
            return _is_text(kind) or _inside(kind, content, TEXT_KEYS) or _of_list(kind, content)
        case Holds.LIST_OF_TEXTS:
            return _of_list(kind, Holds.TEXT)
        case Holds.PICTURE:
            return _is_text(kind) or _inside(kind, content, _PICTURE_KEYS)
        case Holds.LIST_OF_PICTURES:
            return _of_list(kind, Holds.PICTURE)


def _is_text(kind: pyarrow.DataType) -> bool:
    strings = types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)
    return strings or types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind)


def _inside(kind: pyarrow.DataType, content: Holds, keys: tuple[str, ...]) -> bool:
    """Whether a struct has one of these fields, and it holds it."""
    field_types = {field.name: field.type for field in kind} if types.is_struct(kind) else {}
    return any(holds(field_types[key], content) for key in keys if key in field_types)


def _of_list(kind: pyarrow.DataType, content: Holds) -> bool:
    lists = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return lists and holds(kind.value_type, content)
