"""Gallery pages of what the commands find in a library: hits, near-duplicates, clusters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from clip2point.report.gallery_page import Card, Section, write_gallery
from clip2point.search.duplicates import summarise

if TYPE_CHECKING:
    from clip2point.search import Hit, Library, Query
    from clip2point.search.clustering import Cluster
    from clip2point.search.duplicates import DuplicateGroup

#: Groups on a page, and shapes of each; the JSON of the command has all.
_GROUPS, _MEMBERS = 200, 12
#: Shapes of a cluster on a page, the most central.
_CENTRAL = 8


def write_hits_page(
    path: Path, library: Library, query: Query, hits: Sequence[Hit], *, where: str | None, command: str
) -> None:
    """Write a page of the hits of a query.

    Args:
        path: Path of the .html file.
        library: Library that was searched.
        query: Query to show above the hits.
        hits: Hits, the best first.
        where: SQL condition of the search, or None.
        command: Command line that makes this page again.

    Raises:
        OSError: The page cannot be written.
    """
    write_gallery(
        path,
        [Section("", "", [Card(hit.entry, f"{number}. {hit.score:.3f}") for number, hit in enumerate(hits, 1)])],
        title="clip2point: search",
        summary=f"The {len(hits)} most similar of {len(library):,} shapes.",
        command=command,
        remarks=[f"Only shapes with {where}"] if where else [],
        query=query,
    )


def write_duplicates_page(path: Path, library: Library, groups: Sequence[DuplicateGroup], *, command: str) -> None:
    """Write a page of near-duplicates: the first groups, and the first members of each.

    Args:
        path: Path of the .html file.
        library: Library that was searched.
        groups: Groups in the order of the page.
        command: Command line that makes this page again.

    Raises:
        OSError: The page cannot be written.
    """
    sections = []
    for number, group in enumerate(groups[:_GROUPS], 1):
        copies = {copy: index for index, paths in enumerate(group.copies, 1) for copy in paths}
        cards = [
            Card(entry, note=f"copies {copies[entry.path]}" if entry.path in copies else "")
            for member in group.entries[:_MEMBERS]
            if (entry := library.get(member.path)) is not None
        ]
        sections.append(Section(f"Group {number}", f"{len(group.entries)} shapes, {group.similarity}", cards))
    shortened = len(groups) > _GROUPS or any(len(group.entries) > _MEMBERS for group in groups)
    limits = f"The page shows up to {_GROUPS} groups and up to {_MEMBERS} shapes of each; --json prints all."
    write_gallery(
        path,
        sections,
        title="clip2point: near-duplicates",
        summary=summarise(groups, len(library)),
        remarks=[limits] if shortened else [],
        command=command,
    )


def write_clusters_page(path: Path, library: Library, clusters: Sequence[Cluster], *, command: str) -> None:
    """Write a page of clusters with the most central shapes of each.

    Args:
        path: Path of the .html file.
        library: Library that was clustered.
        clusters: Clusters in the order of the page.
        command: Command line that makes this page again.

    Raises:
        OSError: The page cannot be written.
    """
    sections = []
    for cluster in clusters:
        central = zip(cluster.paths[:_CENTRAL], cluster.centrality, strict=False)
        cards = [Card(entry, f"{cosine:.3f}") for each, cosine in central if (entry := library.get(each)) is not None]
        names = ", ".join(name.replace("_", " ") for name in cluster.alternatives)
        sections.append(Section(cluster.name.replace("_", " "), f"{len(cluster.paths):,} shapes; or: {names}", cards))
    write_gallery(
        path,
        sections,
        title="clip2point: clusters",
        summary=f"{len(library):,} shapes in {len(clusters)} cluster{'s' if len(clusters) > 1 else ''}.",
        remarks=[f"The {_CENTRAL} most central shapes of each cluster, with the cosine to its centroid."],
        command=command,
    )
