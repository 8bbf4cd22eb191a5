"""Every corpus of the paper: in-distribution sets, outlier sets and test anomalies, one builder a module.

`load_corpus` finds a corpus in a folder of yours or at its public home; `load_source` also takes files and folders
that are no corpus of the paper. Images come in a column `image`, text in `text`, classes in `label`.
"""

from ._errors import CorpusNotFoundError, CorruptFileError
from ._info import CorpusInfo
from ._loading import list_corpora, list_own, load_corpus, locate_corpus
from ._prepare import prepare_corpora
from ._sources import is_read_as_it_comes, load_source
from ._subsets import first_classes, random_subset, shots_per_class

__all__ = [
    "CorpusInfo",
    "CorpusNotFoundError",
    "CorruptFileError",
    "first_classes",
    "is_read_as_it_comes",
    "list_corpora",
    "list_own",
    "load_corpus",
    "load_source",
    "locate_corpus",
    "prepare_corpora",
    "random_subset",
    "shots_per_class",
]
