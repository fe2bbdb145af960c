"""Exported programs in pieces, so that what several of them share is kept once.

    program = piece 4, piece 0, piece 7, ...

The programs of one network for frames of several sizes hold the same weights. A program is cut before and after each of
its large arrays, equal pieces are kept once, and each is compressed by itself: a browser takes only those it needs.
"""

import base64
import hashlib
import zlib

#: Fields of the messages of ONNX in which arrays lie: a model's graph, its initializers, their bytes.
GRAPH, INITIALIZER, RAW_DATA = 7, 5, 9
#: Bytes from which an array is a piece of its own.
LARGE = 1024


def in_pieces(programs):
    """Programs (bytes by name) as places of pieces and one text that holds these.

    Returns
    -------
    programs : {name: list of int}
        Numbers of the pieces, one after the other.
    pieces : list of (int, int)
        Where each begins among the compressed bytes, and how many they are.
    bytes : str
        The compressed bytes (zlib), in base 64.
    """
    known, pieces, found, end = {}, [], {}, 0
    content = []
    for name, program in programs.items():
        found[name] = []
        for piece in _cut(program):
            key = hashlib.sha256(piece).digest()
            if key not in known:
                compressed = zlib.compress(piece, 9)
                known[key] = len(pieces)
                pieces.append((end, len(compressed)))
                content.append(compressed)
                end += len(compressed)
            found[name].append(known[key])
    return found, pieces, base64.b64encode(b"".join(content)).decode()


def _cut(program):
    """A program before, in and after its large arrays: a list of bytes."""
    places = [0]
    for start, end in _arrays(program):
        if end - start >= LARGE:
            places += [start, end]
    places.append(len(program))
    return [program[a:b] for a, b in zip(places, places[1:]) if b > a]


def _arrays(program):
    """(start, end) of the bytes of each initializer, in their order."""
    for graph in _fields(program, 0, len(program), GRAPH):
        for initializer in _fields(program, *graph, INITIALIZER):
            yield from _fields(program, *initializer, RAW_DATA)


def _fields(message, start, end, wanted):
    """(start, end) of the contents of a field of bytes in a message of protocol buffers."""
    while start < end:
        key, start = _number(message, start)
        field, kind = key >> 3, key & 7
        if kind == 2:  # so many bytes
            size, start = _number(message, start)
            if field == wanted:
                yield start, start + size
            start += size
        elif kind == 0:  # a number
            _, start = _number(message, start)
        else:  # eight or four bytes
            start += 8 if kind == 1 else 4


def _number(message, start):
    """A number in groups of seven bits, and where it ends."""
    value = shift = 0
    while True:
        byte = message[start]
        value |= (byte & 127) << shift
        start, shift = start + 1, shift + 7
        if byte < 128:
            return value, start
