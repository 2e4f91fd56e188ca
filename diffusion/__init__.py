"""Diffusion models that generate architectures. Nothing here yet."""
