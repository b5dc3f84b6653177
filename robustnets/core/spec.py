"""Frozen specs as plain dictionaries, and the digest that keys everything stored."""

import dataclasses
import hashlib
import json
import math
from typing import Any

_QUIET = {"quiet": True}


def quiet(default: Any) -> Any:
    """A field that dictionaries and digests leave out while it has its default.

    A spec that gains a field of this kind keeps the key of everything stored for it.

    Args:
        default: an immutable value, which the field must mean "as before" by.

    Example:
        >>> @dataclasses.dataclass(frozen=True)
        ... class Spec:
        ...     a: int
        ...     b: int = quiet(0)
        >>> to_dict(Spec(1)), to_dict(Spec(1, 2))
        ({'type': 'Spec', 'a': 1}, {'type': 'Spec', 'a': 1, 'b': 2})
    """
    return dataclasses.field(default=default, metadata=_QUIET)


def _shown(value: Any, field: dataclasses.Field) -> bool:
    return not (field.metadata.get("quiet") and getattr(value, field.name) == field.default)


def to_dict(value: Any) -> Any:
    """Turn a spec into JSON types; a dataclass keeps its class name under "type".

    Fields made by `quiet` are left out while they have their default.

    Args:
        value: a frozen dataclass, or nested tuples, dicts and scalars of such.

    Raises:
        TypeError: for a value that has no faithful JSON form.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        shown = [f.name for f in dataclasses.fields(value) if _shown(value, f)]
        fields = {name: to_dict(getattr(value, name)) for name in shown}
        return {"type": type(value).__name__, **fields}
    if isinstance(value, (tuple, list)):
        return [to_dict(v) for v in value]
    if isinstance(value, dict):
        if not all(isinstance(k, str) for k in value):
            raise TypeError(f"a spec's keys are strings, got {list(value)}")
        return {k: to_dict(v) for k, v in value.items()}
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise TypeError(f"a spec holds only finite scalars, tuples and specs, got {value!r}")


def from_dict(data: Any, types: tuple[type, ...]) -> Any:
    """Rebuild what `to_dict` flattened; lists come back as tuples.

    Args:
        data: the dictionary.
        types: the dataclasses that may occur in it.

    Raises:
        ValueError: for a "type" that is not among `types`.
    """
    if isinstance(data, dict) and "type" in data:
        by_name = {t.__name__: t for t in types}
        if data["type"] not in by_name:
            known = ", ".join(sorted(by_name))
            raise ValueError(f"unknown spec type {data['type']!r}; known: {known}")
        fields = {k: from_dict(v, types) for k, v in data.items() if k != "type"}
        return by_name[data["type"]](**fields)
    if isinstance(data, list):
        return tuple(from_dict(v, types) for v in data)
    return data


def digest(*parts: Any) -> str:
    """Hash specs and scalars to 16 hexadecimal digits, the key of what they produce.

    Example:
        >>> digest({"a": 1}, "x") == digest({"a": 1}, "x")
        True
    """
    text = json.dumps([to_dict(p) for p in parts], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
