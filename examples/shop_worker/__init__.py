"""What the shop does behind the answers: tasks, their schedule, and jobs of the night."""
