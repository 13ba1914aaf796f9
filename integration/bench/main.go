// Command bench measures a provisioner binary against its budgets and prints a table: CPU seconds, peak memory
// and system calls, which mean the same on a busy machine as on an idle one.
//
//	bench BINARY
//	bench -size BINARY
//
// The second form looks at the size alone, and fails if it is over its budget.
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
	{"validate 1 KiB", "1 0 0 0 700", []string{"validate"}, 9, false, 0.005, 0},
	{"validate 16 KiB", "20 4 4 4 480", []string{"validate"}, 9, false, 0.008, 10},
	{"validate 1 MiB, 20 files", "20 0 0 0 52000", []string{"validate"}, 5, false, 0.040, 0},
	{"validate 16 MiB, 320 files", "320 0 0 0 52000", []string{"validate"}, 3, false, 0, 0},
	{"validate 1 MiB, 1,500 files", "1500 0 0 0 580", []string{"validate"}, 5, false, 0.250, 0},
	{"validate 16 MiB, 24,000 files", "24000 0 0 0 580", []string{"validate"}, 3, false, 0, 0},
	{"validate 5,000 documents of 2 KiB", "1 1 1 1 1400", []string{"validate", "5000"}, 3, false, 1.5, 0},
	{"refuse 1 MB of aliases of aliases", "bomb aliases", []string{"validate"}, 3, false, 1, 64},
	{"refuse 1 MB of [", "bomb [", []string{"validate"}, 3, false, 1, 64},
	{"refuse 1 MB of {", "bomb {", []string{"validate"}, 3, false, 1, 64},
	{"refuse 1 MB of - ", "bomb - ", []string{"validate"}, 3, false, 1, 64},
	{"refuse 10,000 levels", "bomb levels", []string{"validate"}, 3, false, 1, 64},
	{"plan 20 files, 4 users, 4 keys, 4 units", "20 4 4 4 480", []string{"plan"}, 9, false, 0, 16},
	{"apply 20 files, 4 users, 4 keys, 4 units", "20 4 4 4 480", []string{"apply"}, 9, false, 0.050, 16},
	{"apply the same again", "20 4 4 4 480", []string{"apply", "again"}, 9, false, 0, 16},
	{"apply 1,000 files", "1000 4 4 0 480", []string{"apply"}, 3, false, 0, 0},
	{"apply 10,000 files", "10000 4 4 0 480", []string{"apply"}, 3, false, 2.0, 0},
	{"apply 10,000 files, on disk", "10000 4 4 0 480", []string{"apply"}, 3, true, 0, 0},
}

// sizeBudget is of the stripped, static binary with every datasource in it, in bytes. It was 11,000,000 before there were
// templates, zstd and xz, and 11,500,000 before there was the network: its languages, checks and files, and its trial.
// Decoders and a D-Bus of our own would take half a million from it, and are not worth their upkeep.
const sizeBudget = 12_900_000

func main() {
	switch {
	case len(os.Args) == 3 && os.Args[1] == "-size":
		n, err := size(os.Args[2])
		if err == nil && n > sizeBudget {
			err = fmt.Errorf("%s is %d bytes over its budget: see what a change has linked with go tool nm -size -sort size", os.Args[2], n-sizeBudget)
		}
		exit(err)
	case len(os.Args) == 3 && os.Args[1] == "-generate":
		generate(os.Args[2])
	case len(os.Args) == 2:
		exit(bench(os.Args[1]))
	default:
		fmt.Fprintln(os.Stderr, "usage: bench [-size] BINARY")
		os.Exit(2)
	}
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// size prints how many bytes a binary has, and gives them.
func size(binary string) (int64, error) {
	info, err := os.Stat(binary)
	if err != nil {
		return 0, err
	}
	fmt.Printf("%-44s %12d bytes  budget %d%s\n", "size of the binary", info.Size(), sizeBudget, verdict(float64(info.Size()), sizeBudget))
	return info.Size(), nil
}

func bench(binary string) error {
	binary, err := filepath.Abs(binary)
	if err != nil {
		return err
	}
	if _, err := size(binary); err != nil {
		return err
	}
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
	if err := write(config, w.config); err != nil {
		return err
	}
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
		if w.args[0] == "validate" && len(w.args) > 1 {
			if args[1], err = copies(dir, config, w.args[1]); err != nil {
				return err
			}
		}
		if w.again() {
			if _, err := run(binary, args, 0); err != nil {
				return err
			}
		}
		status := 0
		if strings.HasPrefix(w.config, "bomb ") {
			status = 1
		}
		usage, err := run(binary, args, status)
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
		if w.again() {
			if _, err := run(binary, last, 0); err != nil {
				return err
			}
		}
		calls = syscalls(binary, last)
	}
	fmt.Printf("%-44s %10.4f %10s %10.1f %10s %10s%s%s\n", w.name, median(cpu), shown(w.cpu, 3), median(peak), shown(w.peak, 0), calls,
		verdict(median(cpu), w.cpu), verdict(median(peak), w.peak))
	return nil
}

// write has another process of this program write a configuration, so that it takes no memory of this one.
func write(config, size string) error {
	f, err := os.OpenFile(config, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	cmd := exec.Command(os.Args[0], "-generate", size)
	cmd.Stdout, cmd.Stderr = f, os.Stderr
	return cmd.Run()
}

// again says that what is measured is the second run of the same.
func (w workload) again() bool { return len(w.args) > 1 && w.args[1] == "again" }

// copies fills a directory with so many copies of a configuration, unless it is there already.
func copies(dir, config, number string) (string, error) {
	n, err := strconv.Atoi(number)
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(config)
	if err != nil {
		return "", err
	}
	in := filepath.Join(dir, "copies")
	if os.Mkdir(in, 0o700) != nil {
		return in, nil
	}
	for i := range n {
		if err := os.WriteFile(filepath.Join(in, strconv.Itoa(i)+".yaml"), text, 0o600); err != nil {
			return "", err
		}
	}
	return in, nil
}

// run runs the binary, demands an exit status, and gives what the run used.
func run(binary string, args []string, status int) (*syscall.Rusage, error) {
	cmd := exec.Command(binary, args...)
	cmd.Stderr = new(strings.Builder)
	err := cmd.Run()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != status {
		return nil, fmt.Errorf("%s: want exit status %d: %w: %s", strings.Join(args, " "), status, err, cmd.Stderr)
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

// generate prints a configuration: "FILES USERS KEYS UNITS BYTES", the last for each file; or "bomb KIND", what a
// parser may choke on.
func generate(size string) {
	if kind, ok := strings.CutPrefix(size, "bomb "); ok {
		bomb(kind)
		return
	}
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

// bomb prints 1 MB of one thing over and over, or of what refers to itself.
func bomb(kind string) {
	const size = 1_000_000
	fmt.Println("#cloud-config")
	switch kind {
	case "aliases":
		fmt.Println("x-0: &a0 [x, x, x, x, x, x, x, x, x, x]")
		for i, n := 1, 0; n < size; i++ {
			line := fmt.Sprintf("x-%d: &a%d [%s]", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
			n += len(line)
			fmt.Println(line)
		}
	case "levels":
		fmt.Println("x-a:\n  " + strings.Repeat("{a: ", 10_000) + strings.Repeat("}", 10_000))
	default:
		fmt.Println("x-a:\n  " + strings.Repeat(kind, size/len(kind)))
	}
}
