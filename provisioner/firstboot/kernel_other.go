//go:build !linux

package firstboot

// kernel is empty where nothing is applied.
func kernel() string { return "" }
