"""What a fit says about the coefficients: errors, tests, intervals, and whether there is an answer at all."""
