package handoff

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
	godbus "github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"
)

// Systemd is PID 1, over its private socket: no message bus is needed, so it works from the earliest boot on.
// Close it after use.
type Systemd struct {
	ctx context.Context

	mu   sync.Mutex
	conn *dbus.Conn
}

// Connect connects to systemd as root. The connection ends with ctx.
func Connect(ctx context.Context) (*Systemd, error) {
	s := &Systemd{ctx: ctx}
	if _, err := s.connection(); err != nil {
		return nil, err
	}
	return s, nil
}

// Close ends the connection.
func (s *Systemd) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		s.conn.Close()
	}
}

// connection is the connection, made anew if it broke: systemd drops it when it executes itself again.
func (s *Systemd) connection() (*dbus.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil && s.conn.Connected() {
		return s.conn, nil
	}
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
	one, err := dial(s.ctx)
	if err != nil {
		return nil, fmt.Errorf("connect to systemd: %w", err)
	}
	// It asks for a second one, which would get every signal once more: with hardly any left, one is enough.
	conn, err := dbus.NewConnection(func() (*godbus.Conn, error) { return one, nil })
	if err != nil {
		return nil, fmt.Errorf("connect to systemd: %w", err)
	}
	s.conn = conn
	return conn, nil
}

// Coming says that systemd has a job for one of our units, so that a stage of a boot runs or is still to come. Anybody
// may ask; root needs no message bus for it.
func Coming(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	conn, err := dbus.NewWithContext(ctx)
	if err != nil {
		return false, fmt.Errorf("connect to systemd: %w", err)
	}
	defer conn.Close()
	jobs, err := conn.ListJobsContext(ctx)
	for _, j := range jobs {
		switch j.Unit {
		case "provisioner-local.service", "provisioner-floor.service", "provisioner.service", "provisioner-handoff.service":
			return true, nil
		}
	}
	return false, err
}

// SetHostname implements Manager.
func (s *Systemd) SetHostname(name string) error { return unix.Sethostname([]byte(name)) }

// Reload implements Manager.
func (s *Systemd) Reload(ctx context.Context) error {
	conn, err := s.connection()
	if err != nil {
		return err
	}
	err = conn.ReloadContext(ctx)
	// Source: systemd 252, src/core/dbus-manager.c, verify_run_space_permissive and method_reload.
	if e := (godbus.Error{}); errors.As(err, &e) && e.Name == "org.freedesktop.systemd1.DiskFull" {
		return ErrNoSpace
	}
	return err
}

// Enqueue implements Manager.
func (s *Systemd) Enqueue(ctx context.Context, unit, action string) (<-chan string, error) {
	conn, err := s.connection()
	if err != nil {
		return nil, err
	}
	ask := map[string]func(context.Context, string, string, chan<- string) (int, error){
		"start":                 conn.StartUnitContext,
		"stop":                  conn.StopUnitContext,
		"restart":               conn.RestartUnitContext,
		"reload":                conn.ReloadUnitContext,
		"try-restart":           conn.TryRestartUnitContext,
		"reload-or-restart":     conn.ReloadOrRestartUnitContext,
		"reload-or-try-restart": conn.ReloadOrTryRestartUnitContext,
	}[action]
	if ask == nil {
		return nil, fmt.Errorf("systemd has no action %q", action)
	}
	result := make(chan string, 1) // the connection would stand still until somebody reads
	_, err = ask(ctx, unit, "replace", result)
	e := godbus.Error{}
	switch errors.As(err, &e); {
	// Source: systemd 252, src/core/transaction.c, transaction_verify_order_one.
	case e.Name == "org.freedesktop.systemd1.TransactionOrderIsCyclic":
		return nil, ErrCycle
	// Source: systemd 252, src/core/dbus-unit.c, bus_unit_queue_job.
	case action == "stop" && e.Name == "org.freedesktop.systemd1.NoSuchUnit":
		result <- "done" // its file is gone, and it did not run
		return result, nil
	}
	if err != nil {
		return nil, err
	}
	return result, nil
}

