"""The runs by name, in the order in which they are carried out; nothing heavy is imported."""

LADDER = ("fgsm", "pgd", "pgd-restarts")
MEMBERS = ("apgd-ce", "apgd-t", "fab-t", "square")
PEERS = ("apgd-art", "square-art")
SUITE = "suite"
RUNS = (*LADDER, *MEMBERS, SUITE, "square-short", *PEERS)

TITLES = {
    "fgsm": "FGSM",
    "pgd": "PGD-40",
    "pgd-restarts": "PGD-100, 10 restarts",
    "apgd-ce": "APGD, cross entropy",
    "apgd-t": "APGD, targeted DLR",
    "fab-t": "FAB, targeted",
    "square": "Square, 5,000 queries",
    "suite": "the suite",
    "square-short": "Square, 1,000 queries",
    "apgd-art": "ART's APGD",
    "square-art": "ART's Square",
}
NETWORKS = ("m", "a", "c", "d")
