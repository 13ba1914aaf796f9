//go:build !linux

package facts

// defaultRoute knows nothing of other kernels.
func defaultRoute() (ipv4, ipv6 string) { return "", "" }
