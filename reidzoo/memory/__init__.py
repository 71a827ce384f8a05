"""Memory banks: buffers of unit rows and the rules that move them."""

from reidzoo.memory.bank import ClusterMemory, InstanceMemory, MemoryBank
from reidzoo.memory.hardest import HardInstanceMemory
from reidzoo.memory.hybrid import HybridMemory
from reidzoo.memory.mixture import MixtureMemory
from reidzoo.memory.proxies import ProxyMemory
from reidzoo.memory.rows import cluster_means
from reidzoo.memory.search import NeighbourMemory

__all__ = [
    "ClusterMemory",
    "HardInstanceMemory",
    "HybridMemory",
    "InstanceMemory",
    "MemoryBank",
    "MixtureMemory",
    "NeighbourMemory",
    "ProxyMemory",
    "cluster_means",
]
