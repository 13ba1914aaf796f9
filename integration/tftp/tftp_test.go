//go:build integration

// Package tftp_test holds the TFTP client against the servers that machines boot from. It needs root, for dnsmasq's
// port, and tftpd-hpa and dnsmasq; what is missing is skipped, but not on CI.
package tftp_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"cloudconfig/datasources"
	"cloudconfig/datasources/tftp"
)

func TestServers(t *testing.T) {
	for _, server := range []struct {
		name, program, address string
		args                   []string
	}{
		{"tftpd-hpa", "in.tftpd", "127.0.0.1:" + freePort(t), []string{"-L", "-u", "root", "-a", "ADDRESS", "-s", "ROOT"}},
		{"tftpd-hpa without options", "in.tftpd", "127.0.0.1:" + freePort(t), []string{"-L", "-u", "root", "-r", "blksize", "-r", "tsize", "-a", "ADDRESS", "-s", "ROOT"}},
		{"dnsmasq", "dnsmasq", "127.0.0.69:69", []string{"--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--port=0", "--pid-file=",
			"--listen-address=127.0.0.69", "--bind-interfaces", "--enable-tftp", "--tftp-root=ROOT"}}, // it has one port only
	} {
		t.Run(server.name, func(t *testing.T) {
			program, err := exec.LookPath(server.program)
			if err != nil {
				missing(t, server.program+": apt-get install tftpd-hpa dnsmasq-base")
			}
			root := t.TempDir()
			if err := os.Chmod(root, 0o755); err != nil {
				t.Fatal(err)
			}
			files := map[string][]byte{}
			for _, size := range []int{0, 1, 512, 1427, 1428, 1429, 100_000, 4 << 20} {
				name := strconv.Itoa(size)
				files[name] = bytes.Repeat([]byte("0123456\n"), size/8+1)[:size]
				if err := os.WriteFile(filepath.Join(root, name), files[name], 0o644); err != nil {
					t.Fatal(err)
				}
			}
			url := "tftp://" + server.address + "/"
			cmd := exec.Command(program)
			for _, arg := range server.args {
				cmd.Args = append(cmd.Args, strings.NewReplacer("ADDRESS", server.address, "ROOT", root).Replace(arg))
			}
			var log bytes.Buffer
			cmd.Stderr = &log
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
				if t.Failed() {
					t.Log(log.String())
				}
			}()
			get := func(name string) (data []byte, err error) {
				env := datasources.Env{Limits: datasources.Limits{Overall: 10 * time.Second}}
				err = env.Retry(t.Context(), name, func(ctx context.Context) (err error) {
					data, err = tftp.Get(ctx, env, url+name, tftp.Options{})
					return err
				})
				return data, err
			}
			for name, want := range files {
				began := time.Now()
				if got, err := get(name); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: %d bytes, error %v", name, len(got), err)
				}
				t.Logf("%s bytes in %v", name, time.Since(began).Round(time.Millisecond))
			}
			if _, err := get("none"); !errors.Is(err, datasources.ErrAbsent) {
				t.Errorf("a file that is not there: %v", err)
			}
			if _, err := tftp.Get(t.Context(), datasources.Env{}, url+"100000", tftp.Options{MaxBytes: 10_000}); err == nil || errors.Is(err, datasources.ErrNotReady) {
				t.Errorf("a file that is too large: %v", err)
			}
		})
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, port, _ := net.SplitHostPort(conn.LocalAddr().String())
	return port
}

// missing skips, but not on CI, where everything is there.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal("missing: " + what)
	}
	t.Skip("missing: " + what)
}
