"""One network that holds those of a whole space: knobs become probabilities, and its steps are weighted sums.

``mixed`` is a value that depends on knobs, ``relaxed`` an architecture of such values, ``network`` takes down the
steps of its network as any ``Network`` does, ``parts`` are the modules of these steps and ``rows`` those of single
options, ``sampling`` draws the weights of options, ``training`` alternates between weights and probabilities and keeps
a ``checkpoint``, ``surroundings`` is the part of a large graph that it sees, ``derived`` reads architectures off.
"""
