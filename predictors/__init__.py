"""Predictors of how good an architecture is, and how sure that is: ``nas.predictors.base`` has the contracts."""

from nas.predictors.base import Predictor, Regressor
from nas.predictors.encoder import Encoder
from nas.predictors.registry import PREDICTORS, create, rows

__all__ = ["PREDICTORS", "Encoder", "Predictor", "Regressor", "create", "rows"]
