// tiny is what the tests of the engine run in containers: it serves, dials, tells its capabilities, or waits.
package main

import (
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

func main() {
	if len(os.Args) == 1 {
		time.Sleep(time.Hour)
		return
	}
	switch os.Args[1] {
	case "serve":
		listener, _ := net.Listen("tcp", ":80")
		for {
			connection, _ := listener.Accept()
			connection.Read(make([]byte, 4096))
			fmt.Fprint(connection, "HTTP/1.0 200 OK\r\n\r\nserved")
			connection.Close()
		}
	case "dial":
		if _, err := net.DialTimeout("tcp", os.Args[2], 5*time.Second); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	case "capabilities":
		status, _ := os.ReadFile("/proc/self/status")
		for _, line := range strings.Split(string(status), "\n") {
			if strings.HasPrefix(line, "CapEff") {
				fmt.Println(strings.Fields(line)[1])
			}
		}
	}
}
