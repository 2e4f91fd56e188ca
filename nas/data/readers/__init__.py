"""A practitioner's own graphs: files, folders of CSV, NetworkX graphs and OGB, as PyG graphs."""

from nas.data.readers.base import Read
from nas.data.readers.reading import read

__all__ = ["Read", "read"]
