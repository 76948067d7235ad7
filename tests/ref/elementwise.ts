/** Elementwise operations in float64. */
