"""Where the boxes and lines of a layered graph go: top to bottom, in as many columns as it takes.

Sugiyama's four steps (ranks, dummies for long lines, order by barycentres, coordinates), the last one as a weighted
isotonic regression, which puts each box as close to its neighbours as the others of its rank let it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

GAP, RANK_GAP = 22.0, 34.0
TALLEST = 760.0
"""A drawing higher than this is folded into columns."""
GUTTER, LANE, TURN = 44.0, 9.0, 26.0
LANE_WIDTH = 16.0


@dataclass(frozen=True)
class Placed:
    """A finished layout.

    Attributes:
        boxes: left and top of each box.
        lines: SVG path data of each edge, and the point ``(x, y)`` where it enters its box from above.
        width, height: of the whole.
    """

    boxes: list[tuple[float, float]]
    lines: list[tuple[str, tuple[float, float]]]
    width: float
    height: float


def place(sizes: Sequence[tuple[float, float]], edges: Sequence[tuple[int, int]]) -> Placed:
    """Lay out boxes of the given widths and heights, numbered so that every edge leads to a larger number."""
    return _Layout(sizes, edges).placed()


class _Layout:
    def __init__(self, sizes: Sequence[tuple[float, float]], edges: Sequence[tuple[int, int]]) -> None:
        self.sizes = list(sizes)
        self.boxes = len(sizes)
        self.rank = [0] * len(sizes)
        for a, b in sorted(edges, key=lambda e: e[1]):
            self.rank[b] = max(self.rank[b], self.rank[a] + 1)
        self.routes = [self._route(a, b) for a, b in edges]
        self.above: list[list[int]] = [[] for _ in self.sizes]
        self.below: list[list[int]] = [[] for _ in self.sizes]
        for route in self.routes:
            for a, b in pairwise(route):
                self.above[b].append(a)
                self.below[a].append(b)
        self.firm = self._firm()
        self.ranks: list[list[int]] = [[] for _ in range(max(self.rank) + 1)]
        for node, rank in enumerate(self.rank):
            self.ranks[rank].append(node)

    def _route(self, a: int, b: int) -> list[int]:
        """The edge through one dummy in every rank that it passes."""
        dummies = []
        for rank in range(self.rank[a] + 1, self.rank[b]):
            dummies.append(len(self.sizes))
            self.sizes.append((LANE_WIDTH, 0.0))
            self.rank.append(rank)
        return [a, *dummies, b]

    def _firm(self) -> list[bool]:
        """Which nodes hold their place: boxes, and dummies of lines that are the only way between their boxes."""
        firm = [n < self.boxes for n in range(len(self.sizes))]
        reached: list[set[int]] = [set() for _ in range(self.boxes)]
        for a in reversed(range(self.boxes)):
            direct = {route[-1] for route in self.routes if route[0] == a}
            reached[a] = direct.union(*(reached[b] for b in direct))
            for route in self.routes:
                if route[0] == a and not any(route[-1] in reached[b] for b in direct):
                    for dummy in route[1:-1]:
                        firm[dummy] = True
        return firm

    def placed(self) -> Placed:
        self._order()
        x = self._across()
        columns = self._columns()
        left: dict[int, float] = {}
        top: dict[int, float] = {}
        bottoms = []
        lanes = [self._crossing(first[-1], second[0]) for first, second in pairwise(columns)]
        margin = TURN + LANE * max(map(len, lanes)) if lanes else 4.0
        edge = 4.0
        gutters = []
        for number, column in enumerate(columns):
            nodes = [n for rank in column for n in self.ranks[rank]]
            shift = edge - min(x[n] - self.sizes[n][0] / 2 for n in nodes)
            y = margin
            for rank in column:
                height = self._height(rank)
                for n in self.ranks[rank]:
                    left[n] = x[n] + shift - self.sizes[n][0] / 2
                    top[n] = y + (height - self.sizes[n][1]) / 2 if n < self.boxes else y
                y += height + RANK_GAP
            bottoms.append(y - RANK_GAP)
            edge = max(left[n] + self.sizes[n][0] for n in nodes) + GUTTER
            if number < len(lanes):
                gutters.append(edge - GUTTER / 2)
                edge += LANE * max(0, len(lanes[number]) - 1)
        column_of = {rank: number for number, column in enumerate(columns) for rank in column}
        ports = self._ports({n: left[n] + self.sizes[n][0] / 2 for n in left}, column_of)

        def line(number: int, route: list[int]) -> tuple[str, tuple[float, float]]:
            start = route[0]
            at = (left[start] + self.sizes[start][0] / 2, top[start] + self.sizes[start][1])
            path = f"M{_n(at[0])} {_n(at[1])}"
            for a, b in pairwise(route):
                here = column_of[self.rank[a]]
                to = (ports[number], top[b]) if b < self.boxes else (left[b] + LANE_WIDTH / 2, top[b])
                if column_of[self.rank[b]] == here:
                    path += _curve(at, to)
                else:
                    lane = lanes[here].index(start) * LANE
                    aside, low = gutters[here] + lane, bottoms[here] + TURN - 6 + lane
                    path += _bent([at, (at[0], low), (aside, low), (aside, margin - TURN + 6 - lane)], to)
                at = to
                if b >= self.boxes:
                    at = (to[0], to[1] + self._height(self.rank[b]))
                    path += f"V{_n(at[1])}"
            return path, at

        lines = [line(number, route) for number, route in enumerate(self.routes)]
        height = max(bottoms) + (TURN + LANE * max(map(len, lanes)) if lanes else 4.0)
        return Placed([(left[n], top[n]) for n in range(self.boxes)], lines, edge - GUTTER + 4.0, height)

    def _height(self, rank: int) -> float:
        return max(self.sizes[n][1] for n in self.ranks[rank])

    def _order(self) -> None:
        """Order each rank by the mean position of its neighbours, downwards and upwards, and keep the best."""
        best = [list(rank) for rank in self.ranks]
        fewest = self._crossings()
        for sweep in range(12):
            down = sweep % 2 == 0
            neighbours = self.above if down else self.below
            for rank in self.ranks if down else reversed(self.ranks):
                position = {n: i for r in self.ranks for i, n in enumerate(r)}
                means = {
                    n: sum(position[m] for m in neighbours[n]) / len(neighbours[n]) if neighbours[n] else position[n]
                    for n in rank
                }
                rank.sort(key=lambda n: means[n])
            if (crossings := self._crossings()) < fewest:
                best, fewest = [list(rank) for rank in self.ranks], crossings
        self.ranks = best

    def _crossings(self) -> int:
        total = 0
        for upper, lower in pairwise(self.ranks):
            position = {n: i for i, n in enumerate(lower)}
            ends = [(i, position[b]) for i, a in enumerate(upper) for b in self.below[a]]
            total += sum(a < c and b > d for a, b in ends for c, d in ends)
        return total

    def _across(self) -> list[float]:
        """The centre of each node; skip connections give way to the rest."""
        x = [0.0] * len(self.sizes)
        for rank in self.ranks:
            offset = 0.0
            for n in rank:
                x[n] = offset + self.sizes[n][0] / 2
                offset += self.sizes[n][0] + GAP
            for n in rank:
                x[n] -= (offset - GAP) / 2
        for sweep in range(25):
            down = sweep % 2 == 0
            neighbours = self.above if down else self.below
            for rank in self.ranks if down else reversed(self.ranks):
                wanted = [self._wanted(n, neighbours[n], x) for n in rank]
                offsets = [0.0]
                for a, b in pairwise(rank):
                    offsets.append(offsets[-1] + (self.sizes[a][0] + self.sizes[b][0]) / 2 + GAP)
                weights = [1.0 if self.firm[n] else 1e-3 for n in rank]
                level = _isotonic([w - o for w, o in zip(wanted, offsets, strict=True)], weights)
                for n, value, offset in zip(rank, level, offsets, strict=True):
                    x[n] = value + offset
        return x

    def _wanted(self, n: int, neighbours: list[int], x: list[float]) -> float:
        if not neighbours:
            return x[n]
        weights = [1.0 if self.firm[m] or not self.firm[n] else 1e-4 for m in neighbours]
        return sum(w * x[m] for w, m in zip(weights, neighbours, strict=True)) / sum(weights)

    def _columns(self) -> list[list[int]]:
        """The ranks, cut into columns of about one height, where few lines are cut."""
        heights = [self._height(rank) + RANK_GAP for rank in range(len(self.ranks))]
        total = sum(heights)
        count = max(1, -int(-(total - 0.1 * TALLEST) // TALLEST))
        cuts = [0]
        for k in range(1, count):
            target = total * k / count
            left = range(cuts[-1] + 1, len(self.ranks) - (count - k) + 1)
            cuts.append(min(left, key=lambda r: abs(sum(heights[:r]) - target) + 200 * len(self._crossing(r - 1, r))))
        cuts = sorted(set(cuts))
        return [list(range(a, b)) for a, b in pairwise([*cuts, len(self.ranks)])]

    def _crossing(self, above: int, below: int) -> list[int]:
        """The boxes whose lines lead from the one rank to the next."""
        ranks = (above, below)
        return sorted({r[0] for r in self.routes for a, b in pairwise(r) if (self.rank[a], self.rank[b]) == ranks})

    def _ports(self, centre: dict[int, float], column_of: dict[int, int]) -> list[float]:
        """Where each edge enters its box: below where it comes from, side by side."""
        ports = [0.0] * len(self.routes)
        for box in range(self.boxes):
            here, origin = column_of[self.rank[box]], {}
            for number, route in enumerate(self.routes):
                if route[-1] == box:
                    origin[number] = centre[route[-2] if column_of[self.rank[route[-2]]] == here else box]
            if not origin:
                continue
            entering = sorted(origin, key=lambda number: (origin[number], number))
            half = max(0.0, self.sizes[box][0] / 2 - 12)
            apart = min(14.0, 2 * half / max(1, len(entering) - 1))
            wanted = [min(max(origin[i], centre[box] - half), centre[box] + half) for i in entering]
            level = _isotonic([w - apart * k for k, w in enumerate(wanted)], [1.0] * len(wanted))
            low, high = centre[box] - half, centre[box] + half - apart * (len(level) - 1)
            for k, i in enumerate(entering):
                ports[i] = min(max(level[k], low), high) + apart * k
        return ports


def _isotonic(values: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The non-decreasing sequence nearest to the values in weighted least squares (pool adjacent violators)."""
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights, strict=True):
        pools.append((value, weight, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, u, m), (b, v, n) = pools[-2:]
            pools[-2:] = [((a * u + b * v) / (u + v), u + v, m + n)]
    return [value for value, _, count in pools for _ in range(count)]


def _curve(start: tuple[float, float], end: tuple[float, float]) -> str:
    if abs(start[0] - end[0]) < 0.5:
        return f"L{_n(end[0])} {_n(end[1])}"
    middle = (start[1] + end[1]) / 2
    return f"C{_n(start[0])} {_n(middle)} {_n(end[0])} {_n(middle)} {_n(end[0])} {_n(end[1])}"


def _bent(corners: list[tuple[float, float]], end: tuple[float, float], radius: float = 8.0) -> str:
    """Horizontal and vertical pieces with round corners; the last piece comes down on ``end``."""
    points = [*corners, (end[0], corners[-1][1]), end]
    path = ""
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        a, b = _towards(corner, before, radius), _towards(corner, after, radius)
        path += f"L{_n(a[0])} {_n(a[1])}Q{_n(corner[0])} {_n(corner[1])} {_n(b[0])} {_n(b[1])}"
    return path + f"L{_n(end[0])} {_n(end[1])}"


def _towards(point: tuple[float, float], other: tuple[float, float], distance: float) -> tuple[float, float]:
    length = abs(other[0] - point[0]) + abs(other[1] - point[1])
    share = min(distance, length / 2) / length if length else 0.0
    return point[0] + share * (other[0] - point[0]), point[1] + share * (other[1] - point[1])


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
