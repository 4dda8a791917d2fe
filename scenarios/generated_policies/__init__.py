"""Generated policies: what Gatekeeper generates matches what is asked for, in all cases (gatekeeper#3287)."""
