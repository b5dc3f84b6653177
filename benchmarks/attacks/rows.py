"""The rows: which attack, on which network, by which ways, and what is hoped for."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.attacks import art_ways as art
from benchmarks.attacks import cleverhans_ways as cleverhans
from benchmarks.attacks import foolbox_ways as foolbox
from benchmarks.attacks import scipy_way as scipy
from benchmarks.attacks.scale import Scale
from benchmarks.attacks.ways import Way, with_the_other_compiler
from robustnets.attacks import (
    APGD,
    BIM,
    LBFGS,
    NES,
    PGD,
    CarliniWagner,
    DeepFool,
    EveryPixel,
    HopSkipJump,
    OnePixel,
    Square,
)
from robustnets.core.threat import ThreatModel
from robustnets.models import Classifier

NATIVE = "native"

Maker = Callable[[Classifier, Any, int], Way]


@dataclass(frozen=True, slots=True)
class Peer:
    """Another library, or another setting of ours, beside the native attack.

    Args:
        make: its way; None is the native engine.
        bar: how many times native's time it has to take, at least; None: no bar.
        heavy: timed once, and not warmed up.
        attack: its own spec, where it is not the row's.
        batch: its own batch, where it is not the row's.
        most: its own number of examples, where all would take too long.
        floor: whether it runs all its steps, so that the floor's bar holds for it.
    """

    make: Maker | None
    bar: float | None = None
    heavy: bool = False
    attack: Any = None
    batch: int | None = None
    most: int | None = None
    floor: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Args:
        name: as in `--rows`.
        family: the section of the page.
        title: of the attack.
        network: a key of `networks.NETWORKS`.
        attack: the native spec.
        batch: examples at a time.
        n: examples.
        peers: by name.
        floor: whether the native attack runs all its steps.
        limit: how many times the floor it may take, or None: `page.FLOOR_BAR` where `floor`.
        job: whether 1,000 examples from a cold start are quick enough to be timed.
        from_noise: leave out the class that the network gives to noise, from which
            HopSkipJump starts.
        quick: settings of the attacks for a quick look.
        block: points of one example that are asked about at once.
        rounds: most timed calls, where those of the scale would take too long.
    """

    name: str
    family: str
    title: str
    network: str
    attack: Any
    batch: int
    n: int
    peers: dict[str, Peer] = field(default_factory=dict)
    floor: bool = False
    limit: float | None = None
    job: bool = False
    from_noise: bool = False
    quick: dict[str, Any] = field(default_factory=dict)
    block: int = 1
    rounds: int | None = None

    def at(self, scale: Scale) -> "Row":
        """The row at a scale."""
        n = self.n if scale.most is None else min(self.n, scale.most)
        if not scale.quick:
            return replace(self, n=n)
        attack = _quick(self.attack, self.quick)
        peers = {
            name: replace(peer, attack=peer.attack and _quick(peer.attack, self.quick))
            for name, peer in self.peers.items()
        }
        return replace(self, n=n, attack=attack, peers=peers)


def _quick(attack, settings):
    return replace(attack, **{k: v for k, v in settings.items() if hasattr(attack, k)})


def _pgd(network, batch, n, eps, art_bar, cleverhans_bar, foolbox_bar, **more):
    attack = PGD(ThreatModel("linf", eps), steps=40)
    peers = {
        "ART": Peer(art.pgd, art_bar),
        "CleverHans": Peer(cleverhans.pgd, cleverhans_bar),
        "Foolbox": Peer(foolbox.pgd, foolbox_bar),
        "Foolbox, eager model": Peer(foolbox.pgd_eager),
    }
    return Row(
        f"pgd-{network}", "PGD", f"PGD-40 linf {eps:.3g}", network, attack, batch, n, peers,
        floor=True, quick={"steps": 4}, **more,
    )  # fmt: skip


def _deepfool(network, n, art_bar, foolbox_bar, heavy, **more):
    attack = DeepFool(ThreatModel("l2", 100.0))
    peers = {
        "native, 3 classes": Peer(None, attack=replace(attack, candidates=3)),
        "ART": Peer(art.deepfool, art_bar, heavy),
        "ART, its default batch of 1": Peer(art.deepfool, heavy=True, batch=1, most=5),
        "Foolbox": Peer(foolbox.deepfool, foolbox_bar),
        "Foolbox, eager model": Peer(foolbox.deepfool_eager),
    }
    return Row(
        f"deepfool-{network}", "DeepFool", "DeepFool l2", network, attack,
        100, n, peers, quick={"steps": 5}, **more,
    )  # fmt: skip


