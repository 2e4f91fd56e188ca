"""The embedded data set: handwritten digits as a graph of nearest neighbours."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch_geometric.data import Data
from torch_geometric.utils import to_undirected


def digits(neighbours: int = 10) -> Data:
    """1,797 images of 8 x 8 pixels in [0, 1], each linked both ways with its ``neighbours`` nearest in pixel space.

    Pixels are whole numbers, so many distances tie; the earlier image wins, which makes the graph the same on every
    machine (a library's search leaves ties to the order in which its threads finish).
    """
    pixels, labels = load_digits(return_X_y=True)
    images, squares = len(pixels), (pixels**2).sum(1)
    distance = (squares[:, None] + squares - 2 * pixels @ pixels.T).astype(np.int64)
    np.fill_diagonal(distance, distance.max() + 1)
    unique = distance * images + np.arange(images)
    near = np.argpartition(unique, neighbours - 1, axis=1)[:, :neighbours]
    pairs = np.stack([np.repeat(np.arange(images), neighbours), near.ravel()])
    return Data(
        x=torch.from_numpy(pixels / 16).float(),
        edge_index=to_undirected(torch.from_numpy(pairs), num_nodes=images),
        y=torch.from_numpy(labels).long(),
    )
