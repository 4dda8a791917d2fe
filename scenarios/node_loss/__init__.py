"""Node loss: what replaces the pods of a lost node carries Gatekeeper's mutation, or not (gatekeeper#3295)."""
