"""Room 4: when things run, in what order, and what is done about what they show."""
