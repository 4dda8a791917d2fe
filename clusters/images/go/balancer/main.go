// balancer stands where kind expects envoy, in front of the API servers of a cluster with several control planes.
//
// kind writes envoy's configuration into its container: which port to listen on (lds.yaml) and which servers there
// are (cds.yaml), both empty at first and replaced later. This program reads of them what kind varies, and does with
// it what kind asks of envoy: connections go round the servers whose /healthz says 200, or round all if none does.
package main

import (
	"context"
	"crypto/tls"
	"flag"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"sync/atomic"
	"time"
)

const (
	reread         = 200 * time.Millisecond
	healthEvery    = 2 * time.Second
	healthTimeout  = 3 * time.Second
	connectTimeout = 250 * time.Millisecond
)

var (
	port   = regexp.MustCompile(`port_value:\s+(\d+)`)
	server = regexp.MustCompile(`address:\s+([^\s"{]+)\s+port_value:\s+(\d+)`)
)

// servers are the API servers that there are, and which of them were healthy when last asked.
type servers struct {
	lock    sync.Mutex
	all     []string
	healthy []string
	next    atomic.Uint64
}

// set takes over another list; a server that is new counts as healthy until it is asked.
func (s *servers) set(all []string) {
	s.lock.Lock()
	defer s.lock.Unlock()
	if len(all) == len(s.all) {
		same := true
		for i := range all {
			same = same && all[i] == s.all[i]
		}
		if same {
			return
		}
	}
	s.all, s.healthy = all, all
	log.Printf("servers: %v", all)
}

// choose gives the servers in the order in which a new connection should try them.
func (s *servers) choose() []string {
	s.lock.Lock()
	defer s.lock.Unlock()
	from := s.healthy
	if len(from) == 0 {
		from = s.all
	}
	ordered := make([]string, 0, len(from))
	start := int(s.next.Add(1))
	for i := range from {
		ordered = append(ordered, from[(start+i)%len(from)])
	}
	return ordered
}

// watch asks every server for its health, for ever.
func (s *servers) watch() {
	client := &http.Client{
		Timeout:   healthTimeout,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true},
	}
	for ; ; time.Sleep(healthEvery) {
		s.lock.Lock()
		all := s.all
		s.lock.Unlock()
		answers := make([]bool, len(all))
		var asked sync.WaitGroup
		for i, address := range all {
			asked.Add(1)
			go func() {
				defer asked.Done()
				answer, err := client.Get("https://" + address + "/healthz")
				if err == nil {
					answer.Body.Close()
					answers[i] = answer.StatusCode == http.StatusOK
				}
			}()
		}
		asked.Wait()
		healthy := []string{}
		for i, address := range all {
			if answers[i] {
				healthy = append(healthy, address)
			}
		}
		s.lock.Lock()
		if len(all) == len(s.all) {
			s.healthy = healthy
		}
		s.lock.Unlock()
	}
}

// pass connects a client with a server until both have said all they wanted.
func (s *servers) pass(client *net.TCPConn) {
	defer client.Close()
	for _, address := range s.choose() {
		ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
		found, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		cancel()
		if err != nil {
			continue
		}
		upstream := found.(*net.TCPConn)
		defer upstream.Close()
		done := make(chan struct{})
		go func() {
			io.Copy(upstream, client)
			upstream.CloseWrite()
			close(done)
		}()
		io.Copy(client, upstream)
		client.CloseWrite()
		<-done
		return
	}
}

func (s *servers) listen(at string) {
	listener, err := net.Listen("tcp", ":"+at)
	if err != nil {
		log.Fatal(err)
	}
	log.Printf("listening on port %s", at)
	for {
		client, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go s.pass(client.(*net.TCPConn))
	}
}

func main() {
	config := flag.String("c", "", "envoy's configuration; lds.yaml and cds.yaml lie beside it")
	flag.Parse()
	folder := filepath.Dir(*config)
	known := &servers{}
	go known.watch()
	listening := false
	for ; ; time.Sleep(reread) {
		clusters, _ := os.ReadFile(filepath.Join(folder, "cds.yaml"))
		all := []string{}
		for _, found := range server.FindAllSubmatch(clusters, -1) {
			all = append(all, net.JoinHostPort(string(found[1]), string(found[2])))
		}
		known.set(all)
		listeners, _ := os.ReadFile(filepath.Join(folder, "lds.yaml"))
		if found := port.FindSubmatch(listeners); found != nil && !listening {
			listening = true
			go known.listen(string(found[1]))
		}
	}
}
