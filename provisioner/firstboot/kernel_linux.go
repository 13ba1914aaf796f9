package firstboot

import "golang.org/x/sys/unix"

// kernel is the release of the running kernel, "6.1.0-56-cloud-amd64".
func kernel() string {
	var name unix.Utsname
	if unix.Uname(&name) != nil {
		return ""
	}
	return unix.ByteSliceToString(name.Release[:])
}