def _carlini_wagner(network, n, bars, heavy, first, rounds=1, name="cw", **more):
    # at the customary rate of 0.01 a hundred steps do not get far from pixels of 0 and 1
    attack = CarliniWagner(
        ThreatModel("l2", 100.0), steps=100, rounds=rounds, rate=0.1, first=first
    )
    art_bar, cleverhans_bar, foolbox_bar = bars
    peers = {
        "native, giving up early": Peer(None, attack=replace(attack, abort_early=True)),
        "ART": Peer(art.carlini_wagner, art_bar, heavy),
        "CleverHans, repaired": Peer(cleverhans.carlini_wagner, cleverhans_bar),
        "Foolbox": Peer(foolbox.carlini_wagner, foolbox_bar),
        "Foolbox, eager model": Peer(foolbox.carlini_wagner_eager),
    }
    settings = f"c = {first:g}" if rounds == 1 else f"{rounds} values of c"
    return Row(
        f"{name}-{network}", "Carlini-Wagner", f"C&W l2, 100 steps, {settings}", network, attack,
        100, n, peers, floor=True, quick={"steps": 10}, **more,
    )  # fmt: skip


def _hop_skip_jump(network, batch, n, settings, peers, name, **more):
    max_iter, max_eval, init_eval = settings
    attack = HopSkipJump(
        ThreatModel("l2", 100.0), max_iter=max_iter, max_eval=max_eval, init_eval=init_eval
    )
    title = f"HopSkipJump l2 {max_iter}/{max_eval}/{init_eval}"
    return Row(
        f"{name}-{network}", "HopSkipJump", title, network, attack, batch, n, peers,
        from_noise=True, quick={"max_iter": 2, "max_eval": 20, "init_eval": 10},
        block=attack.block, **more,
    )  # fmt: skip


def _fast_jump(network, art_bar, foolbox_bar, **more):
    peers = {
        "ART": Peer(art.hop_skip_jump, art_bar, heavy=True),
        "Foolbox": Peer(foolbox.hop_skip_jump, foolbox_bar),
    }
    return _hop_skip_jump(network, 200, 200, (8, 100, 10), peers, "hsj-fast", **more)


def _full_jump(network, n, bar):
    peers = {"ART": Peer(art.hop_skip_jump, bar, heavy=True)}
    return _hop_skip_jump(network, n, n, (64, 1000, 100), peers, "hsj-full", rounds=1)


def _lbfgs(network):
    attack = LBFGS(ThreatModel("l2", 100.0), steps=50, targeted=True)
    peers = {"SciPy, image by image": Peer(scipy.lbfgs, 7.0, heavy=True)}
    return Row(
        f"lbfgs-{network}", "L-BFGS", "L-BFGS targeted, 50 evaluations, 10 values of c",
        network, attack, 20, 20, peers, quick={"steps": 8, "rounds": 3}, rounds=1,
    )  # fmt: skip


def _nes(name, title, eps):
    # the most that CleverHans asks for: 40 rounds of 128 samples and a look
    attack = NES(
        ThreatModel("linf", eps), budget=40 * 129, samples=128, sigma=0.01, step=0.01, block=64
    )
    return Row(
        name, "NES", title, "m", attack, 20, 20,
        {"CleverHans SPSA, repaired": Peer(cleverhans.spsa, 1.5, heavy=True)},
        quick={"budget": 3 * 129}, block=128,
    )  # fmt: skip


def _compilers(network, batch, n, quick, attack):
    name = type(attack).__name__
    return Row(
        f"compiler-{name.lower()}-{network}", "Compilers", f"{name} by XLA and as a graph", network,
        attack, batch, n, {"the other compiler": Peer(with_the_other_compiler, 1.0)},
        from_noise=name == "HopSkipJump", quick=quick,
    )  # fmt: skip


_L2 = ThreatModel("l2", 100.0)
_COMPILERS = tuple(
    _compilers(network, batch, n, quick, attack)
    for network, batch, n in (("fc", 100, 100), ("m", 20, 20))
    for attack, quick in (
        (PGD(ThreatModel("linf", 0.03), steps=20), {"steps": 2}),
        (DeepFool(_L2, steps=10), {"steps": 2}),
        (CarliniWagner(_L2, steps=20, rounds=1, rate=0.1, first=2.0), {"steps": 2}),
        (
            HopSkipJump(_L2, max_iter=4, max_eval=50, init_eval=10),
            {"max_iter": 2, "max_eval": 20, "init_eval": 10},
        ),
        (LBFGS(_L2, steps=20, rounds=2), {"steps": 3}),
    )
)


