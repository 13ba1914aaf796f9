package config

import "cloudconfig/schema/source"

// Command is an item of bootcmd or runcmd.
type Command struct {
	At source.Range
	// Name is the place in the merged list, by which its outcome is known: "runcmd[0]". Items that are null count.
	Name string
	// Text is for /bin/sh. Of an item that is a list it is the words, each in quotes. It may hold a password: it is
	// shown as the user's document is, to who has that, and nowhere else.
	Text string
	// Continue says that the commands below are run even if this one fails.
	Continue bool
}

// PowerState is what becomes of the machine after everything else.
type PowerState struct {
	At   source.Range // zero if it just stays on
	Mode string       // "poweroff", "reboot" or "halt"
	// DelayMinutes is in how many minutes; 0 for at once.
	DelayMinutes int
	Message      string // for those who are logged in; empty for the usual one
	// Condition, if not empty, is a text for /bin/sh that ends with status 0 if it is to be done. It is
	// shown as a command is.
	Condition string
}
