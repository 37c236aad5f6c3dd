"""The project's file storages as health checks."""

import uuid
from dataclasses import dataclass

from django.core.files.base import ContentFile
from django.core.files.storage import storages

from holdfast.health import Finding, HealthStatus


@dataclass(frozen=True, slots=True)
class StorageCheck:
    """Saves a small file in a storage, reads it, and deletes it.

    Example:
        >>> StorageCheck("staticfiles")
        StorageCheck(alias='staticfiles')
    """

    alias: str = "default"
    """Of the storage, in `STORAGES`."""

    def __call__(self) -> Finding | None:
        """Look; an exception of the storage's is for whoever runs the check."""
        storage = storages[self.alias]
        content = uuid.uuid4().hex.encode()
        name = storage.save(f"holdfast-health-{content.decode()}.txt", ContentFile(content))
        try:
            with storage.open(name) as file:
                found = file.read()
        finally:
            storage.delete(name)
        if found != content:
            return Finding(status=HealthStatus.FAIL, output="did not give back what was saved")
        if storage.exists(name):
            return Finding(status=HealthStatus.FAIL, output="did not delete what was saved")
        return None