def _apgd(network, batch, n, eps):
    attack = APGD(ThreatModel("linf", eps), steps=100, stop_early=False)
    return Row(
        f"apgd-{network}", "AutoAttack", f"APGD-CE linf {eps:.3g}, 100 steps", network, attack,
        batch, n, {"ART": Peer(art.apgd, 1.0, heavy=True)}, floor=True, limit=1.2,
        quick={"steps": 4}, rounds=2,
    )  # fmt: skip


def _square(network, batch, n):
    # a radius at which nobody is fooled, so that the whole budget is spent
    return Row(
        f"square-{network}", "AutoAttack", "Square linf 0.001, 5,000 queries", network,
        Square(ThreatModel("linf", 0.001), budget=5000), batch, n,
        {"ART": Peer(art.square, 1.0, heavy=True)}, limit=1.3, quick={"budget": 60}, rounds=1,
    )  # fmt: skip


_ONE_PIXEL = OnePixel(ThreatModel("l0", 1), pixels=1, population=400, generations=100)
_EARLY = PGD(ThreatModel("linf", 8 / 255), step=2 / 255, steps=40, stop_early=True)
_PGD_C = _pgd("c", 250, 250, 2 / 255, 2.0, 1.0, 2.0, job=True)

ROWS = {
    row.name: row
    for row in (
        _pgd("fc", 500, 1000, 0.03, 8.0, 3.0, 5.0, job=True),
        _pgd("m", 250, 250, 0.1, 1.8, 1.0, 1.8, job=True),
        _PGD_C,
        # the customary radius and step for CIFAR-10, at which an undefended network is soon fooled
        replace(
            _PGD_C,
            name="pgd-early-c",
            title="PGD-40 linf 8/255, step 2/255, each stopped once it is fooled",
            attack=_EARLY,
            peers={k: replace(p, bar=p.bar and 10.0) for k, p in _PGD_C.peers.items()},
            floor=False,
        ),
        *(
            Row(f"{name}-c", "PGD", title, "c", attack, 250, 250, floor=True, quick={"steps": 4})
            for name, title, attack in (
                (
                    "bim",
                    "BIM-40 linf, all steps",
                    BIM(ThreatModel("linf", 2 / 255), steps=40, stop_at_boundary=False),
                ),
                ("pgd-l2", "PGD-40 l2", PGD(ThreatModel("l2", 0.25), steps=40)),
                ("pgd-l1", "PGD-40 l1", PGD(ThreatModel("l1", 5.0), steps=40)),
            )
        ),
        _deepfool("fc", 200, 40.0, 10.0, False, job=True),
        _deepfool("m", 100, 10.0, 2.5, True, job=True),
        _deepfool("c", 200, 40.0, 3.0, True, job=True),
        _carlini_wagner("fc", 200, (80.0, 12.0, 7.0), False, 2.0, job=True),
        _carlini_wagner("m", 100, (25.0, 1.2, 1.6), True, 5.0),
        _carlini_wagner("fc", 100, (None,) * 3, True, 0.1, rounds=5, name="cw-search"),
        _fast_jump("fc", 80.0, 40.0, job=True),
        _fast_jump("m", 3.0, 3.0),
        _full_jump("fc", 50, 20.0),
        _full_jump("m", 5, 1.1),
        _full_jump("c", 5, 1.1),
        _lbfgs("m"),
        _lbfgs("c"),
        _nes("nes-m", "NES linf 0.2, until fooled", 0.2),
        _nes("nes-spent-m", "NES linf 0.001, the whole budget", 0.001),
        _apgd("m", 250, 250, 0.1),
        _apgd("c", 250, 250, 2 / 255),
        _square("m", 50, 50),
        Row(
            "one-pixel-c",
            "One pixel",
            "One Pixel, 400 members, 100 generations",
            "c",
            _ONE_PIXEL,
            10,
            10,
            {
                "native, every pixel": Peer(
                    None, attack=EveryPixel(ThreatModel("l0", 1), pixels=1)
                ),
                "ART": Peer(art.one_pixel, 1.3, heavy=True),
            },
            quick={"generations": 1, "budget": 801},
            block=50,
        ),
        *_COMPILERS,
    )
}
