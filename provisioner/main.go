// Command provisioner turns a cloud-config into a configured machine.
package main

import (
	"os"

	"cloudconfig/provisioner/cli"
)

// version is set by the linker; see the Makefile.
var version = "unknown"

func main() {
	c := cli.Command{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Version: version}
	os.Exit(c.Main(os.Args))
}
