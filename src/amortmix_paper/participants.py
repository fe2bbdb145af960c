"""The eleven participants of Dutilh et al. (2011), A to K: where their trials are, and stand-ins drawn from the prior.

Their files are in ``data/dutilh2011`` of the repository, with source, licence and checksums; where they are missing
they are downloaded. A data set is a participant's because its source says so (``participant:A``), whatever its name.
"""

from pathlib import Path

from amortmix.storage import files
from amortmix.storage.files import BadInput

REPOSITORY = "https://raw.githubusercontent.com/Kucharssim/hmm_slba/c3fc74f9405f2171c0d206a14eb92fe3448cba9a/data/"
FOLDER = Path("data/dutilh2011")
DOWNLOAD_TIMEOUT = 15
#: The model under which they are the paper's participants.
MODEL = "evidence_accumulation"
CHECKSUMS = {
    "A": "c913491b6c5f7bafc4399c2a81a6738cc6865d67efac46cd66904283976c4d95",
    "B": "18add72cdc1e59eeac84be9b2b2d975e300842a05973b45f871c7491068480fb",
    "C": "561c180bd312addbc50f6388ad99173d7019630289cd4a4feffff147183d83a3",
    "D": "15f8ee5807f3f8234f0f736c866b7c2d84483f5e9582e289f8b4efa8a32a9125",
    "E": "bc9f671420a1efa098c246506de25621a90b1a7056500abe2594327967b33304",
    "F": "7713a03d238da606b26aed0929e292044dff908a38d8954c2e9346681d4814a4",
    "G": "d5daf243cc96e31badf202081c3ba27294823101a3b3d67adcac3ad1a5e6bcd9",
    "H": "a49b166db823941b481fb1219c6f52da2cc18877a45c50db5856441a112625d2",
    "I": "e7af00c8af6b43370487585aa298a3d4c6984890da6d10c5a704f3881673ee03",
    "J": "9b468a368acc215af7adf63965c58c80e0bd42732f250f50d329e78a285e5040",
    "K": "1ae47eb462c6459397a4c28833e4d42a8c9c1a0628984c82eb093654a0f315f4",
}


def letter_of(source):
    """Which participant a data set is or stands in for, by its source; None for all others."""
    kind, _, name = source.partition(":")
    return name if kind in ("participant", "simulated") else None


def participant_file(letter):
    return f"dutilh_2010_subject_{letter}.csv"


def simulated_participants(datasets):
    """The same list with every participant X replaced by ``sim_X``, drawn from the prior.

    Raises
    ------
    BadInput
        If a data set of the user's own has such a name as well.
    """
    replaced = {}
    own = {name for name, item in datasets.items() if item.kind != "participant"}
    for item in datasets.values():
        if item.kind == "participant":
            # under a model of the user's, or a second time, a participant goes by the name that it has in the list
            free = item.is_participant and f"sim_{item.name}" not in own | set(replaced)
            name = item.name if free else item.dataset
            item = item._replace(dataset=f"sim_{name}", source=f"simulated:{item.name}")
        if item.dataset in replaced:
            raise BadInput(
                f"datasets, {item.dataset}: also the name of a simulated participant; expected another name, "
                "or --config participants=real"
            )
        replaced[item.dataset] = item
    return replaced


def find_participants(letters, folders, download=True):
    """Verified local files of the participants, downloaded where there is none.

    Parameters
    ----------
    letters : iterable of str
    folders : list of paths
        Looked through in order.
    download : bool
        Whether to try the public repository.

    Returns
    -------
    found : {letter: Path}
    trouble : str or None
        If any is missing: what was tried and what to do.

    Raises
    ------
    BadInput
        If a file is there but its checksum is wrong.
    """
    found, missing = {}, []
    for letter in sorted(letters):
        paths = [Path(folder) / participant_file(letter) for folder in folders]
        path = next((p for p in paths if p.is_file()), None)
        if path is None:
            missing.append(letter)
            continue
        if files.sha256(path) != CHECKSUMS[letter]:
            raise BadInput(f"{path}: wrong checksum; expected SHA-256 {CHECKSUMS[letter]}, delete the file to fetch it")
        found[letter] = path
    if not missing:
        return found, None
    tried = f"looked in {', '.join(map(str, folders))}"
    if download:
        fetched, reason = _download(missing)
        found |= fetched
        if len(fetched) == len(missing):
            return found, None
        tried += f", downloaded from {REPOSITORY} ({reason})"
    return found, (
        f"no data of participants {', '.join(m for m in missing if m not in found)}: {tried}. Put the files "
        f"{participant_file('X')} into {FOLDER}, or run with --config participants=simulated"
    )


def _download(letters):
    """Files that arrived and passed their checksum, and why the next one did not."""
    import pooch
    from requests.exceptions import RequestException

    fetched = {}
    for letter in letters:
        name = participant_file(letter)
        try:
            path = pooch.retrieve(
                REPOSITORY + name,
                known_hash=f"sha256:{CHECKSUMS[letter]}",
                fname=name,
                path=FOLDER,
                downloader=pooch.HTTPDownloader(timeout=DOWNLOAD_TIMEOUT),
            )
        except (RequestException, OSError, ValueError) as error:
            return fetched, f"failed: {type(error).__name__}"
        fetched[letter] = Path(path)
    return fetched, None
