"""A trained architecture as files that need torch and torch_geometric only."""
