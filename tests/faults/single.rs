//! Single faults whose end is known.
