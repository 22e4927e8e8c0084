"""Reading what each bank publishes into quotes: one module for each bank, pure functions of the answer's bytes."""
