"""Generating architectures with a diffusion model, towards what is known to be good and within limits."""
