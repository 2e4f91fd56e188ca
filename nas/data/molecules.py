"""What needs rdkit: reading molecules, and the scaffolds by which they are divided."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from nas.searchspace.errors import BadInput, MissingExtra

LOADER = "MoleculeNet"
"""The class of ``torch_geometric.datasets`` whose files hold molecules as text."""


def require_rdkit(what: str) -> str:
    """The version of rdkit.

    Raises:
        MissingExtra: if it is not installed.
    """
    if find_spec("rdkit") is None:
        raise MissingExtra(f"{what} needs rdkit: pip install 'gnn-nas[molecules]'")
    try:
        return version("rdkit")
    except PackageNotFoundError:  # installed by conda
        return "unknown"


def unread(raw: Path, graphs: int) -> str | None:
    """A note of how many molecules of a file of MoleculeNet became no graph; None if all did."""
    (file,) = raw.glob("*.csv")
    lines = file.read_text(encoding="utf-8").split("\n")[1:-1]
    lost = sum(bool(line) for line in lines) - graphs
    if lost == 0:
        return None
    return f"rdkit {require_rdkit(file.stem)} could not read {lost} of {graphs + lost} molecules; they were left out"


def scaffolds(smiles: Sequence[str], where: str) -> list[str]:
    """The Bemis-Murcko scaffold of each molecule as text: its rings and what links them, empty where it has none.

    Bemis and Murcko, "The Properties of Known Drugs" (J. Med. Chem. 1996).

    Raises:
        BadInput: if rdkit cannot read a molecule.
        MissingExtra: if rdkit is not installed.
    """
    require_rdkit("split scaffold")
    chemistry, murcko = import_module("rdkit.Chem"), import_module("rdkit.Chem.Scaffolds.MurckoScaffold")
    import_module("rdkit.RDLogger").DisableLog("rdApp.*")  # what cannot be read is said below
    out = []
    for i, text in enumerate(smiles):
        molecule = chemistry.MolFromSmiles(text) if isinstance(text, str) else None
        if molecule is None:
            raise BadInput(f"{where}: rdkit cannot read the smiles {text!r} of graph {i}; correct it, or leave it out")
        out.append(murcko.MurckoScaffoldSmiles(mol=molecule, includeChirality=False))
    return out
