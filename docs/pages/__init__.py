"""Pages of the site that are made from the code and from published files, at the start of a build."""

from pathlib import Path

from pages import command_line, config_keys, figures, formats, models, networks, notebooks, results, tables

ROOT = Path(__file__).parents[2]
#: Name of a generated page -> function that returns its MyST text.
PAGES = {
    "models": models.page,
    "networks": networks.page,
    "command_line": command_line.page,
    "config": config_keys.page,
    "files": formats.page,
    "results": results.page,
}


def texts(root, chosen):
    """{path: text} of the pages and tables that the repository keeps, for who reads it on a forge.

    ``chosen`` are the notebooks, see `notebooks.chosen`.
    """
    return {f"{name}.md": page(root) for name, page in PAGES.items()} | notebooks.contents(chosen) | tables.tables(root)


def write(folder):
    """All generated pages, into a folder; a page that has not changed keeps its time, so that it is not built again."""
    folder = Path(folder)
    folder.mkdir(exist_ok=True)
    chosen = notebooks.chosen(ROOT)
    for path, text in (texts(ROOT, chosen) | notebooks.pages(chosen)).items():
        _update(folder / path, text)
    figures.draw(ROOT, folder)


def _update(path, text):
    path.parent.mkdir(exist_ok=True)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
