"""Surrogates that predict quality from an encoded architecture. Nothing here yet."""
