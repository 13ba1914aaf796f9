// Command demo shows the main job: it plans each example against a scratch root, applies it there, applies it
// again to show that nothing is left to do, and lists what is in the root.
//
//	demo BINARY EXAMPLES
package main

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: demo BINARY EXAMPLES")
		os.Exit(2)
	}
	if err := demo(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func demo(binary, examples string) error {
	if err := os.RemoveAll("demo"); err != nil {
		return err
	}
	var files []string
	for _, pattern := range []string{"*.yaml", "*.sh", "*.mime"} {
		found, err := filepath.Glob(filepath.Join(examples, pattern))
		if err != nil {
			return err
		}
		files = append(files, found...)
	}
	for _, file := range files {
		root := filepath.Join("demo", strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)))
		fmt.Printf("\n== %s into %s\n", file, root)
		if err := scratch(root); err != nil {
			return err
		}
		flags := []string{"--datasource", "file=" + file, "--metadata", filepath.Join(examples, "metadata.json"), "--root", root}
		for _, command := range []string{"plan", "apply", "plan"} {
			cmd := exec.Command(binary, append([]string{command}, flags...)...)
			cmd.Stdout, cmd.Stderr = os.Stdout, os.Stdout
			fmt.Printf("\n$ provisioner %s %s\n", command, strings.Join(flags, " "))
			if err := cmd.Run(); err != nil {
				return fmt.Errorf("%s of %s: %w", command, file, err)
			}
		}
		fmt.Println()
		if err := list(root); err != nil {
			return err
		}
	}
	fmt.Printf("\n%d examples applied; look around in demo/\n", len(files))
	return nil
}

// scratch makes a root with what a small Debian system has of accounts and units.
func scratch(root string) error {
	for _, dir := range []string{"etc/skel", "etc/ssh", "etc/systemd/system", "home", "run", "root", "usr/lib/systemd/system", "usr/sbin", "usr/share/zoneinfo/Europe", "var/lib"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	for name, text := range map[string]string{
		"etc/passwd":        "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n",
		"etc/group":         "root:x:0:\ndaemon:x:1:\nsudo:x:27:\nusers:x:100:\n",
		"etc/shadow":        "root:*:19000:0:99999:7:::\ndaemon:*:19000:0:99999:7:::\n",
		"etc/hosts":         "127.0.0.1 localhost\n::1 localhost ip6-localhost\n",
		"etc/skel/.profile": "# ~/.profile\n",

		"etc/debian_version":               "12.5\n",
		"etc/ca-certificates.conf":         "",
		"etc/ssh/sshd_config":              "Include /etc/ssh/sshd_config.d/*.conf\n",
		"usr/sbin/update-ca-certificates":  "#!/bin/sh\n",
		"usr/share/zoneinfo/Europe/Berlin": "TZif2",
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	for _, unit := range []string{"docker", "etcd2", "fleet", "flanneld", "locksmithd", "update-engine", "rpcbind", "ssh", "systemd-resolved", "systemd-sysctl", "systemd-timesyncd"} {
		text := "[Service]\nExecStart=/usr/bin/" + unit + "\n[Install]\nWantedBy=multi-user.target\n"
		if err := os.WriteFile(filepath.Join(root, "usr/lib/systemd/system", unit+".service"), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return os.Chmod(filepath.Join(root, "etc/shadow"), 0o640)
}

// list prints what is in a root, but for what scratch made of units.
func list(root string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.Contains(path, "usr/lib/systemd") {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		to := ""
		if target, err := os.Readlink(path); err == nil {
			to = " -> " + target
		}
		fmt.Printf("%s %7d %s%s\n", info.Mode(), info.Size(), strings.TrimPrefix(path, root), to)
		return nil
	})
}
