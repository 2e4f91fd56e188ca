"""Diffusion models that generate architectures of any declared space, guided by predictors."""
