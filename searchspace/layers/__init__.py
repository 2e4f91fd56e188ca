"""Layers that torch_geometric does not have. Each file stands alone: its class is printed into exported modules."""
