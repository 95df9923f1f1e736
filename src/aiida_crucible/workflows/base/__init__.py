"""A WorkChain for each CalcJob that restarts it where that helps, and runs nothing twice."""
