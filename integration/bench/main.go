// Command bench measures a provisioner binary against its budgets and prints a table: CPU seconds, peak memory
// and system calls, which mean the same on a busy machine as on an idle one.
//
//	bench BINARY
//
// Each figure is the median of several runs of the whole process, from its own resource usage. Peak memory of a
// child can read no lower than that of this program when it starts it, so the configurations are made by
// another process of it, and what it prints is "at most".
//
// Scratch roots are in memory (/dev/shm) where there is such a place, so that the cost of a disk's file system is not
// in the figures; the last row is on disk.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// workload is one row of the table.
type workload struct {
	name   string
	config string // what configuration writes for it
	args   []string
	runs   int
	disk   bool // on disk, not in memory
	// Budgets: CPU in seconds, peak memory in MiB; 0 is none.
	cpu, peak float64
}

var workloads = []workload{
	{"validate 1 KiB", "1 0 0 0 700", []string{"validate"}, 9, false, 0, 0},
	{"validate 16 KiB", "20 4 4 4 480", []string{"validate"}, 9, false, 0.010, 0},
	{"validate 1 MiB, 20 files", "20 0 0 0 52000", []string{"validate"}, 5, false, 0, 0},
	{"validate 1 MiB, 1,500 files", "1500 0 0 0 580", []string{"validate"}, 5, false, 0.35, 0},
	{"plan 20 files, 4 users, 4 keys, 4 units", "20 4 4 4 480", []string{"plan"}, 9, false, 0, 16},
	{"apply 20 files, 4 users, 4 keys, 4 units", "20 4 4 4 480", []string{"apply"}, 9, false, 0.050, 16},
	{"apply the same again", "20 4 4 4 480", []string{"apply", "again"}, 9, false, 0, 16},
	{"apply 1,000 files", "1000 4 4 0 480", []string{"apply"}, 3, false, 0, 0},
	{"apply 10,000 files", "10000 4 4 0 480", []string{"apply"}, 3, false, 2.0, 0},
	{"apply 10,000 files, on disk", "10000 4 4 0 480", []string{"apply"}, 3, true, 0, 0},
}

func main() {
	switch {
	case len(os.Args) == 3 && os.Args[1] == "-generate":
		generate(os.Args[2])
	case len(os.Args) == 2:
		if err := bench(os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
	default:
		fmt.Fprintln(os.Stderr, "usage: bench BINARY")
		os.Exit(2)
	}
}

func bench(binary string) error {
	binary, err := filepath.Abs(binary)
	if err != nil {
		return err
	}
	info, err := os.Stat(binary)
	if err != nil {
		return err
	}
	const budget = 11_000_000
	fmt.Printf("%-44s %12d bytes  budget %d%s\n", "size of the binary", info.Size(), budget, verdict(float64(info.Size()), budget))
	fmt.Printf("\n%-44s %10s %10s %10s %10s %10s\n", "", "CPU s", "budget", "peak MiB", "budget", "syscalls")
	for _, w := range workloads {
		if err := w.measure(binary); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	return nil
}

func (w workload) measure(binary string) error {
	in := "/dev/shm"
	if info, err := os.Stat(in); err != nil || !info.IsDir() || w.disk {
		in = ""
	}
	dir, err := os.MkdirTemp(in, "bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	config := filepath.Join(dir, "config.yaml")
	out, err := exec.Command(os.Args[0], "-generate", w.config).Output()
	if err != nil {
		return err
	}
	if err := os.WriteFile(config, out, 0o600); err != nil {
		return err
	}
	out = nil
	var cpu, peak []float64
	var last []string
	for i := range w.runs {
		root := filepath.Join(dir, strconv.Itoa(i))
		if err := scratch(root); err != nil {
			return err
		}
		args := []string{w.args[0], "--datasource", "file=" + config, "--root", root}
		if w.args[0] == "validate" {
			args = []string{"validate", config}
		}
		if len(w.args) > 1 {
			if _, err := run(binary, args); err != nil {
				return err
			}
		}
		usage, err := run(binary, args)
		if err != nil {
			return err
		}
		cpu = append(cpu, seconds(usage.Utime)+seconds(usage.Stime))
		peak = append(peak, float64(usage.Maxrss)/1024)
		last = args
		if w.args[0] != "validate" {
			if err := os.RemoveAll(root); err != nil {
				return err
			}
		}
	}
	calls := "-"
	if _, err := exec.LookPath("strace"); err == nil && w.runs > 3 {
		if w.args[0] != "validate" {
			if err := scratch(last[len(last)-1]); err != nil {
				return err
			}
		}
		if len(w.args) > 1 {
			if _, err := run(binary, last); err != nil {
				return err
			}
		}
		calls = syscalls(binary, last)
	}
	fmt.Printf("%-44s %10.4f %10s %10.1f %10s %10s%s%s\n", w.name, median(cpu), shown(w.cpu, 3), median(peak), shown(w.peak, 0), calls,
		verdict(median(cpu), w.cpu), verdict(median(peak), w.peak))
	return nil
}

// run runs the binary and gives what it used.
func run(binary string, args []string) (*syscall.Rusage, error) {
	cmd := exec.Command(binary, args...)
	cmd.Stderr = new(strings.Builder)
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, cmd.Stderr)
	}
	return cmd.ProcessState.SysUsage().(*syscall.Rusage), nil
}

// syscalls counts the system calls of one run.
func syscalls(binary string, args []string) string {
	out, err := exec.Command("strace", append([]string{"-f", "-c", "-S", "calls", "-U", "calls,name", binary}, args...)...).CombinedOutput()
	if err != nil {
		return "?"
	}
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) == 2 && f[1] == "total" {
			return f[0]
		}
	}
	return "?"
}

