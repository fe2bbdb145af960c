"""Training from Python: a declaration in, networks in a folder out, checked and exported."""

import subprocess
import sys
from pathlib import Path

from amortmix.api import REFERENCE_SEED, Networks
from amortmix.inference.amortized import Amortized
from amortmix.inference.members import flaw
from amortmix.inference.reference import make_reference
from amortmix.model import registry
from amortmix.model.identity import fingerprint
from amortmix.storage import compiled, files
from amortmix.storage.bundle import save_bundle
from amortmix.storage.density import load_density, save_density
from amortmix.training.density import learn_density
from amortmix.training.loop import train as _train
from amortmix.training.phases import with_steps
from amortmix.training.recipes import default_recipe

#: What is known of a learned density while the networks are trained; then it stands on their card.
REPORT = "density.json"
FEWEST_STEPS = 500  # of networks that are trained at all; others say so in every fit


def train(model, minutes=None, steps=None, folder=None, prior=None, recipe=None, seed=1, assess=True, density=None):
    """Train networks for a model from simulations.

    Parameters
    ----------
    model : Model, str or path
        A declaration, the name of one of the library, or the path of a file that defines MODEL.
    minutes, steps : float, int, optional
        The budget, compilation included; by default the steps of the recipe.
    folder : path, optional
        Where networks and checkpoints are kept: a training that was interrupted goes on there. By default
        ``networks/{model}``.
    prior : str or dict, optional
        Variant, or hyperparameters.
    recipe : dict, optional
        By default `amortmix.training.recipes.default_recipe`.
    seed : int
    assess : bool
        Validate on new simulations at the end and say whether the networks are good enough.
    density : float, optional
        Minutes for which the density of a unit is learned first, where a simulator is all that there is: see
        `amortmix.learn_density`.

    Returns
    -------
    Networks

    Raises
    ------
    BadInput, TrainingDiverged

    Examples
    --------
    >>> nets = am.train(MODEL, minutes=10)
    >>> nets.fit(frame).summary()
    """
    compiled.keep()
    model = registry.find(model)
    model = model if prior is None else model.with_prior(prior)
    folder = Path("networks", model.name) if folder is None else Path(folder)
    if density is not None:
        model = _with_density(model, folder, density, seed)
    recipe = dict(recipe or default_recipe(model))
    if steps is not None:
        recipe = with_steps(recipe, steps)
    nets = _trained(model, recipe, folder, seed, minutes if steps is None else None)
    make_reference(nets.amortized, REFERENCE_SEED).save(folder / "reference.npz")
    if nets.card["skipped"]:
        print(f"{nets.card['skipped']} of {nets.card['steps']} steps were left out: their gradient was not finite.")
    if not nets.card["meaningful"]:
        print(f"Train longer: {nets.card['steps']} steps are too few for anything but a trial.")
    elif assess:
        quality = nets.validate()
        files.write_json(folder / "metrics.json", quality.metrics)
        print(quality.sentence)
        print("making programs that fit without JAX, a minute or two; networks are saved, with them or not", flush=True)
        export(folder)
    return nets


def _with_density(model, folder, minutes, seed):
    """The model with a learned density, which an interrupted training of the same model and seed has kept."""
    report, ours = folder / REPORT, {"model": fingerprint(model), "seed": seed}
    kept = files.read_json(report) if report.is_file() else {}
    if kept.get("of") == ours:
        return model.changed(density=load_density(folder, kept))
    model = learn_density(model, minutes, seed=seed)
    files.write_json(report, {"of": ours, "density": save_density(folder, model.density)})
    learned = model.density.report
    print(f"The density of a unit is about {learned['divergence']:.1e} nats from the true one.")
    if wrong := flaw(learned):
        print(f"Learn it longer: {wrong}.")
    return model


def _trained(model, recipe, folder, seed, minutes):
    """Train, with a checkpoint in ``folder``, and keep the bundle there."""
    checkpoint, chosen = folder / "checkpoint.npz", folder / "recipe.json"
    folder.mkdir(parents=True, exist_ok=True)
    if checkpoint.is_file() and chosen.is_file() and minutes is not None:
        recipe, minutes = files.read_json(chosen), None  # the steps that the interrupted training had chosen
    training = _train(
        model,
        recipe,
        seed,
        checkpoint=checkpoint,
        history_file=folder / "history.csv",
        minutes=minutes,
        on_recipe=lambda r: files.write_json(chosen, r),
    )
    save_bundle(folder, training, seed, meaningful=training.history[-1]["step"] >= FEWEST_STEPS)
    checkpoint.unlink(missing_ok=True)
    chosen.unlink(missing_ok=True)
    (folder / REPORT).unlink(missing_ok=True)
    return Networks(folder, Amortized(training.model, training.estimator, files.read_json(folder / "card.json")))


def export(folder):
    """Export the networks of a folder, so that fits need no JAX; True, or False and a printed line that says why not.

    It takes about a minute, and a process of its own: the tool that converts changes functions of JAX.

    Examples
    --------
    >>> am.export("networks/race")
    """
    command = [sys.executable, "-m", "amortmix", "export", str(folder)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")
    if done.returncode:
        print((done.stderr.strip().splitlines() or ["the export ended without a word"])[-1])
    return done.returncode == 0
