"""The command line: ``nas``."""
