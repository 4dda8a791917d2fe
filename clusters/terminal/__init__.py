"""Terminal: lines for people, which may be lost without anything else being lost, and are safe to show."""
