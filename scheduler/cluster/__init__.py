"""Many machines: the only place that imports what spreads work over them."""
