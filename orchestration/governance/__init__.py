"""What we do about a number: alert states, messages and the limits that ought to stand."""
