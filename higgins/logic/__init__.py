"""The decisions: pure functions of values. No clock, no await, no input or output."""
