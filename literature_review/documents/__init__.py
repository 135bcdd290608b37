"""Documents: PDF, text and Markdown files -> text with pages and sections.

    find.find_papers     a folder -> its papers, what is ignored, what is wrong
    read_document        a path -> Document
    PaperReader          the same for many papers, with a deadline (ports.DocumentReader)

Importing it loads no PDF library and starts no process.
"""

from literature_review.documents.reader import PaperReader, read_document

__all__ = ["PaperReader", "read_document"]
