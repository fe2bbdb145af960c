"""Exported programs: the functions of a fit (`amortmix.inference.engine`) by ONNX Runtime, without JAX or Keras.

exported.zip    model.json, what the programs are of, and one program for each function and frame
"""

import io
import json
import threading
import zipfile
import zlib
from pathlib import Path

import numpy as np

from amortmix.inference.engine import Engine
from amortmix.model.description import Description
from amortmix.storage import files
from amortmix.storage.files import BadInput

FILE, CONTENT, FORMAT = "exported.zip", "model.json", 2
#: What reading a damaged archive raises.
DAMAGE = (OSError, EOFError, KeyError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error)
#: Rows that a program takes at a time.
SIZES = {
    "answer": 1000,
    "states": 250,
    "units": 1000,
    "unconstrain": 1000,
    "path": 1,
    "paths": 100,
    "members": 1000,
    "tails": 25,
}
PROVIDERS = ["CPUExecutionProvider"]
#: What `Engine.run` gives of ``answer``, in order.
ANSWER = ("theta", "u", "log_q", "log_joint", "summary")


class Exported(Engine):
    """Networks of one model as exported programs.

    Parameters
    ----------
    folder : path
        With ``exported.zip``.
    card : dict
        Of the networks from which the programs were made.

    Raises
    ------
    BadInput
        If the file is damaged, or was made from other networks.
    """

    def __init__(self, folder, card):
        self.file = Path(folder) / FILE
        # read at once: the file may be replaced by that of other networks
        self._bytes = self.file.read_bytes()
        self.content = json.loads(self._read(CONTENT))
        if self.content.get("format") != FORMAT:
            raise BadInput(f"{self.file}: of another version of this library; make it again by amortmix export")
        if self.content["sha256"] != card["sha256"]:
            raise BadInput(f"{self.file}: made from other networks than those that card.json describes")
        super().__init__(Description.from_json(self.content["model"]), card)
        self._sessions, self._lock = {}, threading.Lock()

    def __getstate__(self):
        # sessions belong to their process: a copy makes its own
        return {k: v for k, v in self.__dict__.items() if k not in ("_sessions", "_lock")}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._sessions, self._lock = {}, threading.Lock()

    name = "exported"

    @property
    def identity(self):
        bound = self.model.hyperparameters
        return self.model.identity | ({"hyperparameters": files.plain(bound)} if bound else {})

    def accepts(self, data):
        """Whether there are programs for a data set: it fits into the frame of training, with what that can miss."""
        known = data.components is None or bool(self.model.design.parts)
        return known and all(n <= most for n, most in zip(data.y.shape, self.model.design.size))

    def run(self, name, data, *rows):
        session, size, number = self._session(file_of(name, len(data.y))), self.content["sizes"][name], len(rows[0])
        inputs = {k: np.asarray(v, np.float32) for k, v in data._asdict().items() if v is not None}
        names, pieces = self.content["outputs"][name], []
        for first in range(0, number, size):
            piece = {f"rows_{i}": _piece(a, first, size) for i, a in enumerate(rows)}
            pieces.append(session.run(names, {k: v for k, v in (inputs | piece).items() if k in session.used}))
        found = {k: np.concatenate(parts)[:number] for k, parts in zip(names, zip(*pieces)) if k != "summary"}
        if name == "answer":
            return tuple((found | {"summary": pieces[0][-1]}).get(k) for k in ANSWER)
        return found if name == "states" else found[name]

    def _read(self, name):
        try:
            with zipfile.ZipFile(io.BytesIO(self._bytes)) as archive:
                return archive.read(name)
        except DAMAGE as error:
            raise BadInput(f"{self.file}: damaged, not the programs that were written ({error})") from error

    def _session(self, name):
        """Of ONNX Runtime, made when it is first asked for."""
        with self._lock:
            if name not in self._sessions:
                self._sessions[name] = session(self._read(name))
            return self._sessions[name]


def file_of(name, frame):
    """Name of the program of a function for data sets in a frame of so many units."""
    return f"{name}_{frame}.onnx"


def session(program):
    """A session of ONNX Runtime for the bytes of a program, which was simplified when it was exported."""
    import onnxruntime

    found = onnxruntime.InferenceSession(program, session_options("ORT_DISABLE_ALL"), providers=PROVIDERS)
    found.used = {i.name for i in found.get_inputs()}
    return found


def session_options(optimizations):
    """Options of ONNX Runtime: one thread, for many fits fill the cores better."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, optimizations)
    return options


def _piece(rows, first, size):
    """``size`` rows from ``first`` on; after the end the last one again."""
    return np.asarray(rows[np.minimum(np.arange(first, first + size), len(rows) - 1)], np.float32)


def write(folder, description, outputs, sha256, programs):
    """Keep programs (bytes by name) and what they are of in ``exported.zip``."""
    content = {"format": FORMAT, "model": description.as_json(), "outputs": outputs, "sha256": sha256, "sizes": SIZES}
    with (
        files.atomic(Path(folder) / FILE) as temporary,
        zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name, text in {CONTENT: json.dumps(files.plain(content)), **programs}.items():
            # a fixed date: the same programs make the same file
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, text)
