package httpget

import (
	"net/http"
	"time"
)

// ProxyFor is the proxy that a client of our own connections uses for a request; "" is none.
func ProxyFor(c *Client, req *http.Request) (string, error) {
	if c.wire.proxy == nil {
		return "", nil
	}
	u, err := c.wire.proxy(req)
	if u == nil {
		return "", err
	}
	return u.String(), err
}

// SendOutside sends a request as one to an address that a document names, without a look at its text: as if that were
// a name which resolves to it.
func SendOutside(c *Client, req *http.Request) error {
	_, err := c.send(req, hop{outside: true})
	return err
}

// AnswerLimit is how long the next answer is waited for.
func AnswerLimit(c *Client) time.Duration { return c.wire.answerLimit(c.limits) }
