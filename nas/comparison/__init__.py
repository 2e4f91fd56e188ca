"""Controllers compared: the same searches with each, over data sets and seeds, on a table or with real trainings."""