// scratch makes a root with the accounts of a small system.
func scratch(root string) error {
	for _, dir := range []string{"etc/skel", "home", "run", "var/lib"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	for name, text := range map[string]string{
		"etc/passwd":        "root:x:0:0:root:/root:/bin/bash\n",
		"etc/group":         "root:x:0:\nsudo:x:27:\n",
		"etc/skel/.profile": "# ~/.profile\n",
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(root, "etc/shadow"), []byte("root:*:19000:0:99999:7:::\n"), 0o640)
}

func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

func seconds(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }

func shown(budget float64, digits int) string {
	if budget == 0 {
		return "-"
	}
	return strconv.FormatFloat(budget, 'f', digits, 64)
}

func verdict(got, budget float64) string {
	if budget != 0 && got > budget {
		return "  OVER"
	}
	return ""
}

// generate prints a configuration: "FILES USERS KEYS UNITS BYTES", the last for each file.
func generate(size string) {
	var files, users, keys, units, bytes int
	if _, err := fmt.Sscan(size, &files, &users, &keys, &units, &bytes); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	const hash = "$6$examplesalt$jfTLmATMLm2jDA3ByHyFJeVai3E8Gbt9AA7EuFAupFJWg8unspwt5kkHp4zW8Susuta6Rd6iSk0sucz5sJm/j0"
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
	fmt.Printf("#cloud-config\nhostname: bench\n")
	if users > 0 {
		fmt.Println("users:")
	}
	for i := range users {
		fmt.Printf("  - name: user%d\n    gecos: User %d\n    passwd: %s\n", i, i, hash)
		if i < keys {
			fmt.Printf("    ssh_authorized_keys:\n      - %s user%d\n", key, i)
		}
	}
	fmt.Println("write_files:")
	const line = "        setting = some value that is about as long as a line\n"
	for i := range files {
		fmt.Printf("  - path: /etc/bench/%d/%d.conf\n    permissions: \"0644\"\n    content: |\n%s", i/100, i, strings.Repeat(line, bytes/len(line)))
	}
	if units > 0 {
		fmt.Println("coreos:\n  units:")
	}
	for i := range units {
		fmt.Printf("    - name: bench%d.service\n      enable: true\n      command: start\n      content: |\n        [Service]\n        ExecStart=/bin/true\n        [Install]\n        WantedBy=multi-user.target\n", i)
	}
}
