//go:build !linux

package fingerprints

// noTerminal is nothing where nothing is printed.
const noTerminal = 0
