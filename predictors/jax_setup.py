"""Imports JAX for the neural predictors, so that it shares a GPU with torch unless the user decided otherwise."""

from __future__ import annotations

import os

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import jax
import jax.numpy as jnp
import optax

__all__ = ["jax", "jnp", "optax"]
