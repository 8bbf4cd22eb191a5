"""Outliers that are in-distribution or test examples in disguise: found, removed and reported.

Outlier Exposure assumes that outliers and test anomalies are disjoint, and that no outlier is in-distribution:
Hendrycks et al. (2018) take the CIFAR images out of 80 Million Tiny Images, and the classes of ImageNet-1K out of
ImageNet-22K. `decontaminate` compares images, `decontaminate_text` texts; `drop_classes` goes by labels.
"""

from ._classes import drop_classes
from ._images import decontaminate
from ._report import DecontaminationReport, Match
from ._text import decontaminate_text

__all__ = ["DecontaminationReport", "Match", "decontaminate", "decontaminate_text", "drop_classes"]
