package support

import (
	"strings"

	"cloudconfig/datasources/httpget"
)

// harmless are words of the kernel command line whose values say nothing that is not for everybody.
const harmless = " BOOT_IMAGE root rootfstype rootflags ro rw quiet splash debug single init console ip nomodeset panic net.ifnames biosdevname " +
	"systemd.unit systemd.log_level systemd.show_status provisioner cloud-init ignition.platform.id security selinux enforcing apparmor "

// commandLine is the kernel command line as it may be shown. Of a URL, user info and query values are left out; of a word
// that is not known, its value; and one without a value altogether.
func commandLine(text string) (shown []string) {
	for _, word := range strings.Fields(text) {
		key, value, has := strings.Cut(word, "=")
		switch {
		case strings.Contains(harmless, " "+key+" ") && !strings.Contains(word, "://") && !strings.Contains(value, "@") && !strings.Contains(strings.ToLower(value), "pass"):
			shown = append(shown, word)
		case (key == "cloud-config-url" || key == "cloud_config_url") && has:
			shown = append(shown, key+"="+httpget.Redact(value))
		case has && isKey(key):
			shown = append(shown, key+"=...")
		default:
			shown = append(shown, "...")
		}
	}
	return shown
}

// isKey says that a word looks like the name of a parameter.
func isKey(word string) bool {
	return len(word) <= 40 && strings.Trim(strings.ToLower(word), "abcdefghijklmnopqrstuvwxyz0123456789._-") == ""
}
