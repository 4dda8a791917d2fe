"""Registry cut: what recovers while no image can be pulled (gatekeeper#3839)."""
