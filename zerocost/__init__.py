"""Training-free proxies that rank architectures: see ``nas.zerocost.base`` for the contract, ``registry`` for names."""
