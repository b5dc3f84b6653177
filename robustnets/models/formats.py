"""What kind of file or folder somebody calls a model, told by its content.

Nothing is unpickled or run; a few kilobytes are read.
"""

import json
import zipfile
from pathlib import Path
from typing import Any

ORIGINAL = (
    "pass the Keras model that it was made from: a .keras or .h5 file, or the folder of a "
    "SavedModel with --trust (trust=True)"
)
EXPORT = (
    "export it as a SavedModel where it was made (tf.saved_model.save(model, FOLDER)) and pass "
    "FOLDER with --trust (trust=True)"
)
_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"
_HEAD = 4096  # bytes that tell a format


def kind_of(path: Path) -> str:
    """The format of a Keras file: "keras" (a zip) or "hdf5"; "" for any other.

    A file that is too short to tell, or damaged at its beginning, is what its suffix says.
    """
    head = _head(path)
    if head.startswith(_HDF5):
        return "hdf5"
    if head.startswith(_ZIP) and (path.suffix == ".keras" or "config.json" in _names(path)):
        return "keras"
    if head.startswith(_ZIP) or foreign(path) is not None:
        return ""
    return {".keras": "keras", ".h5": "hdf5", ".hdf5": "hdf5"}.get(path.suffix, "")


def foreign(path: Path) -> str | None:
    """What a file or folder is that is no Keras model, and the way out; None if it is not known.

    Returns:
        The rest of a sentence that begins with the path.
    """
    return _foreign_folder(path) if path.is_dir() else _foreign_file(path)


def _foreign_folder(path: Path) -> str | None:
    if (path / "model.json").is_file():
        return _foreign_file(path / "model.json")
    if (path / "config.json").is_file() and (path / "model.weights.h5").is_file():
        return "is an unpacked .keras file; zip its files, without the folder, and name it .keras"
    if any(path.glob("*.index")) or (path / "checkpoint").is_file():
        return (
            "is a TensorFlow checkpoint, which holds weights only; name a function that builds the "
            "model and loads them as module:function"
        )
    return None


def _foreign_file(path: Path) -> str | None:
    head = _head(path)
    if head[4:8] == b"TFL3":
        return f"is a TensorFlow Lite model, of which there are no gradients; {ORIGINAL}"
    if path.name in ("saved_model.pb", "saved_model.pbtxt"):
        return "is part of a SavedModel; pass its folder with --trust (trust=True)"
    if head.startswith(_ZIP):
        return _foreign_zip(path)
    if head.startswith(b"\x80") and path.suffix != ".keras":
        return f"is a Python pickle, which runs code when it is read; {ORIGINAL}"
    if head.lstrip().startswith(b"{"):
        return _foreign_json(path)
    if _is_graph(head) or (path.suffix in (".pb", ".pbtxt") and head):
        return (
            "is a frozen TensorFlow graph, which does not say what goes in and what comes out; "
            f"{EXPORT}"
        )
    if path.suffix == ".onnx" and head[:1] == b"\x08":
        return f"is an ONNX model, which Keras does not read; {ORIGINAL}"
    return None


def _foreign_zip(path: Path) -> str | None:
    names = _names(path)
    if any(name.endswith("data.pkl") for name in names):
        return "is a PyTorch file, which Keras does not read; rebuild the model in Keras"
    if names and all(name.endswith(".npy") for name in names):
        return (
            "holds arrays and no model; name a function that builds the model and sets its "
            "weights as module:function"
        )
    return None


def _foreign_json(path: Path) -> str | None:
    try:
        found: Any = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    if not isinstance(found, dict):
        return None
    if "modelTopology" in found or "weightsManifest" in found:
        return f"is a TensorFlow.js model, which Keras does not read; {ORIGINAL}"
    if "class_name" in found and "config" in found:
        return (
            "is the architecture of a Keras model without its weights; save the whole model with "
            "model.save"
        )
    return None


def _is_graph(head: bytes) -> bool:
    """Whether bytes begin as a GraphDef does: a node, its name, its operation.

    Source: tensorflow/core/framework/graph.proto and node_def.proto; protobuf's encoding of
    fields 1 and 2 of length-delimited kind.
    """
    try:
        at = _length(head, 0, 0x0A)[1]
        size, at = _length(head, at, 0x0A)
        size, at = _length(head, at + size, 0x12)
        return head[at : at + size].isalnum()
    except (IndexError, ValueError):
        return False


def _length(data: bytes, at: int, tag: int) -> tuple[int, int]:
    """The length of a field with this tag, and where its content begins."""
    if data[at] != tag:
        raise ValueError(tag)
    size = shift = 0
    while True:
        at += 1
        size |= (data[at] & 0x7F) << shift
        shift += 7
        if data[at] < 0x80:
            return size, at + 1


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)


def _names(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return []
