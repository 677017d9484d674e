"""The compiled pass: twins of the readable rooms that do the same work, with equal results, many times faster."""
