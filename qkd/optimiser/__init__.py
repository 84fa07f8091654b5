"""Choice of intensities, probabilities, basis bias and part of a pass."""
