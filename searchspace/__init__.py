"""Search spaces: how they are declared, what can be done with their architectures, and the networks they stand for."""

from nas.searchspace.domains import Choice, Domain, Integer, Real
from nas.searchspace.errors import BadInput, MissingExtra, NasError, RunError
from nas.searchspace.formats import formats, quantised
from nas.searchspace.language import architecture, choice, constant, earlier, integer, nested, real, repeat
from nas.searchspace.network import Network, Value
from nas.searchspace.operators import operator
from nas.searchspace.precision import Precision
from nas.searchspace.recipe import Recipe
from nas.searchspace.space import Space
from nas.searchspace.task import Batch, Task

__all__ = [
    "BadInput",
    "Batch",
    "Choice",
    "Domain",
    "Integer",
    "MissingExtra",
    "NasError",
    "Network",
    "Precision",
    "Real",
    "Recipe",
    "RunError",
    "Space",
    "Task",
    "Value",
    "architecture",
    "choice",
    "constant",
    "earlier",
    "formats",
    "integer",
    "nested",
    "operator",
    "quantised",
    "real",
    "repeat",
]
