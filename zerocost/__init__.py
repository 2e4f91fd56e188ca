"""Training-free proxies that rank architectures. Nothing here yet."""
