# What an ordinary user types on the engine of inside.sh: the founding incident, with images that a mirror has.
#
# Needs: $python, an interpreter with the packages; $ready, a ready set; $mirror, a registry in place of docker.io.
# Each line of the output that begins with == is a fact that test_engines.py looks at.
set -u
tool() { name=$1; shift; $python -m chaos_harness "$@"; echo "== status of $name: $?"; }
left() { docker ps --all --quiet; docker volume ls --quiet; docker network ls --quiet --filter type=custom; }

echo "== user: $(id -un) $(id -Gn)"
echo "== go: $(command -v go)"
tool load images --load $ready
tool doctor doctor

# As whoever publishes images does. From then on the engine has none, and the mirror all, under the names of docker.io.
$python -m tests.engines.publish $mirror $HOME/lock.yaml
echo "== status of publish: $?"
docker rmi --force $(docker images --quiet | sort -u) > $HOME/removed
echo "== images: $(docker images --quiet)"

export CHAOS_MIRROR=$mirror
incident='scenarios/registry_cut/test_registry.py -k image_present-'
sed 's/\(node@sha256:\)..../\10000/' $HOME/lock.yaml > $HOME/wrong.yaml
tool 'wrong digest' run $incident --locked --lock $HOME/wrong.yaml
echo "== made: $(left)"
tool incident run $incident --locked --lock $HOME/lock.yaml
echo "== report: $(ls reports/out/latest/report/index.html)"
tool gc gc
echo "== left: $(left)"
