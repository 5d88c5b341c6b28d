"""The verbs of the command line, a module each: options in, exit code out."""

VERBS = {
    "check": "explore designs × scopes with a power cut at every step; a verdict per property",
    "exam": "plant every mutant in its design and say which property catches it",
    "explore": "walk a run step by step, cut the power, choose what survives, see the file",
    "fuzz": "search at random what is too big to exhaust: operations, schedules, power cuts",
    "image": "write the crash state of a trace as a real ext4 image, checked by e2fsck",
    "kernel": "recover and judge what a real kernel wrote to a disk",
    "list": "show designs, scopes, mutants, properties, situations and kernel paths",
    "litmus": "run litmus files: exactly the allowed outcomes, or write the sets for review",
    "locks": "lock and wait order of a patch, a C tree, a lockdep dump or a design; cycles",
    "prove": "decide the proof obligations of a design over any number of blocks",
    "replay": "re-run saved traces natively and compare the verdict",
    "sweep": "explore every small workload of a level, and say what no finding explains",
    "trace": "show why a trace violates, minimise, compare and convert traces",
}
