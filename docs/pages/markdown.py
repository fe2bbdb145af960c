"""Tables and numbers in Markdown."""


def table(head, rows):
    """A table of cells; what would end a cell is escaped."""
    lines = [_row(head), _row(["---"] * len(head)), *map(_row, rows)]
    return "\n".join(lines) + "\n"


def _row(cells):
    return "| " + " | ".join(str(c).replace("|", "\\|").replace("\n", " ") for c in cells) + " |"


def code(text):
    """Words in a fixed-width font, or nothing."""
    return f"`{text}`" if text != "" else ""


def number(value, digits=3):
    """A number with so many significant digits, without an exponent."""
    if value is None:
        return "–"
    if isinstance(value, int):
        return f"{value:,}"
    if value == 0:
        return "0"
    text = f"{value:.{digits}g}"
    return f"{float(text):,.0f}" if abs(float(text)) >= 1000 else f"{float(text):f}".rstrip("0").rstrip(".")


def plus_minus(mean, error, digits=3):
    """A mean with its standard error."""
    return f"{mean:.{digits}f} ± {error:.{digits}f}"
