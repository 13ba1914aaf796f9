package diag

// Slip is a finding inside a string, told by the bytes of that string. The packages for the languages inside
// strings (a unit, a script, a certificate) give slips; package schema knows where the string stands in the
// user's file and makes a [Diagnostic] of each.
type Slip struct {
	Rule *Rule
	// Severity is the rule's where it is zero.
	Severity Severity
	// From and To are offsets in bytes, To exclusive. Both are 0 for the string as a whole.
	From, To int
	// Summary, Detail, Secret and Related are as in Diagnostic.
	Summary, Detail string
	Secret          bool
	Related         []Related
}
