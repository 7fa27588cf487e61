// Filled in by the first commit of this layer's tests.
