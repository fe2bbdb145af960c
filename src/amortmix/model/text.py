"""Text of files as people have them: compressed or not, in the encodings of editors and spreadsheets."""

import bz2
import codecs
import gzip
import lzma
import os
from pathlib import Path

from amortmix.storage.files import BadInput

OPENERS = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
#: First bytes of text -> its encoding; the longer ones first.
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def read_bytes(path, expected):
    """Content of a file; BadInput if there is none."""
    if not os.path.exists(path):
        raise BadInput(f"{path}: no such file; expected {expected}")
    try:
        with OPENERS.get(Path(path).suffix.lower(), open)(path, "rb") as file:
            return file.read()
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise BadInput(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None


def decoded(content, path):
    r"""Text of bytes in UTF-8, UTF-16 or Latin-1, with lines that end in \n; BadInput if they are no text."""
    encoding = next((encoding for mark, encoding in MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = content.decode("latin-1") if encoding == "utf-8" else "\0"
    if "\0" in text:
        raise BadInput(f"{path}: not a text file; expected CSV in UTF-8, UTF-16 with its mark, or Latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")
