//go:build !linux || !amd64

package vmware_test

const asking = "TEST_BACKDOOR"

func asGuest(string) int { return 2 }
