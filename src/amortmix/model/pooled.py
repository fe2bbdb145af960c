"""Tables of several people: split by a column, or refused where nothing says what belongs together."""

import re

from amortmix.model.naming import OPTIONAL, UNIT
from amortmix.storage.files import BadInput

#: What columns are called that say whose rows, or of which session, they are.
WHOSE = {
    *("subject", "subj", "sub", "participant", "part", "person", "id", "pid", "sid", "pp", "ppn", "vp", "respondent"),
    *("patient", "individual", "observer", "proband", "user", "animal", "mouse", "rat", "monkey", "bird"),
    *("session", "sess", "ses", "block", "blk", "run"),
}
#: How such a name may end.
ENDS = re.compile(r"(id|nr|no|num|number|code|name|index)$")


def check_pooled(frame, where, known):
    """Refuse a table that would pool people or sessions in one fit without a word.

    Parameters
    ----------
    frame : DataFrame
    where : str
        What the message calls it.
    known : iterable of str
        Columns whose use is declared: the model's own, and those of ``by`` and ``sequence``.

    Raises
    ------
    BadInput
        One line with the column, and what to do.
    """
    units = frame[UNIT].nunique() if UNIT in frame.columns else len(frame)
    for place, name in enumerate(frame.columns):
        if name in (*known, *OPTIONAL) or not looks_like_an_id(name):
            continue
        values = frame.iloc[:, place].nunique()
        if 1 < values < units:  # as many as units are labels of the units
            raise BadInput(
                f'{where}: column {name} has {values} values; expected sequence="{name}" (--sequence {name}) if they '
                f'are sessions of one person, or by="{name}" (--by {name}) for one fit each'
            )


def looks_like_an_id(name):
    """Whether a column of this name says whose rows they are: subject, Subject_ID, participant.nr."""
    text = re.sub(r"[\s_.\-]+", "", str(name).casefold())
    return text in WHOSE or ENDS.sub("", text) in WHOSE


def by_value(frame, where, by):
    """{value: table} of a table, by the values of a column in the order in which they first appear.

    Raises
    ------
    BadInput
        If the column is not there, or a row has no value of it.
    """
    if by not in frame.columns:
        raise BadInput(f"{where}: no column {by!r} to split by; expected one of {', '.join(map(str, frame.columns))}")
    missing = frame[by].isna().to_numpy()
    if missing.any():
        row = frame.index[int(missing.argmax())]
        raise BadInput(f"{where}, row {row}: no value of {by}, by which rows are split; expected one in each row")
    return dict(list(frame.groupby(frame[by].to_numpy(), sort=False)))
