"""Generated policies: what Gatekeeper generates is what is asked for, whatever happens (gatekeeper#3287)."""
