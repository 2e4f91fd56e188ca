"""The built-in search spaces, one file each, and how a space is named."""
