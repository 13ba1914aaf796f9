// Command metadata serves the EC2 metadata of a made-up instance, for tests of a whole machine.
//
// It needs the address to be there, such as ip address add 169.254.169.254/32 dev lo makes it.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	"cloudconfig/datasources/metadatatest"
)

func main() {
	log.SetFlags(log.Lmicroseconds)
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	i := metadatatest.Example()
	i.UserData, i.Keys = nil, nil
	listen := flag.String("listen", "169.254.169.254:80", "`address` to serve on")
	userData := flag.String("user-data", "", "`file` with the user-data; without it there is none")
	keys := flag.String("keys", "", "`file` with public SSH keys, one a line, as in authorized_keys")
	after := flag.Duration("after", 0, "refuse connections for so long")
	unavailable := flag.Duration("unavailable", 0, "answer 503 for so long after that")
	hang := flag.String("hang", "", "never answer what is asked below this `path`, such as /latest/user-data")
	flag.StringVar(&i.ID, "instance-id", i.ID, "instance `id`")
	flag.StringVar(&i.Hostname, "hostname", i.Hostname, "`name` of the instance")
	flag.StringVar(&i.LocalIPv4, "local-ipv4", i.LocalIPv4, "private `address`")
	flag.StringVar(&i.PublicIPv4, "public-ipv4", i.PublicIPv4, "public `address`; empty for none")
	flag.StringVar(&i.IPv6, "ipv6", i.IPv6, "IPv6 `address`; empty for none")
	flag.Parse()
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flag.Arg(0))
	}
	var err error
	if *userData != "" {
		if i.UserData, err = os.ReadFile(*userData); err != nil {
			return err
		}
	}
	if *keys != "" {
		text, err := os.ReadFile(*keys)
		if err != nil {
			return err
		}
		for n, line := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
			key := metadatatest.Key{Name: fmt.Sprintf("key%d", n), OpenSSH: strings.TrimSpace(string(line))}
			i.Keys = append(i.Keys, key)
		}
	}
	var faults []metadatatest.Fault
	if *unavailable > 0 {
		faults = append(faults, metadatatest.Fault{Trouble: metadatatest.Status, Code: http.StatusServiceUnavailable, Until: *unavailable})
	}
	if *hang != "" {
		faults = append(faults, metadatatest.Fault{Trouble: metadatatest.Hang, Path: *hang})
	}
	handler := metadatatest.EC2(i, faults...)
	handler.Log = func(request string) { log.Print(request) }
	time.Sleep(*after)
	handler.Start()
	server := http.Server{Addr: *listen, Handler: handler, ReadHeaderTimeout: time.Minute}
	log.Printf("serving instance %s on %s", i.ID, *listen)
	return server.ListenAndServe()
}
