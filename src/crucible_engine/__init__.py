"""The side of aiida-crucible that runs on the compute node, inside a model's own Python environment.

It travels with every job as one zipapp and needs the standard library, numpy and ase at import; the package of a
model is imported by its adapter alone, when it is asked for. It never imports aiida.
"""
