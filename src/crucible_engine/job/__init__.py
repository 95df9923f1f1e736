"""One job from its start to its end: the program, its surroundings, its signals, its threads, its progress."""
