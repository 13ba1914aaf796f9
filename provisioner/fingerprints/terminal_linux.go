package fingerprints

import "golang.org/x/sys/unix"

// noTerminal opens a terminal without taking it for our own, and without waiting for whoever is to read from it.
const noTerminal = unix.O_NOCTTY | unix.O_NONBLOCK
