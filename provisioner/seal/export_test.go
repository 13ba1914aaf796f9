package seal

// Small is o with few entries that are looked through.
func Small(o Options, entries int) Options {
	o.entries = entries
	return o
}
