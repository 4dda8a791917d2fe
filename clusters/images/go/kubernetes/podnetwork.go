package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// The pod network of a kind cluster: what kindnet does on nodes that share a bridge. Each node gets a
// CNI configuration for its own pod range, a route to every other node's, and masquerading of what
// leaves the pods' subnet.
const (
	cniConfig = "/etc/cni/net.d/10-pod-network.conflist"
	resync    = 30 * time.Second
)

type podNetwork struct {
	nodeIP    string
	podSubnet string
}

func runPodNetwork() {
	network := podNetwork{nodeIP: os.Getenv("HOST_IP"), podSubnet: os.Getenv("POD_SUBNET")}
	if network.nodeIP == "" || network.podSubnet == "" {
		log.Fatal("pod-network: HOST_IP and POD_SUBNET must be set")
	}
	if err := network.masquerade(); err != nil {
		log.Fatalf("pod-network: masquerade: %v", err)
	}
	config, err := rest.InClusterConfig()
	if err != nil {
		log.Fatalf("pod-network: %v", err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		log.Fatalf("pod-network: %v", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	factory := informers.NewSharedInformerFactory(client, resync)
	_, err = factory.Core().V1().Nodes().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { network.apply(object.(*corev1.Node)) },
		UpdateFunc: func(_, object any) { network.apply(object.(*corev1.Node)) },
		DeleteFunc: func(object any) {
			if final, unknown := object.(cache.DeletedFinalStateUnknown); unknown {
				object = final.Obj
			}
			network.forget(object.(*corev1.Node))
		},
	})
	if err != nil {
		log.Fatalf("pod-network: %v", err)
	}
	factory.Start(ctx.Done())
	<-ctx.Done()
}

func (n podNetwork) apply(node *corev1.Node) {
	address, ranges := internalIP(node), node.Spec.PodCIDRs
	if address == "" || len(ranges) == 0 {
		return
	}
	if address == n.nodeIP {
		if err := writeCNIConfig(ranges); err != nil {
			log.Fatalf("pod-network: %s: %v", cniConfig, err)
		}
		return
	}
	for _, podRange := range ranges {
		if err := netlink.RouteReplace(route(podRange, address)); err != nil {
			log.Printf("pod-network: route to %s by %s: %v", podRange, address, err)
		}
	}
}

func (n podNetwork) forget(node *corev1.Node) {
	address := internalIP(node)
	if address == n.nodeIP {
		return
	}
	for _, podRange := range node.Spec.PodCIDRs {
		if err := netlink.RouteDel(route(podRange, address)); err != nil {
			log.Printf("pod-network: remove route to %s: %v", podRange, err)
		}
	}
}

func (n podNetwork) masquerade() error {
	rules := fmt.Sprintf(`add table ip pod-network
flush table ip pod-network
table ip pod-network {
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr %[1]s ip daddr != %[1]s masquerade
	}
}
`, n.podSubnet)
	nft := exec.Command("nft", "-f", "-")
	nft.Stdin = strings.NewReader(rules)
	if output, err := nft.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, output)
	}
	return nil
}

func internalIP(node *corev1.Node) string {
	for _, address := range node.Status.Addresses {
		if address.Type == corev1.NodeInternalIP {
			return address.Address
		}
	}
	return ""
}

func route(podRange, gateway string) *netlink.Route {
	_, destination, err := net.ParseCIDR(podRange)
	if err != nil {
		log.Fatalf("pod-network: the API server gave %q as a pod range: %v", podRange, err)
	}
	return &netlink.Route{Dst: destination, Gw: net.ParseIP(gateway)}
}

func writeCNIConfig(ranges []string) error {
	type object = map[string]any
	var subnets []any
	for _, podRange := range ranges {
		subnets = append(subnets, []object{{"subnet": podRange}})
	}
	config, err := json.MarshalIndent(object{
		"cniVersion": "1.0.0",
		"name":       "pod-network",
		"plugins": []object{
			{
				"type": "ptp",
				"ipam": object{
					"type":    "host-local",
					"dataDir": "/run/cni-ipam-state",
					"routes":  []object{{"dst": "0.0.0.0/0"}},
					"ranges":  subnets,
				},
			},
			{"type": "portmap", "capabilities": object{"portMappings": true}},
		},
	}, "", "  ")
	if err != nil {
		return err
	}
	if present, _ := os.ReadFile(cniConfig); string(present) == string(config) {
		return nil
	}
	unfinished := filepath.Join(filepath.Dir(cniConfig), ".pod-network")
	if err := os.WriteFile(unfinished, config, 0o644); err != nil {
		return err
	}
	return os.Rename(unfinished, cniConfig)
}
