"""The definitions, written as slowly and obviously as possible."""

import numpy as np
from sklearn.metrics import average_precision_score


def textbook_scores(distances, query_ids, gallery_ids, query_cameras, gallery_cameras):
    """One query after the other: remove, sort by (distance, position), walk down the list."""
    ap, inp, first = [], [], []
    for row, identity, camera in zip(distances, query_ids, query_cameras, strict=True):
        right, kept_distances = [], []
        for g, distance in enumerate(row):
            same = gallery_ids[g] == identity
            if gallery_ids[g] < 0 or (same and camera == gallery_cameras[g] != -1):
                continue
            right.append(bool(same))
            kept_distances.append(distance)
        if identity < 0 or not any(right):
            ap.append(np.nan)
            continue
        ap.append(average_precision_score(right, -np.asarray(kept_distances, dtype=np.float64)))
        order = np.argsort(kept_distances, kind="stable")
        ranks = [rank for rank, g in enumerate(order, start=1) if right[g]]
        first.append(ranks[0])
        inp.append(len(ranks) / ranks[-1])
    return {
        "mAP": np.nanmean(ap),
        "mINP": np.mean(inp),
        **{f"cmc{k}": np.mean([rank <= k for rank in first]) for k in (1, 5, 10)},
        "ap": np.array(ap),
    }


def textbook_partition(identities, labels):
    """Pairwise and B-cubed scores by looking at every pair of kept images, itself included."""
    rows = [(i, c) for i, c in zip(identities, labels, strict=True) if c != -1]
    pair_hits = claimed = wanted = 0
    precisions, recalls = [], []
    for identity, cluster in rows:
        mates = [b for b, row in enumerate(rows) if row[1] == cluster]
        family = [b for b, row in enumerate(rows) if row[0] == identity]
        both = len(set(mates) & set(family))
        precisions.append(both / len(mates))
        recalls.append(both / len(family))
        pair_hits += both - 1
        claimed += len(mates) - 1
        wanted += len(family) - 1
    spread = {i: len({c for j, c in rows if j == i}) for i, _ in rows}
    return {
        "pairwise_precision": pair_hits / claimed if claimed else 1.0,
        "pairwise_recall": pair_hits / wanted if wanted else 1.0,
        "bcubed_precision": np.mean(precisions),
        "bcubed_recall": np.mean(recalls),
        "expansion": np.mean(list(spread.values())),
    }
