package httpget

import "net/http"

// ProxyFor is the proxy that a client of our own connections uses for a request; "" is none.
func ProxyFor(c *Client, req *http.Request) (string, error) {
	choose := c.transport.(*http.Transport).Proxy
	if choose == nil {
		return "", nil
	}
	u, err := choose(req)
	if u == nil {
		return "", err
	}
	return u.String(), err
}