// Run implements Manager.
func (s *Systemd) Run(ctx context.Context, t Transient) (<-chan string, error) {
	conn, err := s.connection()
	if err != nil {
		return nil, err
	}
	kind := "oneshot"
	if t.Notify {
		kind = "notify"
	}
	properties := []dbus.Property{
		dbus.PropDescription(t.Description),
		dbus.PropType(kind),
		// The last argument says, other than its name, that a failure is to be ignored.
		dbus.PropExecStart(literal(t.Command), false),
		{Name: "StandardOutput", Value: godbus.MakeVariant("journal")},
		{Name: "StandardError", Value: godbus.MakeVariant("journal")},
	}
	if len(t.Environment) > 0 {
		properties = append(properties, dbus.Property{Name: "Environment", Value: godbus.MakeVariant(t.Environment)})
	}
	if t.Timeout > 0 {
		properties = append(properties, dbus.Property{Name: "TimeoutStartUSec", Value: godbus.MakeVariant(uint64(t.Timeout.Microseconds()))})
	}
	if len(t.After) > 0 {
		properties = append(properties, dbus.PropAfter(t.After...))
	}
	if len(t.Before) > 0 {
		properties = append(properties, dbus.PropBefore(t.Before...))
	}
	result := make(chan string, 1)
	if _, err := conn.StartTransientUnitContext(ctx, t.Unit, "replace", properties, result); err != nil {
		return nil, err
	}
	return result, nil
}

// literal keeps systemd from putting variables into a command: "$$" is a dollar.
func literal(command []string) []string {
	out := make([]string, len(command))
	for i, arg := range command {
		out[i] = strings.ReplaceAll(arg, "$", "$$")
	}
	return out
}

// State implements Manager.
func (s *Systemd) State(ctx context.Context, unit string) (State, error) {
	conn, err := s.connection()
	if err != nil {
		return State{}, err
	}
	all, err := conn.GetUnitPropertiesContext(ctx, unit)
	if err != nil {
		return State{}, fmt.Errorf("look at %s: %w", unit, err)
	}
	var st State
	st.Load, _ = all["LoadState"].(string)
	st.Active, _ = all["ActiveState"].(string)
	st.File, _ = all["UnitFileState"].(string)
	if strings.HasSuffix(unit, ".service") && st.Load == "loaded" {
		if err := st.ofService(ctx, conn, unit); err != nil {
			return State{}, fmt.Errorf("look at %s: %w", unit, err)
		}
	}
	for _, name := range []string{"ConditionTimestampMonotonic", "InactiveExitTimestampMonotonic"} {
		since, _ := all[name].(uint64)
		st.Tried = st.Tried || since != 0
	}
	for into, names := range map[*[]string][]string{
		&st.Needs: {"Requires", "Requisite", "BindsTo"}, &st.After: {"After"}, &st.Before: {"Before"}, &st.By: {"WantedBy", "RequiredBy"},
	} {
		for _, name := range names {
			units, _ := all[name].([]string)
			*into = append(*into, units...)
		}
	}
	// The property is the number of the job, 0 for none, and its object.
	if job, ok := all["Job"].([]any); ok && len(job) > 0 {
		id, _ := job[0].(uint32)
		st.Queued = id != 0
	}
	return st, nil
}

// ofService adds what only services have. A service has hundreds of properties, so those that count are asked for.
func (s *State) ofService(ctx context.Context, conn *dbus.Conn, unit string) error {
	names := []string{"TimeoutStartUSec", "Result", "ExecMainStatus"}
	if s.Active == "active" {
		names = names[:1] // nothing has failed
	}
	for _, name := range names {
		p, err := conn.GetServicePropertyContext(ctx, unit, name)
		if err != nil {
			return err
		}
		switch v := p.Value.Value().(type) {
		case uint64:
			s.Unlimited = v == math.MaxUint64
			if v < uint64(math.MaxInt64/time.Microsecond) {
				s.Timeout = time.Duration(v) * time.Microsecond
			}
		case string:
			s.Result = v
		case int32:
			s.ExitStatus = int(v)
		}
	}
	return nil
}

// Reset implements Manager.
func (s *Systemd) Reset(ctx context.Context, unit string) error {
	conn, err := s.connection()
	if err != nil {
		return err
	}
	return conn.ResetFailedUnitContext(ctx, unit)
}
