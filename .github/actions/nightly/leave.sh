# Makes one night of what its machines found, shows its summary on the page of the job, and leaves both it and the store of runs to
# the next night: leave.sh NIGHTS FOUND, where FOUND is the folder of the night, or has those of its shards. The status is the
# night's. With THROUGH_NOX the verbs are nox's sessions, as in a checkout of the harness.
set -uo pipefail
nights=$1
found=$2
most=60

verb() {
  if [ -n "${THROUGH_NOX:-}" ]; then nox -s "$1" -- "${@:2}"; else python3 -m chaos_harness "$@"; fi
}

night="$nights/$(date -u +%Y%m%d-%H%M%S)"
status=0
verb nightly --merge "$found" --out "$night" || status=$?
if [ -f "$night/summary.md" ]; then cat "$night/summary.md" >> "$GITHUB_STEP_SUMMARY"; fi
verb store import "$found" --store "$nights/store.duckdb" || [ "$status" != 0 ] || status=4
find "$nights" -mindepth 1 -maxdepth 1 -type d | sort | head -n "-$most" | xargs -r rm -r
exit "$status"
