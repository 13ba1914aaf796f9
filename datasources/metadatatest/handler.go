// Package metadatatest has metadata services for tests, which answer as the real ones do and fail as they fail.
//
// [EC2] makes one, as does each function named after a platform; it is an http.Handler for httptest.NewServer, or for
// a program. What is to go wrong is a list of [Fault]; a connection that is refused is [Listener]'s doing, since no
// handler sees it.
package metadatatest

import (
	"maps"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Trouble is what goes wrong.
type Trouble string

// What can go wrong with an answer.
const (
	Reset    Trouble = "reset"    // the connection is reset
	Hang     Trouble = "hang"     // nothing comes until the client goes, or the handler is closed
	Stall    Trouble = "stall"    // the header comes and half of the body, and then nothing
	Late     Trouble = "late"     // the right answer, after Delay
	Slow     Trouble = "slow"     // the right answer, in four pieces with Delay before each
	Status   Trouble = "status"   // an answer of status Code
	Expire   Trouble = "expire"   // all tokens are forgotten, and then the request is served
	HTML     Trouble = "html"     // 200 with the page of a portal
	Garbage  Trouble = "garbage"  // 200 with bytes that are nothing
	Truncate Trouble = "truncate" // half of the body, and then the connection ends
	Oversize Trouble = "oversize" // 200 with Bytes zeros
)

// Fault is trouble with some requests.
type Fault struct {
	Trouble Trouble
	// Path is how the path of a struck request begins, and Method its method; "" is any.
	Path, Method string
	// Until is for how long after the handler was made the fault lasts, and Times how many requests it strikes
	// at most; 0 is no limit.
	Until time.Duration
	Times int
	// Code is of Status, RetryAfter its header of that name; "" is none.
	Code       int
	RetryAfter string
	Delay      time.Duration // of Late and Slow
	Bytes      int           // of Oversize
}

// Handler is a metadata service. It may be used by several goroutines.
type Handler struct {
	// Now and Sleep are its clock, nil for the real one; set them before the first request.
	Now   func() time.Time
	Sleep func(time.Duration)
	// Log, if not nil, is told each request, as Requests has it.
	Log func(request string)
	// Patience is how long a client waits for an answer that does not come, by Sleep's clock; 0 where that does
	// not matter.
	Patience time.Duration

	service http.Handler // what answers when nothing is wrong
	header  http.Header  // what each answer of the service's has, of any status
	expire  func()       // makes every token invalid; nil where there are none
	closed  chan struct{}
	close   sync.Once

	mu       sync.Mutex
	start    time.Time
	faults   []Fault
	struck   []int
	requests []string
}

// New makes a service that answers as another handler does, but for the faults.
func New(service http.Handler, faults ...Fault) *Handler {
	return &Handler{service: service, faults: faults, struck: make([]int, len(faults)), closed: make(chan struct{})}
}

// Start begins the time that faults are counted in; without it the first request does.
func (h *Handler) Start() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.begin()
}

func (h *Handler) begin() {
	if h.start.IsZero() {
		h.start = h.now()
	}
}

// Close ends what hangs.
func (h *Handler) Close() { h.close.Do(func() { close(h.closed) }) }

// Requests is what was asked so far, in the order it came: "GET /latest/user-data".
func (h *Handler) Requests() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.requests...)
}

func (h *Handler) now() time.Time {
	if h.Now != nil {
		return h.Now()
	}
	return time.Now()
}

// ServeHTTP answers, or does the first fault that strikes the request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	request := r.Method + " " + r.URL.Path
	h.mu.Lock()
	h.begin()
	h.requests = append(h.requests, request)
	fault := h.strike(r)
	h.mu.Unlock()
	if h.Log != nil {
		h.Log(request)
	}
	if fault.Trouble != HTML && fault.Trouble != Garbage {
		maps.Copy(w.Header(), h.header)
	}
	switch fault.Trouble {
	case Reset:
		hangUp(w)
	case Hang:
		h.wait(r)
	case Late:
		h.sleep(r, fault.Delay)
		h.service.ServeHTTP(w, r)
	case Slow:
		h.service.ServeHTTP(&slowWriter{w, func() { h.sleep(r, fault.Delay) }}, r)
	case Status:
		if fault.RetryAfter != "" {
			w.Header().Set("Retry-After", fault.RetryAfter)
		}
		page(w, fault.Code)
	case Expire:
		if h.expire != nil {
			h.expire()
		}
		h.service.ServeHTTP(w, r)
	case HTML:
		write(w, "text/html; charset=utf-8", "<!DOCTYPE html>\n<html><body>Please log in.</body></html>\n")
	case Garbage:
		w.Header().Set(ttlHeader, "300")
		write(w, "application/octet-stream", "\x00\xff\xfe garbage \x1b[31m")
	case Truncate, Stall:
		h.service.ServeHTTP(&halfWriter{ResponseWriter: w}, r)
		if fault.Trouble == Stall {
			_ = http.NewResponseController(w).Flush()
			h.wait(r)
		}
		hangUp(w)
	case Oversize:
		w.Header().Set("Content-Type", "application/octet-stream")
		zeros := make([]byte, 64<<10)
		for left := fault.Bytes; left > 0; left -= len(zeros) {
			if _, err := w.Write(zeros[:min(left, len(zeros))]); err != nil {
				return
			}
		}
	default:
		h.service.ServeHTTP(w, r)
	}
}

// strike finds the fault of a request, and counts it.
func (h *Handler) strike(r *http.Request) Fault {
	since := h.now().Sub(h.start)
	for i, f := range h.faults {
		if (f.Until > 0 && since >= f.Until) || (f.Times > 0 && h.struck[i] >= f.Times) ||
			(f.Method != "" && f.Method != r.Method) || !strings.HasPrefix(r.URL.Path, f.Path) {
			continue
		}
		h.struck[i]++
		return f
	}
	return Fault{}
}

func (h *Handler) wait(r *http.Request) {
	if h.Sleep != nil && h.Patience > 0 {
		h.Sleep(h.Patience)
	}
	select {
	case <-r.Context().Done():
	case <-h.closed:
	}
}

func (h *Handler) sleep(r *http.Request, d time.Duration) {
	if h.Sleep != nil {
		h.Sleep(d)
		return
	}
	select {
	case <-time.After(d):
	case <-r.Context().Done():
	case <-h.closed:
	}
}

// hangUp resets the connection, as the kernel does for a process that is gone.
func hangUp(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// halfWriter sends half of a body whose length was announced whole.
type halfWriter struct{ http.ResponseWriter }

func (w *halfWriter) Write(b []byte) (int, error) {
	if _, err := w.ResponseWriter.Write(b[:len(b)/2]); err != nil {
		return 0, err
	}
	return len(b), http.NewResponseController(w.ResponseWriter).Flush()
}

// slowWriter sends a body in four pieces and waits before each.
type slowWriter struct {
	http.ResponseWriter
	wait func()
}

func (w *slowWriter) Write(b []byte) (int, error) {
	for n := range 4 {
		w.wait()
		if _, err := w.ResponseWriter.Write(b[len(b)*n/4 : len(b)*(n+1)/4]); err != nil {
			return 0, err
		}
		if err := http.NewResponseController(w.ResponseWriter).Flush(); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}
