"""20 Newsgroups, split by date."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ._archives import members
from ._builder import CorpusBuilder, register
from ._columns import text_features
from ._info import CorpusInfo, HubRepository, SourceFile

GROUPS = """
    alt.atheism comp.graphics comp.os.ms-windows.misc comp.sys.ibm.pc.hardware comp.sys.mac.hardware comp.windows.x
    misc.forsale rec.autos rec.motorcycles rec.sport.baseball rec.sport.hockey sci.crypt sci.electronics sci.med
    sci.space soc.religion.christian talk.politics.guns talk.politics.mideast talk.politics.misc talk.religion.misc
""".split()

_ARCHIVE = (
    SourceFile(
        "20news-bydate.tar.gz",
        "https://ndownloader.figshare.com/files/5975967",
        "sha256:8f1b2514ca22a5ade8fbb9cfa5727df95fa587f4c87b786e15c759fa66d95610",
    ),
)


@register
class Newsgroups20(CorpusBuilder):
    corpus = CorpusInfo(
        name="newsgroups20",
        roles=("in-distribution",),
        modality="text",
        splits={"train": 11_314, "test": 7_532},
        description="Posts to twenty newsgroups: subject and body.",
        licence="none stated; public posts",
        citation="Lang: NewsWeeder: learning to filter netnews, 1995",
        homepage="http://qwone.com/~jason/20Newsgroups/",
        hub=HubRepository("SetFit/20_newsgroups"),
        files={"train": _ARCHIVE, "test": _ARCHIVE},
        notes="The Hub's copy lacks headers, quotes and signatures, hence subjects. The authors' experiments use the "
        "stemmed newsgroups20_no_short.",
    )
    features = text_features(GROUPS, document="string")

    def examples(self, split: str, path: str) -> Iterator[dict[str, Any]]:
        for name, content in members(path, lambda name: f"20news-bydate-{split}/" in name):
            group, document = name.split("/")[-2:]
            header, _, body = content.decode("latin-1").partition("\n\n")
            subject = next((line[9:] for line in header.split("\n") if line.startswith("Subject: ")), "")
            yield {"text": f"{subject}\n{body}", "label": group, "document": document}
