# An engine and a registry in namespaces of their own, and an ordinary user; all of it ends with this script.
#
# Needs: $dockers, the folder with dockerd and docker-proxy; $tools, with containerd, the registry, kind and helm;
# $scratch, an empty folder with the checkout in home/repo and a ready set in home/set.tar; $python, the prefix of an
# interpreter, and $site, its packages, neither of which the user might reach by its own path; $runtime, the OCI
# runtime; $cgroup.
set -eu
mirror=127.0.0.1:5000
ip link set lo up
mount -t tmpfs tmpfs /run  # what else runs on this machine is not to be seen
mkdir /run/engine /run/python /run/site
mount --bind "$python" /run/python
mount --bind "$site" /run/site

cp /etc/passwd /etc/group /run/engine
echo "chaosuser:x:4242:4242::$scratch/home:/bin/sh" >> /run/engine/passwd
sed -i '/^docker:/d' /run/engine/group
printf '%s\n' chaosuser:x:4242: docker:x:4243:chaosuser >> /run/engine/group
mount --bind /run/engine/passwd /etc/passwd
mount --bind /run/engine/group /etc/group
mkdir "$scratch/home/bin"
cp "$tools/kind" "$tools/helm" "$scratch/home/bin"
chown -R 4242:4242 "$scratch/home"

cat > /run/engine/containerd.toml <<C
version = 2
root = "$scratch/containerd"
state = "/run/engine/containerd"
disabled_plugins = ["io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri"]
[grpc]
address = "/run/engine/containerd.sock"
C
cat > /run/engine/daemon.json <<C
{"data-root": "$scratch/docker", "exec-root": "/run/engine/exec", "pidfile": "/run/engine/docker.pid",
 "hosts": ["unix:///var/run/docker.sock"], "group": "docker", "containerd": "/run/engine/containerd.sock",
 "exec-opts": ["native.cgroupdriver=cgroupfs"], "cgroup-parent": "/$cgroup",
 "runtimes": {"capable": {"path": "$runtime"}}, "default-runtime": "capable",
 "default-address-pools": [{"base": "172.30.0.0/16", "size": 24}], "userland-proxy-path": "$dockers/docker-proxy"}
C
cat > /run/engine/registry.yml <<C
version: 0.1
storage: {filesystem: {rootdirectory: $scratch/mirror}}
http: {addr: $mirror}
C
export PATH="$tools:$dockers:$PATH"
registry serve /run/engine/registry.yml > "$scratch/registry.log" 2>&1 &
registry=$!
containerd --config /run/engine/containerd.toml > "$scratch/containerd.log" 2>&1 &
containerd=$!
until [ -S /run/engine/containerd.sock ]; do kill -0 $containerd; sleep 0.2; done
dockerd --config-file /run/engine/daemon.json > "$scratch/dockerd.log" 2>&1 &
dockerd=$!
until docker --host unix:///var/run/docker.sock version > /dev/null 2>&1; do kill -0 $dockerd; sleep 0.2; done

cd "$scratch/home/repo"
setpriv --reuid 4242 --regid 4242 --groups 4242,4243 \
  env --ignore-environment HOME="$scratch/home" USER=chaosuser PATH="$scratch/home/bin:/usr/local/bin:/usr/bin:/bin" \
  LD_LIBRARY_PATH=/run/python/lib PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$scratch/home/repo/src:/run/site" \
  python=/run/python/bin/python3 ready="$scratch/home/set.tar" mirror=$mirror sh tests/engines/user.sh
kill $dockerd && wait $dockerd
kill $containerd $registry && wait $containerd $registry || true  # by the signal
