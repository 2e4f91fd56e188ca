"""Data sets as tasks: ``load`` reads one, by name or from a PyG object, checks it and divides it."""

from nas.data.catalogue import CATALOGUE, Entry
from nas.data.loading import load

__all__ = ["CATALOGUE", "Entry", "load"]
