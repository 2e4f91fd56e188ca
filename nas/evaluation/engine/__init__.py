"""Candidates trained many times faster than by a plain loop, with the very modules that are exported.

``prepare`` computes what does not depend on weights once: sparse features, edges sorted both ways, normalised
adjacencies. ``lowered`` lets the layers of a module compute on that while a block runs; every layer it does not know
runs as it is. Nothing outside ``nas.evaluation`` knows of it.
"""
