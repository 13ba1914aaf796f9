package metadatatest

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// Listener is a TCP address that begins to listen when it is told to, as that of a service not yet started: until then
// connections are refused. On Linux nobody else gets its port meanwhile.
type Listener struct {
	Addr    string // "127.0.0.1:34567", "[::1]:34567"
	handler http.Handler

	mu     sync.Mutex
	held   port
	server *http.Server
}

// port is one that is held for us.
type port interface {
	// listen may be called once; release gives up what was not listened on.
	listen() (net.Listener, error)
	release()
}

// NewListener finds a free port of the loopback and does not listen on it yet.
func NewListener(handler http.Handler) (*Listener, error) { return NewListenerAt(handler, "127.0.0.1") }

// NewListenerAt is NewListener for an address of this machine: "::1".
func NewListenerAt(handler http.Handler, host string) (*Listener, error) {
	held, addr, err := hold(host)
	if err != nil {
		return nil, err
	}
	return &Listener{Addr: addr, handler: handler, held: held}, nil
}

// Open begins to listen; it does nothing if that is so already, or after Close.
func (l *Listener) Open() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == nil {
		return nil
	}
	listener, err := l.held.listen()
	if err != nil {
		return err
	}
	l.held = nil
	l.server = &http.Server{Handler: l.handler, ReadHeaderTimeout: time.Minute}
	go func(s *http.Server) { _ = s.Serve(listener) }(l.server)
	return nil
}

// Close stops listening and ends all connections.
func (l *Listener) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held != nil {
		l.held.release()
		l.held = nil
	}
	if l.server != nil {
		_ = l.server.Close()
		l.server = nil
	}
}
