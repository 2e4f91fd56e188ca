"""The data sets that have a name: a table, light enough to print without importing torch."""

from __future__ import annotations

from dataclasses import dataclass

from nas.searchspace.registry import unknown
from nas.searchspace.task import Level


@dataclass(frozen=True)
class Entry:
    """One data set, as its raw files hold it.

    Attributes:
        name: what ``--data`` says.
        level: whether nodes or graphs are asked about.
        description: one line.
        graphs, nodes, edges: totals; an undirected edge counts twice.
        features: width of a node's features; 0 where there are none.
        classes: number of classes; elsewhere of yes/no questions, or of numbers to predict.
        split: the default ``--split``.
        source: where the files come from, with the licence stated there.
        loader: class of ``torch_geometric.datasets``; empty for what is built here.
        argument: its ``name``; empty if it takes none.
        folder: where below the data root the ``raw`` folder is.
        metric: the customary metric where it is not the target's default.
        normalise: whether the features are bags of words, scaled to sum to 1 in each row.
        described: what a node is described by where the user does not say, see ``nas.data.features.parse``; empty means
            by the features that the files hold.
        caution: a property worth minding.
    """

    name: str
    level: Level
    description: str
    graphs: int
    nodes: int
    edges: int
    features: int
    classes: int
    split: str
    source: str
    loader: str = ""
    argument: str = ""
    folder: str = ""
    metric: str | None = None
    normalise: bool = False
    described: str = ""
    caution: str = ""


_PLANETOID = "kimiyoung/planetoid (MIT)"
_SHCHUR = "shchur/gnn-benchmark (MIT)"
_GEOM = "graphdml-uiuc-jlu/geom-gcn (no licence stated)"
_YANDEX = "yandex-research/heterophilous-graphs (MIT)"
_AIRPORTS = "leoribeiro/struc2vec (MIT)"
_TU = "TUDataset collection (no licence stated for the data)"
_MOLECULES = "MoleculeNet ({}); needs rdkit"
_IMBALANCED = "classes are unbalanced: accuracy says little here"
_STRUCTURE = "degree,laplacian,random-walk"
_NUMBERED = (
    "its own features are one-hot numbers of the airports and say nothing of others, so degrees and places in the "
    "network are used in their stead; --features own takes them"
)
_TINY = "so small that one test node is 2 to 3 points: compare over all ten splits"

