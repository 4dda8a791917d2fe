// etcd, as its own release builds it: the main package lies in a module of which only the parts are served.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() {
	etcdmain.Main(os.Args)
}
