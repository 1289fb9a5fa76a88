"""Gateway limits: decide purely, act once, read back, record, undo only what is ours."""
