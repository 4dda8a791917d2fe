# Finds the last run of the workflow $WORKFLOW that left the artefact $ARTIFACT and is to be believed: one of this repository's
# default branch that no pull request started, at a commit that the branch still has. Leaves its number as the output `run`.
set -euo pipefail
repository="repos/$GITHUB_REPOSITORY"
BRANCH=$(gh api "$repository" --jq .default_branch)
export BRANCH
ours='.workflow_runs[] | select(.head_repository.full_name == env.GITHUB_REPOSITORY)
  | select(.head_branch == env.BRANCH and (.event == "schedule" or .event == "workflow_dispatch"))
  | "\(.id) \(.head_sha)"'
runs=$(gh api "$repository/actions/workflows/$WORKFLOW/runs?branch=$BRANCH&status=completed&per_page=20" --jq "$ours")
while read -r run commit; do
  [ -n "$run" ] || continue
  there=$(gh api "$repository/actions/runs/$run/artifacts?name=$ARTIFACT" --jq '[.artifacts[] | select(.expired | not)] | length')
  [ "$there" = 1 ] || continue
  status=$(gh api "$repository/compare/$commit...$BRANCH" --jq .status || echo "not there")
  if [ "$status" = ahead ] || [ "$status" = identical ]; then
    echo "the last night is run $run, at $commit"
    echo "run=$run" >> "$GITHUB_OUTPUT"
    exit 0
  fi
  echo "run $run is left out: $BRANCH no longer has its commit $commit"
done <<< "$runs"
echo "no night of $BRANCH has left anything: this is the first"
