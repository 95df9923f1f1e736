"""What a family that trains and the task share: the contract, and what all trainings with torch have in common."""
