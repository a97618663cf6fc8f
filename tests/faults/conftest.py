"""The matrices of faults that need no engine share what unit tests have: own locks, quick fingerprints, a stack."""

from unit.conftest import (
    _own_locks,
    _own_system_folders,
    _quick_fingerprints,
    host,
    place,
    stack,
    temporary_folder,
    values,
    well,
)

__all__ = [
    "_own_locks",
    "_own_system_folders",
    "_quick_fingerprints",
    "host",
    "place",
    "stack",
    "temporary_folder",
    "values",
    "well",
]
