"""Memory banks: buffers of unit rows and the rules that move them."""

from reidzoo.memory.bank import ClusterMemory, InstanceMemory, MemoryBank
from reidzoo.memory.hardest import HardInstanceMemory
from reidzoo.memory.rows import cluster_means

__all__ = ["ClusterMemory", "HardInstanceMemory", "InstanceMemory", "MemoryBank", "cluster_means"]
