"""Live API: the real etcd and kube-apiserver of a node image, without nodes, for the tests of tests/api."""
