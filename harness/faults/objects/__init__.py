"""Objects: faults that change or add objects, as somebody with kubectl does."""