CATALOGUE: dict[str, Entry] = {
    entry.name: entry
    for entry in (
        Entry(
            "digits", "node", "handwritten digits, linked to the 10 most similar ones; needs no download",
            1, 1797, 24678, 64, 10, "random:5,10", "scikit-learn load_digits (UCI, CC BY 4.0)",
        ),
        Entry(
            "cora", "node", "machine-learning papers, linked by citation; topics",
            1, 2708, 10556, 1433, 7, "public", _PLANETOID, "Planetoid", "Cora", "Cora", normalise=True,
        ),
        Entry(
            "citeseer", "node", "computer-science papers, linked by citation; topics",
            1, 3327, 9104, 3703, 6, "public", _PLANETOID, "Planetoid", "CiteSeer", "CiteSeer", normalise=True,
        ),
        Entry(
            "pubmed", "node", "diabetes papers, linked by citation; kinds of diabetes",
            1, 19717, 88648, 500, 3, "public", _PLANETOID, "Planetoid", "PubMed", "PubMed", normalise=True,
        ),
        Entry(
            "photo", "node", "Amazon photo products, linked when bought together; categories",
            1, 7650, 238162, 745, 8, "random:20,30", _SHCHUR, "Amazon", "Photo", "Photo",
        ),
        Entry(
            "computers", "node", "Amazon computer products, linked when bought together; categories",
            1, 13752, 491722, 767, 10, "random:20,30", _SHCHUR, "Amazon", "Computers", "Computers",
        ),
        Entry(
            "cs", "node", "computer-science authors, linked by co-authorship; fields of study",
            1, 18333, 163788, 6805, 15, "random:20,30", _SHCHUR, "Coauthor", "CS", "CS", normalise=True,
        ),
        Entry(
            "texas", "node", "web pages of a university, heterophilous; kinds of page",
            1, 183, 325, 1703, 5, "fold:0", _GEOM, "WebKB", "Texas", "texas", normalise=True, caution=_TINY,
        ),
        Entry(
            "wisconsin", "node", "web pages of a university, heterophilous; kinds of page",
            1, 251, 515, 1703, 5, "fold:0", _GEOM, "WebKB", "Wisconsin", "wisconsin", normalise=True, caution=_TINY,
        ),
        Entry(
            "chameleon", "node", "Wikipedia pages on chameleons, heterophilous; monthly traffic in 5 bins",
            1, 2277, 36101, 2325, 5, "fold:0", _GEOM, "WikipediaNetwork", "chameleon", "chameleon/geom_gcn",
            normalise=True, caution="many nodes are duplicates, which leak from train to test (Platonov et al., 2023)",
        ),
        Entry(
            "actor", "node", "actors, linked by appearing on one Wikipedia page, heterophilous; kinds of actor",
            1, 7600, 30019, 932, 5, "fold:0", _GEOM, "Actor", "", "actor", normalise=True,
        ),
        Entry(
            "minesweeper", "node", "a synthetic minefield; is there a mine?",
            1, 10000, 78804, 7, 2, "fold:0", _YANDEX, "HeterophilousGraphDataset", "Minesweeper", "minesweeper",
            metric="roc-auc", caution=_IMBALANCED,
        ),
        Entry(
            "tolokers", "node", "crowd workers, linked by shared tasks; were they banned?",
            1, 11758, 1038000, 10, 2, "fold:0", _YANDEX, "HeterophilousGraphDataset", "Tolokers", "tolokers",
            metric="roc-auc", caution=_IMBALANCED,
        ),
        Entry(
            "usa", "node", "airports of the USA, linked by flights; level of activity",
            1, 1190, 13599, 1190, 4, "random", _AIRPORTS, "Airports", "USA", "usa",
            described=_STRUCTURE, caution=_NUMBERED,
        ),
        Entry(
            "europe", "node", "airports of Europe, linked by flights; level of activity",
            1, 399, 5995, 399, 4, "random", _AIRPORTS, "Airports", "Europe", "europe",
            described=_STRUCTURE, caution=_NUMBERED,
        ),
        Entry(
            "brazil", "node", "airports of Brazil, linked by flights; level of activity",
            1, 131, 1074, 131, 4, "random", _AIRPORTS, "Airports", "Brazil", "brazil",
            described=_STRUCTURE, caution=_NUMBERED,
        ),
        Entry(
            "mutag", "graph", "nitroaromatic molecules; mutagenic or not",
            188, 3371, 7442, 7, 2, "random", _TU, "TUDataset", "MUTAG", "MUTAG",
        ),
        Entry(
            "ptc_mr", "graph", "molecules; carcinogenic for male rats or not",
            344, 4915, 10108, 18, 2, "random", _TU, "TUDataset", "PTC_MR", "PTC_MR",
        ),
        Entry(
            "bzr", "graph", "molecules; bind to the benzodiazepine receptor or not",
            405, 14479, 31070, 53, 2, "random", _TU, "TUDataset", "BZR", "BZR",
        ),
        Entry(
            "proteins", "graph", "proteins; enzymes or not",
            1113, 43471, 162088, 3, 2, "random", _TU, "TUDataset", "PROTEINS", "PROTEINS",
        ),
        Entry(
            "enzymes", "graph", "enzymes; the 6 top-level classes",
            600, 19580, 74564, 3, 6, "random", _TU, "TUDataset", "ENZYMES", "ENZYMES",
        ),
        Entry(
            "nci1", "graph", "molecules; active against lung cancer cells or not",
            4110, 122747, 265506, 37, 2, "random", _TU, "TUDataset", "NCI1", "NCI1",
        ),
        Entry(
            "imdb-binary", "graph", "who acted with whom, around one actor; action or romance",
            1000, 19773, 193062, 0, 2, "random", _TU, "TUDataset", "IMDB-BINARY", "IMDB-BINARY",
        ),
        Entry(
            "esol", "graph", "molecules; logarithm of their solubility in water (mol/l)",
            1128, 14991, 30856, 9, 1, "random", _MOLECULES.format("deepchem/deepchem, MIT"),
            "MoleculeNet", "ESOL", "esol", metric="rmse",
        ),
        Entry(
            "freesolv", "graph", "small molecules; free energy of hydration (kcal/mol)",
            642, 5600, 10770, 9, 1, "random", _MOLECULES.format("no licence stated"),
            "MoleculeNet", "FreeSolv", "freesolv", metric="rmse",
        ),
        Entry(
            "lipo", "graph", "molecules; lipophilicity, the logarithm of the octanol/water distribution at pH 7.4",
            4200, 113568, 247798, 9, 1, "random", _MOLECULES.format("no licence stated"),
            "MoleculeNet", "Lipo", "lipo", metric="rmse",
        ),
        Entry(
            "bbbp", "graph", "molecules; do they pass the blood-brain barrier?",
            2039, 49068, 105842, 9, 1, "random", _MOLECULES.format("no licence stated"),
            "MoleculeNet", "BBBP", "bbbp", metric="roc-auc",
        ),
        Entry(
            "tox21", "graph", "molecules; toxic in 12 assays, of which 17 % of the answers are missing?",
            7823, 145256, 301802, 9, 12, "random", _MOLECULES.format("no licence stated"),
            "MoleculeNet", "Tox21", "tox21", metric="roc-auc",
        ),
    )
}  # fmt: skip


def find(name: str) -> Entry:
    """The data set called ``name``, upper or lower case.

    Raises:
        BadInput: if there is none; the message offers the nearest.
    """
    if name.lower() not in CATALOGUE:
        raise unknown("data set", name, CATALOGUE)
    return CATALOGUE[name.lower()]
