"""A pure in-memory search index over short Chinese texts: BM25 on words and character pairs, several weighted
fields.

The engine is tantivy; the tokens are ours (`segment.terms`), handed over parted by blanks. Documents are known
by their number, in the order in which they were given, so that the index stores nothing but postings: 200,000
short documents fit into some 20 MB.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import tantivy

from bot.understanding.segment import terms

_TOKENIZER = "blanks"
_HEAP = 30_000_000  # bytes of the writer, given back when the index is built; more gains nothing below a million documents
NUMBER = "number"
LARGE = 20_000  # documents


@dataclass(frozen=True, slots=True)
class Match:
    """A document by its number (from 0, in the order given) and its score: higher is better, only comparable within a search."""

    number: int
    score: float


class Index:
    """Documents of one pool under named fields. Built once, then only read; reading is safe from any thread."""

    def __init__(self, fields: Sequence[str]) -> None:
        self.fields = tuple(fields)
        self.size = 0
        builder = tantivy.SchemaBuilder()
        builder.add_unsigned_field(NUMBER, fast=True)
        for field in fields:
            builder.add_text_field(field, tokenizer_name=_TOKENIZER, index_option="freq")
        self._schema = builder.build()
        self._index = tantivy.Index(self._schema)
        self._index.register_tokenizer(_TOKENIZER, tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build())
        self._searcher = self._index.searcher()

    def fill(self, rows: Iterable[Sequence[Sequence[str]]]) -> None:
        """Index every row: for each field, in the order of the fields, the tokens of one document."""
        writer = self._index.writer(_HEAP, 1)
        for number, row in enumerate(rows):
            document = tantivy.Document()
            document.add_unsigned(NUMBER, number)
            for field, tokens in zip(self.fields, row, strict=True):
                document.add_text(field, " ".join(tokens))
            writer.add_document(document)
            self.size = number + 1
        writer.commit()
        writer.wait_merging_threads()
        self._index.reload()
        self._searcher = self._index.searcher()
        del writer
        if self.size >= LARGE:
            give_back()

    def search(self, weights: Mapping[tuple[str, str], float], limit: int) -> list[Match]:
        """The best documents for the weighted tokens (field, token), best first; equal scores in order of their numbers."""
        clauses = [
            (
                tantivy.Occur.Should,
                tantivy.Query.boost_query(tantivy.Query.term_query(self._schema, field, token, "freq"), weight),
            )
            for (field, token), weight in weights.items()
            if weight > 0
        ]
        if not clauses or not self.size:
            return []
        hits = self._searcher.search(tantivy.Query.boolean_query(clauses), limit, count=False).hits
        numbers = self._searcher.fast_field_values(NUMBER, [address for _, address in hits])
        found = [Match(int(number or 0), float(score)) for (score, _), number in zip(hits, numbers, strict=True)]
        return sorted(found, key=lambda match: (-match.score, match.number))

    def frequency(self, field: str, token: str) -> int:
        """In how many documents the token stands in that field."""
        return int(self._searcher.doc_freq(field, token))


def give_back() -> None:
    """Hand the memory of what was built back to the system (glibc would keep some 80 MB for 200,000 documents)."""
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except (OSError, AttributeError):
        return  # another libc: nothing is lost but memory


def tokens(text: str) -> list[str]:
    """What of a text is searched for; the same for documents and questions."""
    return terms(text)
