"""The folder of a page: what `make page` built, and a script for each of the networks that it runs.

    index.html, page.js, page.css, runtime.js    the same in every page
    list.js, NETWORKS.js                         what this page knows

All are scripts, none is fetched: such a page works from a folder as well as from a server.
"""

import json
import shutil
from importlib.metadata import version
from pathlib import Path

from amortmix.browser.card import card_of, rules
from amortmix.inference.exported import FILE
from amortmix.storage import files, pretrained
from amortmix.storage.files import BadInput

BUILT = Path(__file__).parent / "built"
HOW = "the page was not built: make page, in a checkout with Node.js; or install a released wheel, which has it"


def folders_of(networks):
    """Folders of networks by folder or name; without any, those that ship and can run in a browser."""
    if networks:
        return [Path(n) if Path(n).is_dir() else pretrained.folder_of(str(n), None) for n in networks]
    names = dict.fromkeys(row["model"] for row in pretrained.index())
    folders = [pretrained.folder_of(name, None) for name in names]
    return [folder for folder in folders if (folder / FILE).is_file()]


def assemble(out=None, networks=()):
    """Write a page into a folder.

    Parameters
    ----------
    out : path, optional
        By default a folder in the user's cache.
    networks : sequence of path or str
        Folders that `amortmix.train` wrote, or names of models; by default the networks that come with the library.

    Returns
    -------
    Path
        Of its ``index.html``.

    Raises
    ------
    BadInput
        If the page was not built, or networks were not exported.
    """
    if not (BUILT / "index.html").is_file():
        raise BadInput(HOW)
    out = files.users_cache() / "page" if out is None else Path(out)
    if out.exists() and not out.is_dir():
        raise BadInput(f"{out}: a file; expected a folder for the page")
    # all that can fail comes before the first file
    cards, known_rules = [card_of(folder) for folder in folders_of(networks)], rules()
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted(BUILT.iterdir()):
        shutil.copyfile(path, out / path.name)
    names = [f"networks_{i}.js" for i in range(1, len(cards) + 1)]
    for name, card in zip(names, cards):
        _script(out / name, "card", card)
    known = {
        "networks": names,
        "models": [card["model"]["name"] for card in cards],
        "rules": known_rules,
        "made": f"amortmix {version('amortmix')}",
    }
    with files.atomic(out / "list.js") as temporary:
        temporary.write_text(f"globalThis.amortmix={_text(known)}\n", encoding="utf-8")
    return out / "index.html"


def _script(path, name, value):
    with files.atomic(path) as temporary:
        temporary.write_text(f"amortmix.{name}={_text(value)}\n", encoding="utf-8")


def _text(value):
    return json.dumps(value, allow_nan=False, separators=(",", ":"))
