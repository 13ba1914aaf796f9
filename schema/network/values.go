package network

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

func ParsePrefix(text string) (netip.Prefix, error) {
	if !strings.Contains(text, "/") {
		return netip.Prefix{}, fmt.Errorf("%q lacks the bits of its network", text)
	}
	return netip.ParsePrefix(text)
}
func ParseAddr(text string) (netip.Addr, error) { return netip.ParseAddr(text) }
func ParseMAC(text string) (string, error) {
	if len(text) != 17 && len(text) != 59 {
		return "", errors.New("no mac")
	}
	return strings.ToLower(text), nil
}
func CheckName(text string) error {
	if text == "" || len(text) > 15 || strings.ContainsAny(text, " \n\t/:") {
		return errors.New("no name")
	}
	return nil
}
