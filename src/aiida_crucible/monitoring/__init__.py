"""How far jobs are, while they run and after, and what becomes of them when their process is stopped."""
