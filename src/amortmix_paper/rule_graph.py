"""The rules of the workflow as a picture."""

import matplotlib.pyplot as plt

from amortmix.plots.style import COLORS


def _longest_paths(edges, rules):
    """Length of the longest path from any source to each rule."""
    depth = dict.fromkeys(rules, 0)
    for _ in rules:
        for a, b in edges:
            depth[b] = max(depth[b], depth[a] + 1)
    return depth


def _direct(edges, rules):
    """The edges that are not implied by a path of others."""
    reach = {r: {b for a, b in edges if a == r} for r in rules}
    for _ in rules:
        reach = {r: below.union(*(reach[b] for b in below)) for r, below in reach.items()}
    return sorted((a, b) for a, b in edges if not any(b in reach[c] for x, c in edges if x == a and c != b))


def rule_graph(edges):
    """The workflow's rules from left to right; ``edges``: (rule, rule) pairs without a cycle."""
    rules = sorted({rule for edge in edges for rule in edge})
    depth = _longest_paths(edges, rules)
    columns = [[r for r in rules if depth[r] == d] for d in range(max(depth.values()) + 1)]
    tallest = max(map(len, columns))
    figure, axis = plt.subplots(figsize=(1.7 * len(columns), 0.9 * tallest + 0.3))
    boxes = {}
    for x, column in enumerate(columns):
        for i, rule in enumerate(column):
            box = {"boxstyle": "round,pad=0.5", "facecolor": "#eaf3fa", "edgecolor": COLORS["ABI"]}
            y = (len(column) - 1) / 2 - i
            boxes[rule] = axis.text(x, y, rule.replace("_", " "), ha="center", va="center", fontsize=9, bbox=box)
    for a, b in _direct(edges, rules):
        ends = {"patchA": boxes[a].get_bbox_patch(), "patchB": boxes[b].get_bbox_patch()}
        arrow = {"arrowstyle": "-|>", "color": "#888888", "shrinkA": 2, "shrinkB": 2, **ends}
        axis.annotate("", boxes[b].get_position(), boxes[a].get_position(), arrowprops=arrow)
    axis.set_xlim(-0.6, len(columns) - 0.4)
    axis.set_ylim(-tallest / 2, tallest / 2)
    axis.axis("off")
    return figure
