package accounts

var (
	Hash    = hash
	Matches = matches
)
