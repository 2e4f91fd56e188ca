"""Networks that are rounded to few bits after they were trained."""
